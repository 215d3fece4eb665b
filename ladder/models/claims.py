"""Who is working out what: two runs over one store do not ask the same question at once.

A run claims the keys of what it is about to ask. Its claims hold for as long as it holds the lock
on a file of its own beside the store, so those of a run that crashed are free.
"""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary, finalize

from ladder.errors import StateError
from ladder.files import alone_in, clear_disk_errors

TABLE = "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL)"
AT_ONCE = 400
"""Keys in one statement."""

Run = Callable[[str, Sequence[str]], list[Any]]
"""(SQL, values) -> rows."""


class _Owner:
    """This process, to all others that use a store."""

    def __init__(self, store: Path) -> None:
        self.name = uuid.uuid4().hex
        self.held: set[str] = set()
        path = _file_of(store, self.name)
        with clear_disk_errors(path), alone_in(store.parent):
            for left in store.parent.glob(f".{store.name}.*.alive"):
                _is_alive(left)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        finalize(self, _leave, os.getpid(), path, handle)


_OWNERS: WeakValueDictionary[tuple[int, Path], _Owner] = WeakValueDictionary()
_LOCK = threading.RLock()


def _file_of(store: Path, owner: str) -> Path:
    return store.with_name(f".{store.name}.{owner}.alive")


def _leave(process: int, path: Path, handle: int) -> None:
    if process == os.getpid():  # a copy of the process leaves nothing
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def _is_alive(path: Path) -> bool:
    """Tell whether an owner still runs; take its file away where it does not."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def taken_up(held: set[str], keys: Sequence[str], mine: set[str]) -> tuple[set[str], set[str]]:
    """Note what a process has claimed.

    Args:
        held: its claims so far; those that are new are added.
        keys: that it wants to work out.
        mine: of these, those that are its own.

    Returns:
        the keys to work out here, and those that are claimed by this call. A process that holds
        claims from before works out every key: who waits holds nothing, so no two wait for each
        other.
    """
    here, new = set(keys) if held else mine, mine - held
    held |= new
    return here, new


class Claims:
    """The claims in one store, as this process makes them and gives them back."""

    def __init__(self, store: Path, run: Run) -> None:
        """Claim nothing yet.

        Args:
            store: the file of the store, where the table of claims is.
            run: runs SQL in it.
        """
        self._store = store.resolve()
        self._run = run
        self._owner: _Owner | None = None

    def take(self, keys: Sequence[str]) -> tuple[set[str], set[str]]:
        """Claim the keys that no other running process has claimed; return as `taken_up` does."""
        owner = self._here()
        with _LOCK:
            holders = self._holders(keys, owner.name)
            mine = {key for key, holder in holders.items() if holder == owner.name}
            return taken_up(owner.held, keys, mine)

    def give_back(self, keys: set[str]) -> None:
        """Let others have what was claimed: it is kept now, or it was not worked out."""
        owner = self._here()
        with _LOCK:
            owner.held -= keys
        for part in _parts(sorted(keys)):
            marks = ",".join("?" * len(part))
            with suppress(StateError):  # where nothing can be written, they end with this process
                self._run(f"DELETE FROM claims WHERE key IN ({marks})", part)

    def name(self) -> str:
        """Return what this process is called, to all others that use the store."""
        return self._here().name

    def is_alive(self, owner: str) -> bool:
        """Tell whether the process of a name still runs, with the store open."""
        return _is_alive(_file_of(self._store, owner))

    def leave(self) -> None:
        """Stop being an owner, unless another store at this place is open."""
        self._owner = None

    def _here(self) -> _Owner:
        place = (os.getpid(), self._store)
        with _LOCK:
            self._owner = _OWNERS.get(place) or _Owner(self._store)
            _OWNERS[place] = self._owner
        return self._owner

    def _holders(self, keys: Sequence[str], name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in _parts(keys):
            pairs = [value for key in part for value in (key, name)]
            rows = ",".join(["(?, ?)"] * len(part))
            self._run(f"INSERT OR IGNORE INTO claims VALUES {rows}", pairs)
            marks = ",".join("?" * len(part))
            found |= dict(self._run(f"SELECT key, owner FROM claims WHERE key IN ({marks})", part))
        others = set(found.values()) - {name}
        dead = [other for other in others if not _is_alive(_file_of(self._store, other))]
        for other in dead:
            self._run("DELETE FROM claims WHERE owner = ?", [other])
        return self._holders(keys, name) if dead else found


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]
