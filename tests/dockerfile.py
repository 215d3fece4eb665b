"""The Dockerfile, read; and its steps taken in a folder, where there is no Docker.

`python tests/dockerfile.py CLONE ROOT [NAME=VALUE…]`, as root: takes the steps of the Dockerfile in
CLONE in ROOT, a folder with the files of a base image (debootstrap makes one), with arguments.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

USUAL = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}


class Step(NamedTuple):
    """An instruction of a Dockerfile."""

    verb: str
    rest: str


def steps(text: str) -> list[Step]:
    """Return a Dockerfile's instructions in order, each on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in whole.splitlines()]


def assigned(rest: str) -> dict[str, str]:
    """Return what ENV or ARG sets."""
    return dict(word.partition("=")[::2] for word in shlex.split(rest))


def named_for_image(ignore: str, name: str) -> bool:
    """Tell whether a .dockerignore leaves a name at the root in what is built from."""
    kept = True
    for line in ignore.splitlines():
        pattern = line.removeprefix("!")
        if pattern and not pattern.startswith("#") and fnmatch(name, pattern):
            kept = line.startswith("!")
    return kept


def build(clone: Path, root: Path, arguments: dict[str, str]) -> None:
    """Take all steps of a clone's Dockerfile in a root."""
    known, folder = dict(USUAL), "/"
    ignore = (clone / ".dockerignore").read_text()
    for verb, rest in steps((clone / "Dockerfile").read_text()):
        print(f"{verb} {rest}", flush=True)
        if verb == "ARG":
            name = next(iter(assigned(rest)))
            known |= {name: arguments.get(name, assigned(rest)[name])}
        elif verb == "ENV":
            known |= {name: _filled(value, known) for name, value in assigned(rest).items()}
        elif verb == "WORKDIR":
            folder = rest
            (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif verb == "COPY":
            *sources, target = rest.split()
            for source in sources:
                assert named_for_image(ignore, source), f"{source}: .dockerignore leaves it out"
                _copy(clone / source, root / folder.lstrip("/") / target)
        elif verb == "RUN":
            started = time.monotonic()
            command = ["chroot", str(root), "/bin/sh", "-c", f"cd {folder} && {rest}"]
            subprocess.run(command, env=known, check=True)
            print(f"  {time.monotonic() - started:.0f} s", flush=True)


def _filled(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known[found[1]], value)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), assigned(shlex.join(sys.argv[3:])))
