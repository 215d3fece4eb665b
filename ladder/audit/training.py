"""A training in the ledger, and the signed provenance of what it left, beside its folder.

Not in the folder: what lies there is part of what the engine is known by.
"""

from __future__ import annotations

from pathlib import Path

from ladder.audit.folders import digest_of_file, digests_in
from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import is_kept, ledger_of, note
from ladder.audit.statements import provenance, write_statement
from ladder.evidence import Passport

CHANGES = ("README.md",)
"""The card: each assessment writes what it measured onto it."""


def note_training(folder: Path, passport: Passport) -> None:
    """Write a training into the ledger beside the runs, once, where one is kept.

    Args:
        folder: the artefact's.
        passport: of it.

    Raises:
        SettingsError: there is no machine key.
        StateError: the ledger is broken, or cannot be written.
    """
    ledger, statement = ledger_of(folder), statement_of(folder)
    if not is_kept(ledger) or statement.exists():
        return
    signer = load_signer(private_file("machine"))
    found = digests_in(folder)
    left = {name: digest for name, digest in found.items() if name not in CHANGES}
    write_statement(statement, provenance(passport, left), signer)
    files = {f"{folder.name}/{name}": digest for name, digest in left.items()}
    note(
        folder,
        "training",
        task="",
        place=statement.parent.relative_to(ledger.parent).as_posix(),
        facts={"recipe": passport.recipe, "base": passport.base},
        files={statement.name: digest_of_file(statement), **files},
    )


def statement_of(folder: Path) -> Path:
    """Return where the provenance of an artefact lies: beside its folder."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}.dsse.json")
