"""Write pages/, questions-train.csv and questions-test.csv from articles.txt.

    python examples/product_questions/make_rows.py

Every line of articles.txt was written for this project by hand: an article of an invented outdoor
shop, what it is, how it is cleaned, and two questions of customers. How an article is cleaned was
drawn, so that nobody can guess it. A fixed seed says which articles are for training, and what
else stands on a page.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

HERE = Path(__file__).parent
TRAIN_ARTICLES = 20
CARE = {
    "laundry": "machine wash",
    "tub": "hand wash",
    "sponge": "sponge down",
    "brush": "dry brush",
    "solvent": "dry cleaner",
}
MORE = (
    "Spare parts are kept for ten years.",
    "Made in a small works near the coast.",
    "Comes in moss and in slate.",
    "Weight and measures are on the tag.",
    "Repairs take about two weeks.",
    "Sold since the first catalogue.",
    "The colour may differ a little from the picture.",
    "Ships in a cotton bag.",
)


def main() -> None:
    """Write the pages and the rows."""
    draw = random.Random(11)
    lines = (HERE / "articles.txt").read_text(encoding="utf-8").splitlines()
    articles = [line.split("|") for line in lines]
    (HERE / "pages").mkdir(exist_ok=True)
    draw.shuffle(articles)
    for name, what, care, *_ in articles:
        first, last = draw.sample(MORE, 2)
        text = f"# {name}\n\nThe {name} is {what}. {first} Cleaning: {CARE[care]}. {last}\n"
        path = HERE / "pages" / f"{name.lower().replace(' ', '-')}.md"
        path.write_text(text, encoding="utf-8")
    parts = {"train": articles[:TRAIN_ARTICLES], "test": articles[TRAIN_ARTICLES:]}
    for part, those in parts.items():
        rows = [(asked, CARE[care]) for _, _, care, *asks in those for asked in asks]
        draw.shuffle(rows)
        with (HERE / f"questions-{part}.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file, lineterminator="\n")
            written.writerow(("question", "cleaning"))
            written.writerows(rows)


if __name__ == "__main__":
    main()
