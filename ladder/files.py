"""Folders and files: where things are kept, written whole or not at all, and their digests."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from ladder.errors import StateError
from ladder.redaction import redact
from ladder.wording import in_json


def user_cache() -> Path:
    """Return the user's cache folder for `ladder` (XDG base directory rules)."""
    chosen = os.environ.get("LADDER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "ladder"


def shipped(kind: str) -> Path:
    """Return the folder of shipped `recipes` or `evalsets`: the checkout's, else the wheel's."""
    package = Path(__file__).parent
    checkout = package.parent / kind
    if (package.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    return package / "_bundled" / kind


def canonical(value: object) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: object) -> str:
    """Return the sha256 of a JSON-able value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file; remembered while its size and time stay the same."""
    status = path.stat()
    return _file_digest(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_digest(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digests(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return name -> sha256 of the files in a folder (all of them, or those named)."""
    chosen = sorted(names) if names is not None else sorted(p.name for p in folder.iterdir())
    return {name: file_digest(folder / name) for name in chosen if (folder / name).is_file()}


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing right or a wrong path into a StateError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{path}: no space left on the device. Free some, or choose another folder."
            raise StateError(message) from error
        message = f"{path}: cannot be written ({error.strerror}). Choose another folder."
        raise StateError(message) from error


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder's advisory lock: one process at a time, freed by the system on a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new content, never a part."""
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(redact(text))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, whole or not at all."""
    write_whole(path, "".join(in_json(json.dumps(row, ensure_ascii=False)) + "\n" for row in rows))
