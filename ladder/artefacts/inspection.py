"""`ladder passport`: is an artefact what it was, and does it answer as it did?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ladder.artefacts.canaries import Drift, check_canaries
from ladder.artefacts.export import export
from ladder.artefacts.issue import engine_of
from ladder.engines import model_folder
from ladder.engines.local import LocalEngine
from ladder.engines.passport import PASSPORT, differences, parts_of, read_passport
from ladder.errors import EngineError
from ladder.evidence import Passport


@dataclass(frozen=True)
class Inspection:
    """What a passport says, line by line, and whether it holds."""

    lines: tuple[str, ...]
    holds: bool


def inspect(folder: Path, base: str | None = None) -> Inspection:
    """Compare an artefact with its passport: digests first, then the canaries' answers.

    Args:
        folder: of the artefact.
        base: folder or reference of the base under an adapter, where it lies elsewhere now.

    Raises:
        EngineError: the folder, or the base, is not there.
        PassportError: the passport cannot be read.
    """
    if not folder.is_dir():
        raise EngineError(f"{folder}: no such folder; wanted that of a trained artefact")
    passport = read_passport(folder)
    if passport is None:
        line = f"{folder} has no {PASSPORT}: nothing to check it by. `ladder train` writes one."
        return Inspection((line,), holds=False)
    under = _base(passport, base)
    lines = describe(passport)
    changed = [f"changed, {line}" for line in differences(passport.parts, parts_of(folder))]
    if under is not None:
        now = parts_of(under)
        changed += [f"base changed, {line}" for line in differences(passport.base_parts, now)]
    if changed:
        fix = "It is not loaded so: put the original files back, or delete it and train again."
        return Inspection((*lines, *changed, fix), holds=False)
    lines.append("digests: all as recorded")
    if passport.canaries is None:
        return Inspection((*lines, "canaries: none were recorded"), holds=True)
    drift = check_canaries(engine_of(folder, passport.kind, under or folder), passport.canaries)
    return Inspection((*lines, f"canaries: {_in_words(drift)}"), holds=drift.holds)


def hand_on(folder: Path, to: str, into: Path | None, base: str | None = None) -> list[str]:
    """Write an artefact in another form; return what to tell the user, line by line.

    Args:
        folder: of the artefact.
        to: a key of `artefacts.export.TARGETS`.
        into: what to write; beside the artefact where it is not given.
        base: folder or reference of the base under an adapter, where it lies elsewhere now.

    Raises:
        EngineError: there is no passport, it does not hold, or the form is not to be had.
    """
    passport = read_passport(folder)
    if passport is None:
        fix = "`ladder train` with the same recipe, base and rows writes one"
        raise EngineError(f"{folder} has no {PASSPORT} to prove an export with; {fix}")
    if passport.kind not in ("adapter", "model"):
        raise EngineError(f"{folder} is no language model ({passport.kind}): nothing to export")
    engine = engine_of(folder, passport.kind, _base(passport, base) or folder)
    place = folder.resolve()
    default = f"{place.name}.gguf" if to == "gguf" else f"{place.name}-{to}"
    return export(engine, passport, to, into or place.parent / default)


def describe(passport: Passport) -> list[str]:
    """Return what a passport says, in words."""
    made = f"{passport.kind} made from {passport.base} by the recipe {passport.recipe}"
    lines = [f"{made}, {passport.created[:10]}, ladder {passport.ladder_version}"]
    for title, digests in (("its own", passport.parts), ("base", passport.base_parts)):
        pairs = ", ".join(f"{name} {digest[:12]}" for name, digest in digests.items())
        lines.append(f"{title}: {pairs or 'nothing'}")
    trained = f", trained in {passport.precision}" if passport.precision else ""
    lines.append(f"rows: {passport.data[:12]}{trained}")
    seen = passport.canaries
    if seen is not None:
        lines.append(
            f"{len(seen.prompts)} canaries: may move by {seen.tolerance:.3f} nats, noise "
            f"{seen.noise:.4f} ({seen.precision}, {seen.device})"
        )
    return lines


def canary_finding(engine: LocalEngine) -> str | None:
    """Ask the canaries of what an engine answers with; say what moved, or None where all hold."""
    passport = read_passport(engine.adapter or engine.folder)
    if passport is None or passport.canaries is None:
        return None
    drift = check_canaries(engine, passport.canaries)
    return None if drift.holds else f"canaries: {_in_words(drift)}"


def _in_words(drift: Drift) -> str:
    far = f"by up to {drift.largest:.4f} nats, {drift.tolerance:.4f} allowed"
    if drift.holds:
        return f"first tokens moved {far}"
    return (
        f"{drift.moved} of {drift.asked} answer otherwise, {far}. The digests are as "
        "recorded, so look at the libraries and the machine, or certify anew"
    )


def _base(passport: Passport, named: str | None) -> Path | None:
    if passport.kind != "adapter":
        return None
    folder = Path(passport.base_folder)
    if named is not None:
        folder = Path(named) if Path(named).is_dir() else model_folder(named)
    if not folder.is_dir():
        raise EngineError(f"the base {passport.base} is not at {folder}: name it with --base")
    return folder
