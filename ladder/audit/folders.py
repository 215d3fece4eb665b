"""The files of a folder by their digests: what a record says was left there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ladder.files import LOCK, open_file

PASSING = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock")
"""Endings of what is no evidence: completions that are kept to save work, and locks."""


def digests_in(folder: Path) -> dict[str, str]:
    """Return path below a folder -> sha256 of every file in it; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if name != LOCK and not name.endswith(PASSING):
                found[path.relative_to(folder).as_posix()] = digest_of_file(path)
    return dict(sorted(found.items()))


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file as it is now; `link`, `missing` or `unreadable` where it is none.

    Nothing is remembered between two calls: a file may be changed and keep its size and time.
    """
    if path.is_symlink():
        return "link"
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
