"""The wheels of a bundle: taken from a folder, or fetched by pip, each with its digest."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ladder.bundle.own_wheel import write_own_wheel
from ladder.bundle.pins import DISTRIBUTION
from ladder.errors import StateError
from ladder.files import clear_disk_errors, file_digest
from ladder.redaction import keep_url_secrets
from ladder.wording import harmless

TOGETHER = 10
"""Wheels that pip is asked for at once: so many are fetched again after a kill at most."""
PIP = ("wheel", "--no-deps", "--disable-pip-version-check", "--quiet", "--retries", "1")
NO_SPACE = "No space left on device"
NO_WHEEL = "no wheel of"
"""Begins the sentence on one that is missing."""
Say = Callable[[str], None]


def named(path: Path) -> tuple[str, str] | None:
    """Return distribution and version of a wheel's name; None: it is none's."""
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    return canonicalize_name(name), str(version)


def fits_here(name: str) -> bool:
    """Tell whether a wheel is for this Python and this platform, by its name."""
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(sys_tags())


def collect(
    pins: Mapping[str, str], into: Path, given: Sequence[Path], *, fetch: bool, say: Say
) -> list[str]:
    """Put a wheel of each pin into a folder; what is there already stays.

    Args:
        pins: distribution -> version.
        into: the folder.
        given: folders to take wheels from, before pip is asked.
        fetch: ask pip for the others.
        say: is told what goes on.

    Returns:
        what is missing, a sentence each.

    Raises:
        StateError: the disk is full, or the folder cannot be written.
    """
    with clear_disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        _drop_broken(into, pins)
        if DISTRIBUTION in pins:
            write_own_wheel(into)
        for folder in given:
            _take(folder, _lacking(pins, into), into)
    lacking = _lacking(pins, into)
    said = ""
    if lacking and fetch:
        say(f"pip fetches {len(lacking)} of {len(pins)} wheels")
        said = _fetch(lacking, into)
        lacking = _lacking(pins, into)
    why = said or "no folder given with --wheels has it"
    return [f"{NO_WHEEL} {name} {version}: {why}" for name, version in lacking.items()]


def wheels_in(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the wheels of a folder that fit this machine, by distribution and version."""
    found = {}
    for path in sorted(folder.glob("*.whl")):
        key = named(path)
        if key and fits_here(path.name) and path.is_file():
            found[key] = path
    return found


def requirements(pins: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield a line for each wheel that is there, with its digest, as pip reads it."""
    there = wheels_in(folder)
    for name, version in sorted(pins.items()):
        if (path := there.get((name, version))) is not None:
            yield f"{name}=={version} --hash=sha256:{file_digest(path)}"


def _lacking(pins: Mapping[str, str], folder: Path) -> dict[str, str]:
    there = wheels_in(folder)
    return {name: version for name, version in pins.items() if (name, version) not in there}


def _drop_broken(folder: Path, pins: Mapping[str, str]) -> None:
    """Remove wheels that are cut short, or that are of no pin: of an earlier, other bundle."""
    for path in folder.glob("*"):
        key = named(path) if path.suffix == ".whl" else None
        wanted = key is not None and pins.get(key[0]) == key[1]
        if not wanted or path.is_symlink() or not zipfile.is_zipfile(path):
            path.unlink()


def _take(folder: Path, lacking: Mapping[str, str], into: Path) -> None:
    """Link the wheels of a folder, or copy them where they lie on another device."""
    there = wheels_in(folder)
    for key in lacking.items():
        if (path := there.get(key)) is None or not zipfile.is_zipfile(path):
            continue
        target = into / path.name
        try:
            os.link(path.resolve(), target)
        except OSError:
            scratch = target.with_suffix(".part")
            shutil.copyfile(path, scratch)
            scratch.replace(target)


def _fetch(lacking: Mapping[str, str], into: Path) -> str:
    """Ask pip for wheels, some at once, then those of a failed call alone; return why it failed.

    Raises:
        StateError: the disk is full.
    """
    if importlib.util.find_spec("pip") is None:
        return "pip is not installed here"
    wanted, said = [f"{name}=={version}" for name, version in lacking.items()], ""
    for start in range(0, len(wanted), TOGETHER):
        some = wanted[start : start + TOGETHER]
        if not (why := _ask_pip(some, into)):
            continue
        alone = [_ask_pip([one], into) for one in some] if len(some) > 1 else [why]
        failed = [each for each in alone if each]
        said = failed[-1] if failed else said
        if len(failed) == len(some):  # nobody answers: the others would wait for nothing
            break
    return said


def _ask_pip(wanted: Sequence[str], into: Path) -> str:
    """Return why pip did not bring some wheels; empty: it did."""
    command = [sys.executable, "-m", "pip", *PIP, "--wheel-dir", str(into), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return ""
    if NO_SPACE in done.stderr:
        raise StateError(f"{into}: {NO_SPACE.lower()}. Free some, or choose another folder.")
    keep_url_secrets(done.stderr)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return harmless((errors or ["pip failed"])[-1].removeprefix("ERROR: "), 200)
