"""A data set of the hub, by its id: from this machine's cache, or downloaded if the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ladder.commands.proposal import Sources
from ladder.errors import MissingExtraError, Problem, TaskError
from ladder.samples.parts import PARTS, part_of
from ladder.samples.saved import is_hub_id, revision_of
from ladder.task import DATASETS_PREFIX
from ladder.trust.quiet import HUB_OFFLINE, without_hub
from ladder.wording import harmless

GOT_SHOWN = 200


def is_hub_name(place: Path) -> bool:
    """Tell whether an argument names a data set of the hub: `datasets:ID`, or `owner/name`.

    `owner/name` where a folder `owner` is there is a path.
    """
    text = str(place)
    if is_prefixed(place):
        return True
    return text.count("/") == 1 and is_hub_id(text) and not place.parent.exists()


def is_prefixed(place: Path) -> bool:
    """Tell whether an argument can be nothing but a data set: `datasets:ID`."""
    return str(place).startswith(DATASETS_PREFIX)


def hub_folder(place: Path) -> Path:
    """Return the folder of a new task for a data set: named after it."""
    name = str(place).removeprefix(DATASETS_PREFIX).partition("@")[0]
    return Path(name.rpartition("/")[2])


def hub_sources(place: Path, *, download: bool, tell: Callable[[str], None]) -> Sources:
    """Return role -> the split of a data set, with its revision, as a task file names it.

    Args:
        place: the data set, perhaps with a revision behind an `@`.
        download: whether the hub may be asked; else what the cache holds is all there is.
        tell: is told which splits are used for what.

    Raises:
        MissingExtraError: the `data` extra is not installed.
        TaskError: no such data set, none in the cache, or one whose revision cannot be told.
    """
    name, _, revision = str(place).removeprefix(DATASETS_PREFIX).partition("@")
    if not is_hub_id(name):
        fix = "Name the id of a data set, e.g. datasets:owner/name, or a file of rows."
        raise TaskError([Problem(str(place), "a path, or no id", "the id of a data set", fix)])
    if not download:
        without_hub()  # before the library is imported: it looks then
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", 'pip install "escalation-ladder[data]"') from None
    _say_nothing(datasets)
    if download:
        revision = _newest(name, revision)
    elif not datasets.config.HF_HUB_OFFLINE:
        raise TaskError([_not_here(name, f"a process without {HUB_OFFLINE}")])
    try:
        splits = datasets.load_dataset(name, revision=revision or None)
    except Exception as error:  # the library raises many kinds; all mean: no rows from there
        said = f"{type(error).__name__}: {error}"
        raise TaskError([_unusable(name, said) if download else _not_here(name, said)]) from None
    found = revision_of(next(iter(splits.values())))
    if not found or (revision and found != revision):
        got = f"the revision {found}" if found else "no revision in its record"
        wanted = revision or "the commit that it was made from"
        raise TaskError(
            [Problem(name, got, wanted, f"Load it anew: ladder init {name} --download")]
        )
    roles, left = roles_of(splits)
    tell(f"{name} at revision {found}, {'from the hub' if download else 'from the cache'}")
    if left:
        tell(f"{name}: left out {', '.join(harmless(split) for split in left)}")
    made = {role: f"{DATASETS_PREFIX}{name}@{found}#{split}" for role, split in roles.items()}
    return {role: Path(value) for role, value in made.items()}


def roles_of(splits: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return role -> the split that it is, and the splits that are none.

    A single split is `examples`; where no split is a test, the one for choosing judges.
    """
    if len(splits) == 1:
        return {"examples": next(iter(splits))}, []
    roles: dict[str, str] = {}  # a part, or `examples`
    for split in splits:
        part = part_of(split)
        if part is not None:
            roles.setdefault(part, split)
    if "test" not in roles and "dev" in roles:
        roles["test"] = roles.pop("dev")
    if "test" not in roles:
        roles = {"examples": roles.get("train", next(iter(splits)))}
    ordered: dict[str, str] = {role: roles[role] for role in ("examples", *PARTS) if role in roles}
    return ordered, [split for split in splits if split not in ordered.values()]


def _newest(name: str, revision: str) -> str:
    """Ask the hub for the commit that a revision, or the newest state, of a data set is."""
    from huggingface_hub import HfApi

    try:
        found = HfApi().dataset_info(name, revision=revision or None).sha
    except Exception as error:  # as above
        got = f"{type(error).__name__}: {str(error)[:GOT_SHOWN]}"
        fix = "Look at its id, the network and HF_HUB_OFFLINE."
        raise TaskError([Problem(name, got, "a data set of the hub", fix)]) from None
    return str(found or "")


def _unusable(name: str, said: str) -> Problem:
    """Return that a data set was found and cannot be loaded, such as one of several parts."""
    got = " ".join(said.split())[:GOT_SHOWN]
    fix = "Load it yourself, save it with save_to_disk, and name that folder: datasets:FOLDER#split"
    return Problem(name, got, "a data set that can be loaded by its id", fix)


def _not_here(name: str, said: str) -> Problem:
    """Return that a data set is not on this machine, or cannot be read."""
    got = " ".join(said.split())[:GOT_SHOWN]
    fix = (
        f"Nothing is downloaded unless you say so: ladder init {name} --download. Where you meant "
        f"a new folder, make the one around it first: mkdir {name.partition('/')[0]}"
    )
    return Problem(name, f"no file, and no data set in the cache ({got})", "rows", fix)


def _say_nothing(datasets: Any) -> None:
    """Keep the library's bars and notes off the terminal."""
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
