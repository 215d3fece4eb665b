"""Write invoices.csv: invented invoice notes of an invented joinery, and their booking codes.

    python examples/invoice_bookings/make_rows.py

The items, suppliers, places and turns of phrase were written for this project by hand; a fixed
seed joins them, and works out each booking from its parts.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

ROWS = 600
ACCOUNTS = {
    "T2": (
        ("Marlow Timber", "Oakhanger Sawmill", "Brodie Boards"),
        "oak planks|birch plywood|a stack of larch battens|walnut veneer|MDF sheets|pine laths|"
        "ash offcuts|cedar cladding|beech worktops|softwood joists|chipboard|maple edging",
    ),
    "H7": (
        ("Screw & Nail", "Pemberton Fixings", "Bolt Brothers"),
        "wood screws|drawer runners|brass hinges|coach bolts|cabinet handles|shelf pins|"
        "corner brackets|a box of dowels|soft-close dampers|castors|magnetic catches|wall plugs",
    ),
    "F4": (
        ("Lark Finishes", "Tideway Paints", "Amber & Co"),
        "hardwax oil|two tins of white primer|shellac flakes|satin varnish|wood stain|beeswax|"
        "water-based lacquer|teak oil|knotting solution|undercoat|thinner|chalk paint",
    ),
    "W1": (
        ("Kestrel Tools", "Grindstone Ltd", "Sawtooth Supplies"),
        "router bits|a plane iron|saw blades|sanding discs|chisels|a mitre gauge|clamps|"
        "drill bits|a marking knife|bandsaw blades|a dovetail jig|spare belts for the sander",
    ),
    "O9": (
        ("Paperie", "Desk & Drawer", "Quill Office"),
        "copier paper|toner|ring binders|envelopes|a new keyboard|printer drums|pens and pads|"
        "an office chair|label tape|a whiteboard|desk lamps|a shredder",
    ),
    "E5": (
        ("Brightside Power", "Valley Water", "Northern Gas"),
        "electricity for the month|the water bill|gas, second quarter|waste water charge|"
        "standing charge|meter reading fee|heating oil|power, estimated reading|"
        "drainage rates|electricity, final reading|hot water share|the gas top-up",
    ),
    "V3": (
        ("Hillside Garage", "Tyre Corner", "Roadmaster"),
        "new brake pads|four winter tyres|an oil change|diesel|a wiper motor|road tax|"
        "the annual inspection|a puncture repair|screen wash|a tow bar|wheel alignment|a battery",
    ),
    "M8": (
        ("Beacon Print", "Signwright", "Hatch & Hue"),
        "flyers|a shop sign|business cards|an advert in the parish magazine|stickers|"
        "a stand at the craft fair|photographs of the kitchens|a banner|postcards|"
        "lettering for the window|the autumn brochure|hosting for the website",
    ),
    "C6": (
        ("Spick Cleaning", "Bright & Bucket", "Mop & Co"),
        "window cleaning|floor soap|paper towels|emptying the skip|overalls washed|bin bags|"
        "the weekly clean|dust sheets|hand cleaner|a carpet clean|disinfectant|new brooms",
    ),
    "S0": (
        ("Swift Parcels", "Longhaul Freight", "Pony Couriers"),
        "a pallet to Leeds|postage|courier to the client|two parcels|customs handling|"
        "a same-day delivery|freight from the mill|return of faulty goods|registered letters|"
        "crate hire|storage of one pallet|the Saturday collection",
    ),
}
"""Account -> suppliers, items."""
PLACES = {
    "A": ("the workshop", "the bench room", "the lads downstairs", "the machine shop"),
    "B": ("the showroom", "the shop front", "the display room", "the customers' side"),
    "C": ("the office", "Judith's desk", "the back office", "upstairs, admin"),
    "D": ("the site at Penny Lane", "the fitting crew", "the job on site", "the lads on site"),
}
"""Cost centre -> what people call it."""
NOTES = (
    "{s}: {i}, for {p}, {a} net",
    "pls book {s} {a} - {i} for {p}",
    "{i} from {s}, {a}. Goes to {p}.",
    "Invoice {s}, {a} without VAT, {i}. It was {p} that ordered.",
    "Hi Judith, {s} sent the bill for {i}: {a} net. That is for {p}. Ta, Col",
    "{a} to {s} ({i}; {p})",
    "Found this in the van: {s}, {i}, {a}. Belongs to {p} I think",
    "{s} / {i} / {a} / {p}",
    "Can you put {a} through for {i}? {s}, and it is {p} again.",
    "For {p}: {i}, {s}, net {a}",
    "another one from {s}... {i} this time, {a}, {p}",
    "Paid by card at {s}, {a}, {i}, charge {p} please",
    "{p} needed {i}. {s} charged {a}.",
    "Second copy of the {s} invoice attached, {i}, {a} net, cost centre is {p}",
)


def main() -> None:
    """Write the rows."""
    draw = random.Random(20)
    rows, seen = [], set()
    accounts = {code: (who, what.split("|")) for code, (who, what) in ACCOUNTS.items()}
    while len(rows) < ROWS:
        code = draw.choice(list(accounts))
        place = draw.choice(list(PLACES))
        supplier, item = map(draw.choice, accounts[code])
        said = draw.choice(PLACES[place])
        if (item, said) in seen:
            continue
        seen.add((item, said))
        amount = f"{draw.choice((draw.uniform(8, 99), draw.uniform(100, 900))):.2f}"
        note = draw.choice(NOTES).format(s=supplier, i=item, p=said, a=amount)
        rows.append((note[:1].upper() + note[1:], f"{code}-{place} {amount}"))
    with (Path(__file__).parent / "invoices.csv").open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(("note", "booking"))
        written.writerows(rows)


if __name__ == "__main__":
    main()
