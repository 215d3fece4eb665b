"""Completions in a folder that several machines share: one file for each, by its key.

A file is written aside and moved to its name, so a reader sees all of it or nothing; its first line
is the digest of the rest, so one that is damaged all the same is asked for anew. That is safe on
network file systems, where SQLite's write-ahead log is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ladder.errors import StateError
from ladder.files import clear_disk_errors, private_folder
from ladder.models.folder_claims import FolderClaims
from ladder.redaction import redact

EXPIRY_SECONDS = 60.0
"""A process that has shown no sign of life for so long is asked after no more."""
LEFTOVER_SECONDS = 86_400
"""What was written aside so long ago will not be moved any more."""


class FolderCache:
    """What has been answered so far, by all machines that share a folder (`models.cache.Store`)."""

    def __init__(self, folder: Path, expiry_s: float = EXPIRY_SECONDS) -> None:
        """Make the folder where it is missing.

        Args:
            folder: on a file system that all machines mount.
            expiry_s: a process that has shown no sign of life for so long is dead, and what it was
                asking is asked by others.

        Raises:
            StateError: it cannot be made or written, or is a file.
        """
        self.folder = folder
        self._told = False
        with clear_disk_errors(folder):
            if folder.exists() and not folder.is_dir():
                raise StateError(f"{folder}: not a folder. Choose another one.")
            private_folder(folder)
            self._aside = private_folder(folder / "aside")
            self._claims = FolderClaims(folder, self._aside, expiry_s)
            for left in self._aside.iterdir():
                with suppress(OSError):
                    if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                        left.unlink()

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of the keys that are kept; a damaged one is not."""
        found: dict[str, Any] = {}
        for key in keys:
            path = self._file(key)
            try:
                with clear_disk_errors(path):
                    content = _read(path)
                if content is not None:
                    found[key] = _value(content)
            except (ValueError, RecursionError):
                self.tell_damage()
        return found

    def tell_damage(self) -> None:
        """Say, once, that something kept cannot be read."""
        if not self._told:
            self._told = True
            said = "some of what is kept there is damaged: it is asked for anew"
            warnings.warn(f"{self.folder}: {said}", stacklevel=3)

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON-able value."""
        text = redact(json.dumps(value)).encode()
        path = self._file(key)
        with clear_disk_errors(path):
            private_folder(path.parent)
            handle, aside = tempfile.mkstemp(dir=self._aside)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
                Path(aside).replace(path)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise

    @contextmanager
    def claimed(self, keys: Sequence[str]) -> Iterator[set[str]]:
        """Claim keys while they are worked out; yield those that no other process works on."""
        mine, new = self._claims.take(keys)
        try:
            yield mine
        finally:
            self._claims.give_back(new)

    def close(self) -> None:
        """Stop claiming."""
        self._claims.leave()

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _value(content: bytes) -> Any:
    """Return the value in a file.

    Raises:
        ValueError: it is not what was written.
    """
    digest, _, text = content.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise ValueError("another value than was kept")
    return json.loads(text)
