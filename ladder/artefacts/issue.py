"""Write the passport of what a training left: what it is, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ladder import __version__
from ladder.artefacts.canaries import choose_prompts, take_canaries
from ladder.artefacts.card import RECORD
from ladder.engines.bundled import bundled_name
from ladder.engines.local import ADAPTER, LocalEngine
from ladder.engines.passport import ENCODER, HEAD, PASSPORT, parts_of, read_settings
from ladder.evidence import Canaries, Passport
from ladder.files import digest_of, file_digest, write_whole
from ladder.hardware import versions
from ladder.wording import in_json

Kind = Literal["adapter", "encoder", "model", "head", "other"]
FEWEST_ALIKE = 10
"""Fewer prompts might share words of their rows, which have no place on a card."""
OWN_CODE = "trust_remote_code"
"""The recipes' field (of TRL's trainers) that lets a model's own Python code run."""


def issue(
    folder: Path,
    base: Path | None,
    recipe: str,
    files: Sequence[Path],
    rows: Sequence[Mapping[str, Any]],
    overrides: Mapping[str, str],
) -> Passport:
    """Write passport.json into an artefact's folder, with the answers of its canaries.

    Loads the artefact once, through the engine that will answer with it: an adapter that changes
    nothing is found out here.

    Args:
        folder: what the training left.
        base: the folder that it was trained from; none where it started from nothing.
        recipe: the name of what was run.
        files: its settings and programs.
        rows: what it learnt from; a few of their prompts become the canaries.
        overrides: recipe fields that were changed.

    Raises:
        EngineError: the artefact cannot be loaded, or the adapter has no effect.
    """
    kind = kind_of(folder)
    passport = Passport(
        ladder_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=kind,
        parts=parts_of(folder),
        base=name_of(base) if base else "nothing",
        base_folder=str(base.resolve()) if base else "",
        base_parts=parts_of(base) if base else {},
        data=digest_of(list(rows)),
        recipe=recipe,
        recipe_digests={path.name: file_digest(path) for path in files if path.is_file()},
        overrides=dict(overrides),
        precision=_precision(folder),
        prompt=form_of(rows),
        versions=versions(),
        canaries=_canaries(folder, base, kind, rows, overrides.get(OWN_CODE) == "true"),
    )
    write_whole(folder / PASSPORT, in_json(passport.model_dump_json(indent=2)) + "\n")
    return passport


def _precision(folder: Path) -> str:
    """Return what the training's own record says of its precision."""
    record = folder / RECORD
    said = read_settings(record) if record.is_file() else {}
    return str(said.get("precision", ""))


def form_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the prompts of all rows share (`Passport.prompt`)."""
    prompts = {row["prompt"] if isinstance(row.get("prompt"), str) else None for row in rows}
    if None in prompts:
        return "chat" if any(isinstance(row.get("prompt"), list) for row in rows) else ""
    texts = [str(prompt) for prompt in prompts]
    if len(texts) < FEWEST_ALIKE:
        return ""
    before = _beginning(texts)
    after = _beginning([text[len(before) :][::-1] for text in texts])[::-1]
    return f"{before}{{input}}{after}" if before or after else ""


def _beginning(texts: Sequence[str]) -> str:
    """Return the whole words that all texts begin with."""
    first, last = min(texts), max(texts)
    alike = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    shared = first if alike is None else first[:alike]
    return shared[: max((at + 1 for at, sign in enumerate(shared) if sign.isspace()), default=0)]


def kind_of(folder: Path) -> Kind:
    """Tell what a folder holds: an adapter, a language model, a classifier, or something else."""
    if all((folder / name).is_file() for name in HEAD):
        return "head"
    if all((folder / name).is_file() for name in ENCODER):
        return "encoder"
    for name, kind, field in (
        (ADAPTER, "adapter", "task_type"),
        ("config.json", "model", "architectures"),
    ):
        if (folder / name).is_file():
            said = read_settings(folder / name).get(field)
            causal = said == "CAUSAL_LM" or "ForCausalLM" in str(said)
            return kind if causal else "other"  # type: ignore[return-value]
    return "other"


def engine_of(folder: Path, kind: Kind, base: Path, own_code: bool = False) -> LocalEngine:
    """Open an artefact as it will answer."""
    if kind == "adapter":
        return LocalEngine(base, folder, own_code)
    return LocalEngine(folder, None, own_code)


def name_of(base: Path) -> str:
    """Return a bundled model's name, a hub id and revision, or else the folder's own name."""
    cache, _, revision = base.parts[-3:] if len(base.parts) >= 3 else ("", "", "")
    if cache.startswith("models--"):
        return f"{cache.removeprefix('models--').replace('--', '/')}@{revision}"
    return bundled_name(base) or base.name


def _canaries(
    folder: Path,
    base: Path | None,
    kind: Kind,
    rows: Sequence[Mapping[str, Any]],
    own_code: bool,
) -> Canaries | None:
    if base is None or kind in ("encoder", "head", "other"):
        return None
    prompts = choose_prompts(rows)
    if not prompts:
        return None
    return take_canaries(engine_of(folder, kind, base, own_code), prompts)
