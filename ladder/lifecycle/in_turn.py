"""One look at a plan at a time: each must know what those before it have spent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ladder.errors import StateError
from ladder.files import LOCK, clear_disk_errors, private_folder

ALONE = "lock"
"""Folder below: its lock is held for a whole look. The cache holds that of the folder itself."""


class UnderWayError(StateError):
    """Another process is at it."""


@contextmanager
def in_turn(kept: Path, refusal: str = "") -> Iterator[None]:
    """Hold a folder beside a plan from reading its record to adding to it; freed on a crash.

    Args:
        kept: the folder of this kind of look.
        refusal: what is said where another process holds it; empty: wait for that one to end.

    Raises:
        UnderWayError: another process holds it.
        StateError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    with clear_disk_errors(kept):
        lock = FileLock(private_folder(kept / ALONE) / LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0 if refusal else -1)
        except Timeout:
            raise UnderWayError(refusal) from None
    try:
        yield
    finally:
        lock.release()
