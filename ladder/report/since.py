"""What happened to an answer since its certification: checks, looks at drift, probes, releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Happening, HappeningKind
from ladder.report.blocks import Block, say, tabled
from ladder.wording import span

WHAT: dict[HappeningKind, str] = {
    "revalidation": "measured again",
    "drift": "recent inputs compared",
    "probe": "the model probed",
    "release": "release check",
}
HELD: dict[HappeningKind, str] = {
    "revalidation": "the answer still holds",
    "drift": "no alarm",
    "probe": "the same model",
}
MOST_SHOWN_LINES = 5
"""On the terminal; the page has all."""


def answered_by(alarms: Sequence[str]) -> str:
    """Say what answers the alarms of a look at drift; the scores of all looks count together."""
    fresh = "`ladder revalidate --rotate` holds on fresh rows"
    return fresh if "score" in alarms else f"a look finds nothing, or {fresh}"


def happening_words(happened: Happening) -> str:
    """Say what one check found, in a sentence."""
    if happened.kind == "release":
        word = "may take the place of" if happened.held else "may not take the place of"
        return f"{word} {', '.join(happened.found)}"
    reasons = "; ".join(happened.found)
    if happened.kind == "drift" and not happened.held:
        reasons = f"moved: {reasons.replace('; ', ', ')}"
    elif happened.kind == "probe" and not happened.held:
        reasons = f"another model than the certified one: {reasons}"
    text = HELD[happened.kind] if happened.held else reasons or "something was found"
    if happened.score:
        text += f"; score {span(happened.score)}"
    return f"{text}; its model ends on {happened.ends}" if happened.ends else text


def since_blocks(happenings: Sequence[Happening]) -> Iterator[Block]:
    """Yield the table of what happened, the newest first; nothing where nothing did."""
    if not happenings:
        return
    acted = sum(not each.held for each in happenings)
    word = "1 of them gave" if acted == 1 else f"{acted} of them gave"
    times = "1 line" if len(happenings) == 1 else f"{len(happenings)} lines"
    yield say(f"{times} in the records beside the plan; {word} a reason to act.")
    rows = ((each.at[:10], WHAT[each.kind], _result(each)) for each in reversed(happenings))
    yield tabled(("date", "what", "result"), *rows)


def _result(happened: Happening) -> str:
    return happening_words(happened) if happened.held else f"act: {happening_words(happened)}"


def since_lines(happenings: Sequence[Happening]) -> Iterator[str]:
    """Yield the last of what happened as lines, the newest first."""
    if happenings:
        yield "since the certification:"
    for each in list(reversed(happenings))[:MOST_SHOWN_LINES]:
        yield f"- {each.at[:10]}, {WHAT[each.kind]}: {_result(each)}"
    left = len(happenings) - MOST_SHOWN_LINES
    if left > 0:
        yield f"- and {left} before"
