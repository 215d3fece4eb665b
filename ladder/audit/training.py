"""A training in the ledger: the provenance of what it left, signed, beside its passport."""

from __future__ import annotations

from pathlib import Path

from ladder.audit.folders import digests_in
from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import is_kept, ledger_of, note
from ladder.audit.statements import provenance, write_statement
from ladder.errors import DataError
from ladder.evidence import Passport
from ladder.files import read_record

PASSPORT, STATEMENT = "passport.json", "provenance.dsse.json"
CHANGES = ("README.md",)
"""The card: each assessment writes what it measured onto it."""


def note_training(folder: Path) -> None:
    """Write a training into the ledger beside the runs, once, where one is kept.

    Args:
        folder: the artefact's, with its passport.

    Raises:
        DataError: the passport cannot be read.
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or cannot be written.
    """
    if not is_kept(ledger_of(folder)) or (folder / STATEMENT).exists():
        return
    passport = read_record(folder / PASSPORT, Passport, "a passport", DataError)
    signer = load_signer(private_file("machine"))
    write_statement(folder / STATEMENT, provenance(passport), signer)
    files = {name: each for name, each in digests_in(folder).items() if name not in CHANGES}
    facts = {"recipe": passport.recipe, "base": passport.base}
    note(folder, "training", task="", facts=facts, files=files)
