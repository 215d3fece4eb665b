"""`ladder card`: the model card of a run, and whether a card declares more than the run shows."""

from __future__ import annotations

from pathlib import Path

from ladder.audit.pack.card import run_card
from ladder.audit.pack.certified import certified
from ladder.audit.pack.declaring import Declared, declarations
from ladder.errors import DataError, Problem
from ladder.files import read_text
from ladder.report.reading import read_assessment, whole_record

MOST_BYTES = 4_000_000


def card_of(run: Path) -> str:
    """Return the model card of a run.

    Raises:
        DataError: the run is damaged, or not there.
    """
    a, folder = read_assessment(run)
    with whole_record(folder):
        return run_card(a)


def check_card(card: Path, run: Path) -> list[Declared]:
    """Return what a card declares above the certified lower bound of a run.

    Raises:
        DataError: the run is damaged, the card cannot be read, or it declares no score at all
            where the run certifies one: another file would pass for ever.
    """
    a, folder = read_assessment(run)
    text = read_text(card, "a model card", most=MOST_BYTES)
    with whole_record(folder):
        found = declarations(text, a, str(card))
        if not found and certified(a) is not None:
            fix = "Name the card of this run's system; ladder card RUN writes one."
            raise DataError([Problem(str(card), "no score that it declares", "a model card", fix)])
        return [one for one in found if one.is_overstated]
