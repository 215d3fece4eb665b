"""Check a bundle where it has arrived: its files, and whether they fit this machine.

The list is not signed: whoever can change the files can write another list. So its own digest is
printed on both sides, to be compared by another way.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ladder.bundle.wheels import NO_WHEEL, fits_here, named
from ladder.bundle.writing import LIST, OURS, README, SUMS, WHEELS, WHEELS_NAMED
from ladder.errors import DataError, Problem, StateError
from ladder.evidence import Bundle
from ladder.files import open_file, read_record

MISSING = "missing since it was written"
"""Begins the sentence on what the list itself says is not there."""
IGNORED = ("runs",)
"""Made on the other side; so are virtual environments."""


@dataclass(frozen=True)
class Verified:
    """What was found of a bundle."""

    bundle: Bundle
    digest: str
    """The sha256 of its list: equal to the one that was printed when it was written."""
    faults: tuple[str, ...]
    """A sentence each; empty: it is what was written, and fits here."""


def verify_bundle(folder: Path) -> Verified:
    """Check a bundle.

    Raises:
        DataError: it has no list, or one that cannot be read.
    """
    path = folder / LIST
    if not path.is_file():
        got, fix = "no list", "Writing it was not finished: write the bundle again."
        raise DataError([Problem(str(path), got, "the list of a bundle", fix)])
    bundle = read_record(path, Bundle, "the list of a bundle")
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    faults = (*_files(folder, bundle), *_extra(folder, bundle), *_fit(bundle), *_lacking(bundle))
    return Verified(bundle, digest, faults)


def fault_lines(faults: Sequence[str]) -> Iterator[str]:
    """Say what is wrong: of many wheels with the same fault the first, and how many more."""
    alike: dict[str, list[str]] = {}
    for fault in faults:
        alike.setdefault(_fault_of_wheels(fault) or fault, []).append(fault)
    for fault, those in alike.items():
        yield from those[:WHEELS_NAMED]
        if (more := len(those) - WHEELS_NAMED) > 0:
            yield f"… and {more:,} more wheels: {fault}"


def _fault_of_wheels(fault: str) -> str:
    """Return what is wrong with a wheel, without its name; empty: it is no wheel's fault."""
    if fault.startswith(f"{WHEELS}/"):
        return fault.partition(": ")[2]
    return MISSING if fault.startswith((f"{MISSING}: {NO_WHEEL}", NO_WHEEL)) else ""


def _files(folder: Path, bundle: Bundle) -> Iterator[str]:
    """Yield what is changed or missing."""
    for name, wanted in bundle.files.items():
        path = folder / name
        if _leads_out(name):
            yield f"{name}: a name that leads out of the folder"
        elif _is_link(folder, name):
            yield f"{name}: a symbolic link, not a file"
        elif not path.is_file():
            yield f"{name}: missing"
        elif path.stat().st_size != wanted.bytes or _digest(path) != wanted.sha256:
            yield f"{name}: changed"


def _digest(path: Path) -> str:
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror})") from None


def _leads_out(name: str) -> bool:
    parts = PurePosixPath(name)
    return parts.is_absolute() or ".." in parts.parts or "\0" in name


def _is_link(folder: Path, name: str) -> bool:
    """Tell whether a file, or a folder that it lies in, is a link."""
    inner = PurePosixPath(name)
    return any((folder / each).is_symlink() for each in (inner, *inner.parents[:-1]))


def _extra(folder: Path, bundle: Bundle) -> Iterator[str]:
    """Yield what is there and not in the list; what the other side makes is passed over."""
    known = {*bundle.files, LIST, README, SUMS}
    for entry in sorted(folder.iterdir()):
        if entry.name in IGNORED or (entry / "pyvenv.cfg").is_file():
            continue
        if entry.is_dir() and not entry.is_symlink() and entry.name in OURS:
            for parent, folders, names in os.walk(entry):
                links = [each for each in folders if Path(parent, each).is_symlink()]
                for name in sorted((*names, *links)):
                    inner = Path(parent, name).relative_to(folder).as_posix()
                    if inner not in known:
                        yield f"{inner}: not in the list"
        elif entry.name not in known:
            yield f"{entry.name}: not in the list"


def _fit(bundle: Bundle) -> Iterator[str]:
    """Yield what does not fit this Python or this platform."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    there = f"{platform.system()} {platform.machine()}"
    if bundle.python != here:
        yield f"it is for Python {bundle.python}, and this is {here}"
    if bundle.platform != there:
        yield f"it is for {bundle.platform}, and this is {there}"
    wheels = [PurePosixPath(name).name for name in bundle.files if name.startswith(f"{WHEELS}/")]
    for name in wheels:
        if not fits_here(name):
            yield f"{WHEELS}/{name}: not for this Python on this machine"


def _lacking(bundle: Bundle) -> Iterator[str]:
    """Yield what was missing when it was written, and wheels that the list does not have."""
    there = {named(Path(name)) for name in bundle.files if name.startswith(f"{WHEELS}/")}
    yield from (f"{MISSING}: {each}" for each in bundle.missing)
    said = {each.partition(":")[0] for each in bundle.missing}
    for name, version in bundle.pins.items():
        if (name, version) not in there and f"{NO_WHEEL} {name} {version}" not in said:
            yield f"{NO_WHEEL} {name} {version}"
