"""Who is asking what, where several machines share a folder: one file for each claim.

A claim is a file that only one can create (O_CREAT with O_EXCL, which NFS has had since version 3);
no lock of the file system is relied upon. Whether its owner still runs is told by the owner's own
file, which a thread of it writes anew every few seconds: where that has not changed for long enough
by the clock of the one who looks, the owner is taken as dead. So no clocks are compared, and no
process of another machine is looked for. Should an owner come back from a long sleep, what it had
claimed may be asked twice, and is kept all the same.
"""

from __future__ import annotations

import os
import platform
import re
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary, finalize

from ladder.files import clear_disk_errors, private_folder
from ladder.models.claims import taken_up

BEATS = 6
"""Times that an owner writes its file before it would be taken as dead."""
OWNER = re.compile(r"[A-Za-z0-9.-]{1,200}")

_OWNERS: WeakValueDictionary[tuple[int, Path], _Owner] = WeakValueDictionary()
_LOCK = threading.RLock()


class _Owner:
    """This process, to all others that use a folder."""

    def __init__(self, owners: Path, expiry_s: float) -> None:
        host = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())[:64]
        self.name = f"{host}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self.held: set[str] = set()
        path, ended = owners / self.name, threading.Event()
        _beat(path, 0)
        words = (path, ended, expiry_s / BEATS)
        threading.Thread(target=_beat_on, args=words, daemon=True).start()
        finalize(self, _leave, os.getpid(), path, ended)


def _beat(path: Path, count: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, str(count).encode())
    finally:
        os.close(handle)


def _beat_on(path: Path, ended: threading.Event, every_s: float) -> None:
    count = 0
    while not ended.wait(every_s):
        count += 1
        with suppress(OSError):  # a full disk: claims end, and may be asked twice
            _beat(path, count)
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _leave(process: int, path: Path, ended: threading.Event) -> None:
    if process == os.getpid():  # a copy of the process leaves nothing
        ended.set()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _content(path: Path) -> str | None:
    """Return what is in a small file; None: there is none."""
    try:
        return path.read_bytes()[:1000].decode("ascii", "replace")
    except FileNotFoundError:
        return None


class FolderClaims:
    """The claims in one folder, as this process makes them and gives them back."""

    def __init__(self, folder: Path, aside: Path, expiry_s: float) -> None:
        """Claim nothing yet.

        Args:
            folder: shared by all; holds a folder for the first two signs of each key.
            aside: a folder in it for files that are on their way out.
            expiry_s: an owner that has shown no sign of life for so long is dead.
        """
        self._folder, self._aside, self._expiry_s = folder.resolve(), aside, expiry_s
        self._owners = private_folder(self._folder / "owners")
        self._owner: _Owner | None = None
        self._seen: dict[str, tuple[str | None, float]] = {}
        """Owner -> what was last seen in its file, and since when by this process's clock."""

    def take(self, keys: Sequence[str]) -> tuple[set[str], set[str]]:
        """Claim the keys that no other running process has claimed; return as `taken_up` does."""
        with _LOCK, clear_disk_errors(self._folder):
            owner = self._here()
            mine = {key for key in keys if key in owner.held or self._claimed(key, owner.name)}
            return taken_up(owner.held, keys, mine)

    def give_back(self, keys: set[str]) -> None:
        """Let others have what was claimed: it is kept now, or it was not worked out."""
        owner = self._here()
        with _LOCK:
            owner.held -= keys
        for path in map(self._file, keys):
            with suppress(OSError):  # where nothing can be written, they end with this process
                if _content(path) == owner.name:
                    path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Stop being an owner, unless this folder is open at another place of the process."""
        self._owner = None

    def _here(self) -> _Owner:
        place = (os.getpid(), self._folder)
        with _LOCK:
            self._owner = _OWNERS.get(place) or _Owner(self._owners, self._expiry_s)
            _OWNERS[place] = self._owner
        return self._owner

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.claim"

    def _claimed(self, key: str, name: str) -> bool:
        """Claim a key, unless another process that runs has it."""
        path = self._file(key)
        while True:
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                private_folder(path.parent)
                continue
            except FileExistsError:
                holder = _content(path)
            else:
                try:
                    os.write(handle, name.encode())
                finally:
                    os.close(handle)
                return True
            if holder == name:
                return True
            if holder is not None and not self._is_dead(path, holder):
                return False
            if holder is not None:
                self._break(path, holder)

    def _is_dead(self, path: Path, holder: str) -> bool:
        known = OWNER.fullmatch(holder) is not None
        # A claim whose owner was killed before it wrote its name, or that is damaged, has no owner.
        mark, beat = (holder, _content(self._owners / holder)) if known else (str(path), holder)
        if beat is None:  # it has left, or another has found it dead
            return True
        before, since = self._seen.get(mark, (None, 0.0))
        if beat != before:
            self._seen[mark] = beat, time.monotonic()
            return False
        if time.monotonic() - since <= self._expiry_s:
            return False
        if known:
            self._bury(holder)
        return True

    def _bury(self, holder: str) -> None:
        """Have all others know that an owner is dead, and free all that it had claimed."""
        (self._owners / holder).unlink(missing_ok=True)
        for path in self._folder.glob("??/*.claim"):
            if _content(path) == holder:
                self._break(path, holder)

    def _break(self, path: Path, holder: str) -> None:
        """Take a dead owner's claim away, and no other's that was made meanwhile."""
        aside = self._aside / uuid.uuid4().hex
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        if _content(aside) != holder:
            with suppress(OSError):
                os.link(aside, path)
        aside.unlink(missing_ok=True)
