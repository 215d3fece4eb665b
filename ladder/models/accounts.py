"""The account of what tasks have paid, in the file of the cache: written before a request is sent.

What a request may cost is set aside in a row of its own before it leaves, and becomes spent when it
ends. The row of a run that was killed stays: it was sent, and may be billed, so whoever opens the
account next counts it as spent. What all running runs have set aside counts against a limit.

A row survives the end of the process, however it ends, not a loss of power (as all the cache).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.errors import StateError
from ladder.files import clear_disk_errors
from ladder.models.claims import Claims

ASIDE = (
    "CREATE TABLE IF NOT EXISTS aside "
    "(number TEXT PRIMARY KEY, owner TEXT NOT NULL, key TEXT NOT NULL, usd REAL NOT NULL)"
)
ADD = (
    "INSERT INTO kept VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
    "value = CAST(value AS REAL) + CAST(excluded.value AS REAL)"
)
BUSY_SECONDS = 1
WAIT_FOR_LOCK_SECONDS = 60


@dataclass(frozen=True)
class Account:
    """What is known of one account, in USD."""

    spent: float
    """Over all runs, estimates among it."""
    estimated: float
    """Of it: requests whose cost nobody told, at the most that they may have cost."""
    aside: float
    """Set aside for requests under way, of all runs."""
    under_way: int


def refuse_full(error: sqlite3.OperationalError) -> None:
    """Have SQLite's error of a full disk told as any full disk is.

    Raises:
        OSError: it is that error.
    """
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None


class Accounts:
    """The accounts in one file. Used by the threads of all endpoints."""

    def __init__(self, path: Path, claims: Claims) -> None:
        """Open the file that the cache has made.

        Args:
            path: of the cache.
            claims: know who this run is, and which runs are alive.
        """
        self._path, self._claims, self._run = path, claims, uuid.uuid4().hex
        self._lock = threading.Lock()
        self._owner = claims.name()
        with clear_disk_errors(path):
            self._base = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        with self._alone():
            self._execute("PRAGMA synchronous=NORMAL")
            self._execute(ASIDE)

    def open(self, key: str) -> Account:
        """Count as spent what runs that are no more had set aside; return the account."""
        with self._transaction():
            owners = {owner for (owner,) in self._execute("SELECT DISTINCT owner FROM aside")}
            for owner in (each for each in owners if not self._claims.is_alive(each)):
                for (usd,) in self._execute(
                    "DELETE FROM aside WHERE owner = ? AND key = ? RETURNING usd", owner, key
                ):
                    self._spend(key, usd, estimated=True)
            return self._account(key)

    def reserve(self, key: str, number: int, usd: float, limit: float) -> tuple[bool, Account]:
        """Set aside what a request may cost, unless the limit does not allow it.

        Args:
            key: of the account.
            number: of the request, in this run.
            usd: that it may cost at most.
            limit: of all that is spent and set aside.

        Returns:
            whether it is set aside, and the account.
        """
        with self._transaction():
            self._execute("DELETE FROM aside WHERE number = ?", self._name(number))
            found = self._account(key)
            allowed = found.spent + found.aside + usd <= limit
            if allowed:
                row = (self._name(number), self._owner, key, usd)
                self._execute("INSERT INTO aside VALUES (?, ?, ?, ?)", *row)
            return allowed, found

    def settle(self, key: str, number: int, usd: float | None) -> Account:
        """Put what a request has cost in the place of what was set aside for it.

        Args:
            key: of the account.
            number: of the request.
            usd: None: nobody knows; what was set aside is spent.
        """
        with self._transaction():
            rows = self._execute(
                "DELETE FROM aside WHERE number = ? RETURNING usd", self._name(number)
            )
            most = sum(each for (each,) in rows)
            self._spend(key, most if usd is None else usd, estimated=usd is None)
            return self._account(key)

    def add(self, key: str, usd: float) -> Account:
        """Count what was paid for something that nothing was set aside for."""
        with self._transaction():
            self._spend(key, usd, estimated=False)
            return self._account(key)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def _name(self, number: int) -> str:
        return f"{self._run} {number}"

    def _spend(self, key: str, usd: float, *, estimated: bool) -> None:
        if usd:
            self._execute(ADD, key, usd)
        if usd and estimated:
            self._execute(ADD, f"{key} (estimated)", usd)

    def _account(self, key: str) -> Account:
        def kept(name: str) -> float:
            rows = self._execute("SELECT CAST(value AS REAL) FROM kept WHERE key = ?", name)
            return float(rows[0][0]) if rows else 0.0

        [(many, aside)] = self._execute(
            "SELECT count(*), coalesce(sum(usd), 0.0) FROM aside WHERE key = ?", key
        )
        return Account(kept(key), kept(f"{key} (estimated)"), float(aside), int(many))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._alone():
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
                self._execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock, clear_disk_errors(self._path):
            try:
                yield
            except sqlite3.DatabaseError as error:
                raise StateError(f"{self._path}: {error}") from None

    def _execute(self, sql: str, *values: object) -> Sequence[Any]:
        give_up = time.monotonic() + WAIT_FOR_LOCK_SECONDS
        while True:
            try:
                return list(self._base.execute(sql, values))
            except sqlite3.OperationalError as error:
                refuse_full(error)
                busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > give_up:
                    raise
