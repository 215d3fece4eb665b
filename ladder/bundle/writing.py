"""Write a bundle; its list comes last: a folder without one is unfinished, and is gone on with."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ladder import __version__
from ladder.bundle.contents import Contents, contents_of
from ladder.bundle.pins import INSTALLER, extras_of, pins_of
from ladder.bundle.wheels import NO_WHEEL, Say, collect, requirements, wheels_in
from ladder.climb.opening import COMPLETIONS
from ladder.errors import Problem, StateError
from ladder.evidence import Bundle, BundledFile
from ladder.files import clear_disk_errors, file_digest, open_file, write_whole
from ladder.task import Task
from ladder.wording import in_json

LIST, README, SUMS = "bundle.json", "README.md", "SHA256SUMS"
WHEELS, REQUIREMENTS = "wheels", "requirements.txt"
CACHE = f"cache/{COMPLETIONS}"
WHEELS_NAMED = 3
"""Missing wheels that stand on a line of their own; the list has them all."""
OURS = (LIST, README, SUMS, REQUIREMENTS, WHEELS, "cache", "project")
"""What stands in the folder of a bundle, and nothing else."""


def write_bundle(
    task: Task,
    out: Path,
    say: Say,
    *,
    wheels: Sequence[Path] = (),
    fetch: bool = True,
    extras: Sequence[str] = (),
    cache: Path | None = None,
) -> Bundle:
    """Write a bundle, or go on with one.

    Args:
        task: the user's job.
        out: the folder.
        say: is told what goes on.
        wheels: folders to take wheels from.
        fetch: ask pip for the others.
        extras: of this package, beside those that the task needs.
        cache: a folder of runs whose cached completions go with it.

    Raises:
        TaskError: what the task names cannot be carried.
        StateError: the folder holds something else, or cannot be written.
    """
    contents = contents_of(task)
    needed = tuple(sorted({*extras_of(task), *extras}))
    pins = pins_of(task, needed)
    _refuse_other_folder(out)
    with clear_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / LIST).unlink(missing_ok=True)
        _copy_project(contents, out)
        if cache is not None:
            _copy_cache(cache / COMPLETIONS, out / CACHE)
        lacking = collect(pins.versions, out / WHEELS, wheels, fetch=fetch, say=say)
        lines = "".join(f"{line}\n" for line in requirements(pins.versions, out / WHEELS))
        write_whole(out / REQUIREMENTS, lines)
        bundle = Bundle(
            ladder_version=__version__,
            task=task.name,
            task_file=f"project/{task.source.name}",
            digest=task.digest,
            python=f"{sys.version_info[0]}.{sys.version_info[1]}",
            platform=f"{platform.system()} {platform.machine()}",
            extras=needed,
            pins=pins.versions,
            data=contents.data,
            missing=(*contents.missing, *pins.missing, *lacking),
            files=_files(out),
        )
        _write_list(bundle, out)
    return bundle


def missing_lines(bundle: Bundle, out: Path) -> Iterator[str]:
    """Say what a bundle lacks: of many wheels how many, and the first by name.

    Args:
        bundle: as it was written.
        out: its folder.
    """
    wheels = [each for each in bundle.missing if each.startswith(NO_WHEEL)]
    yield from (f"missing: {each}" for each in bundle.missing if each not in wheels)
    if len(wheels) > WHEELS_NAMED:
        yield f"missing: {len(wheels):,} wheels, all named in {out / LIST}; the first of them:"
    yield from (f"missing: {each}" for each in wheels[:WHEELS_NAMED])


def _refuse_other_folder(out: Path) -> None:
    """Refuse a folder that holds what no bundle has: nothing in it is overwritten."""
    got = ""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        got = "something that is no folder"
    elif out.is_dir() and (others := sorted({each.name for each in out.iterdir()} - {*OURS})):
        got = f"a folder with {others[0]} in it"
    if got:
        raise StateError(str(Problem(str(out), got, "a new folder, or a bundle", "Name one.")))


def _copy_project(contents: Contents, out: Path) -> None:
    """Copy the files of the task; what an earlier bundle had and this one has not goes."""
    shutil.rmtree(out / "project", ignore_errors=True)
    for name, path in contents.files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.part")
        with open_file(path) as read, scratch.open("wb") as written:
            shutil.copyfileobj(read, written)
        scratch.replace(target)


def _copy_cache(source: Path, target: Path) -> None:
    """Copy the cached completions as one file, also while a run writes to them.

    Raises:
        StateError: there are none.
    """
    if not source.is_file():
        raise StateError(f"{source}: no cached completions. Name the folder of your runs.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with sqlite3.connect(source) as read, sqlite3.connect(target) as written:
        read.backup(written)
    read.close()
    written.close()


def _files(out: Path) -> dict[str, BundledFile]:
    left_out = {LIST, README, SUMS}
    found = {}
    for parent, _, names in sorted(os.walk(out)):
        for path in (Path(parent, name) for name in sorted(names)):
            name = path.relative_to(out).as_posix()
            if name not in left_out:
                found[name] = BundledFile(sha256=file_digest(path), bytes=path.stat().st_size)
    return found


def _write_list(bundle: Bundle, out: Path) -> None:
    write_whole(out / README, _readme(bundle, wheels_in(out / WHEELS)))
    sums = {name: file.sha256 for name, file in bundle.files.items()}
    sums[README] = file_digest(out / README)
    text = in_json(bundle.model_dump_json(indent=1)) + "\n"
    write_whole(out / LIST, text)
    sums[LIST] = file_digest(out / LIST)
    write_whole(out / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))


def _readme(bundle: Bundle, wheels: Mapping[tuple[str, str], Path]) -> str:
    """Return the five lines of the other side."""
    version = bundle.pins.get(INSTALLER, "")
    wheel = wheels.get((INSTALLER, version))
    installer = f".venv/bin/python {WHEELS}/{wheel.name}/pip" if wheel else ".venv/bin/pip"
    bare = "--without-pip " if wheel else ""
    options = f"--quiet --no-index --no-deps --require-hashes --find-links {WHEELS}"
    kept = f"mkdir -p runs && cp {CACHE} runs/ && " if CACHE in bundle.files else ""
    lacks = "; ".join(bundle.missing) or "nothing that is known of"
    return (
        f"Task `{bundle.task}`, for Python {bundle.python} on {bundle.platform}. "
        f"Missing: {lacks}.\n"
        f"In this folder, without a network, first: `sha256sum -c --quiet {SUMS}`\n"
        f"1. `python{bundle.python} -m venv {bare}.venv && PIP_CONFIG_FILE=/dev/null {installer} "
        f"--isolated install {options} "
        f"--requirement {REQUIREMENTS}`\n"
        f"2. `.venv/bin/ladder bundle verify . && {kept}.venv/bin/ladder assess "
        f"{bundle.task_file}`\n"
        "Compare the sha256 that `bundle verify` prints with the one of the other side.\n"
    )
