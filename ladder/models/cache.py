"""Every completion and every measured fact, kept by content: nothing is paid for twice.

One SQLite file in write-ahead mode. A row is written as soon as its answer is there, so a run that
is killed loses at most what is in flight. Two runs of one machine may share the file: what one is
asking, the other waits for. Machines share completions in a folder (`models.folder_cache`).
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from ladder.engines.base import Abilities, Completion, Engine, Request
from ladder.engines.thoughts import split_thoughts
from ladder.errors import StateError
from ladder.files import alone_in, clear_disk_errors, digest_of, kind_of_file, private_folder
from ladder.language.tokens import most_tokens
from ladder.models.accounts import Accounts, refuse_full
from ladder.models.claims import TABLE, Claims
from ladder.models.network import warn_of_network
from ladder.redaction import redact

WAIT_FOR_LOCK_SECONDS = 60
BUSY_SECONDS = 1
"""SQLite's own wait cannot be interrupted: it is short, and begun again."""
POLL_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 900
"""Another run that has answered nothing for so long is not waited for."""


class Store(Protocol):
    """Where completions are kept: a `Cache`, or a folder that machines share (`FolderCache`)."""

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of the keys that are kept; a damaged one is not."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON-able value."""
        ...

    def claimed(self, keys: Sequence[str]) -> AbstractContextManager[set[str]]:
        """Claim keys while they are worked out; yield those that no other process works on."""
        ...

    def tell_damage(self) -> None:
        """Say, once, that something kept cannot be read."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Cache:
    """What has been answered and measured so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = False
        with clear_disk_errors(path):
            private_folder(path.parent)
            if path.exists() and (kind := kind_of_file(path.stat().st_mode)):
                raise StateError(f"{path}: {kind}, not a file. Choose another folder.")
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            try:
                self._base = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
                self._execute("PRAGMA synchronous=NORMAL")
                # SQLite does not wait for its lock while it changes the journal mode.
                with alone_in(path.parent):
                    self._execute("PRAGMA journal_mode=WAL")
                    for table in ("kept (key TEXT PRIMARY KEY, value TEXT NOT NULL)", SUMS):
                        self._execute(f"CREATE TABLE IF NOT EXISTS {table}")
                    self._execute(TABLE)
            except sqlite3.DatabaseError as error:
                fix = "Move the file away to start with an empty one."
                raise StateError(f"{path}: not a readable cache ({error}). {fix}") from None
        self._claims = Claims(path, self._run)
        warn_of_network(path)

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of the keys that are kept; a damaged one is not."""
        found: dict[str, Any] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._run(
                "SELECT kept.key, value, sum FROM kept LEFT JOIN sums ON sums.key = kept.key "
                f"WHERE kept.key IN ({marks})",
                part,
            )
            for key, value, wanted in rows:
                try:
                    if wanted not in (None, _sum(value)):
                        raise ValueError("another value than was kept")
                    found[key] = json.loads(value)
                except (ValueError, TypeError, AttributeError, RecursionError):
                    self.tell_damage()
        return found

    def tell_damage(self) -> None:
        """Say, once, that something kept cannot be read."""
        if not self._told:
            self._told = True
            said = "some of what is kept there is damaged: it is asked for or worked out anew"
            warnings.warn(f"{self.path}: {said}", stacklevel=3)

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON-able value."""
        text = redact(json.dumps(value))
        self._run("BEGIN IMMEDIATE", ())
        try:
            self._run("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, text))
            self._run("INSERT OR REPLACE INTO sums VALUES (?, ?)", (key, _sum(text)))
            self._run("COMMIT", ())
        except BaseException:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise

    def remember(
        self,
        name: str,
        about: Any,
        compute: Callable[[], Any],
        lasts: Callable[[Any], bool] = lambda _: True,
    ) -> Any:
        """Return the kept value of a fact, computing it the first time.

        Args:
            name: what kind of fact.
            about: JSON-able; everything the fact depends on.
            compute: returns a JSON-able value.
            lasts: whether a computed value is to be kept.
        """
        key = digest_of([name, about])
        kept = self.get([key])
        while key not in kept:
            with self.claimed([key]) as mine:
                kept = self.get([key])
                if key not in kept and key in mine:
                    value = compute()
                    if lasts(value):
                        self.put(key, value)
                    return json.loads(json.dumps(value))
            if key not in kept:
                time.sleep(POLL_SECONDS)
        return kept[key]

    @cached_property
    def accounts(self) -> Accounts:
        """What tasks have paid, in the same file."""
        return Accounts(self.path, self._claims)

    @contextmanager
    def claimed(self, keys: Sequence[str]) -> Iterator[set[str]]:
        """Claim keys while they are worked out; yield those that no other run works on."""
        mine, new = self._claims.take(keys)
        try:
            yield mine
        finally:
            self._claims.give_back(new)

    def close(self) -> None:
        """Close the file."""
        if "accounts" in self.__dict__:
            self.accounts.close()
        self._claims.leave()
        self._base.close()

    def _run(self, sql: str, values: Sequence[str]) -> list[Any]:
        with clear_disk_errors(self.path):
            try:
                return self._execute(sql, values)
            except sqlite3.DatabaseError as error:
                raise StateError(f"{self.path}: {error}") from None

    def _execute(self, sql: str, values: Sequence[str] = ()) -> list[Any]:
        give_up = time.monotonic() + WAIT_FOR_LOCK_SECONDS
        while True:
            try:
                return list(self._base.execute(sql, tuple(values)))
            except sqlite3.OperationalError as error:
                refuse_full(error)
                busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > give_up:
                    raise


SUMS = "sums (key TEXT PRIMARY KEY, sum TEXT NOT NULL)"
"""Checksums of the values; those that an earlier version kept have none."""


def _sum(value: str) -> str:
    return f"{crc32(value.encode()):08x}"


class Forgetful(Cache):
    """Keeps nothing: what is asked of it is worked out each time."""

    def __init__(self) -> None:
        """Open no file."""

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def put(self, key: str, value: Any) -> None:
        """Forget it."""

    @contextmanager
    def claimed(self, keys: Sequence[str]) -> Iterator[set[str]]:
        """Claim nothing: nobody else could take it from here."""
        yield set(keys)

    def close(self) -> None:
        """Close nothing."""


class Reading(Forgetful):
    """Gives what another cache keeps, and keeps nothing that is new."""

    def __init__(self, kept: Store) -> None:
        """Take the cache that is read."""
        self._kept = kept

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of the keys that are kept."""
        return self._kept.get(keys)


class CachedEngine:
    """An engine that asks the store first."""

    def __init__(
        self, engine: Engine, store: Store, tell: Callable[[str, Completion], None] | None = None
    ) -> None:
        """Open nothing.

        Args:
            engine: answers what is not kept.
            store: keeps the answers.
            tell: is told of every answer by its key, whether kept (`cached`) or new.
        """
        self.engine = engine
        self.store = store
        self.tell = tell
        self.calls = 0

    @property
    def abilities(self) -> Abilities:
        """What the engine can do."""
        return self.engine.abilities

    @cached_property
    def identity(self) -> str:
        """The digest of everything the engine's answers depend on."""
        return digest_of(self.engine.fingerprint())

    def fingerprint(self) -> dict[str, str]:
        """Return what the answers depend on."""
        return self.engine.fingerprint()

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text; an estimate where the engine does not count exactly."""
        return self.engine.count_tokens(text)

    def most_tokens(self, text: str) -> int:
        """Return the tokens that a text has at most, for limits that it must not exceed."""
        return self.count_tokens(text) if self.abilities.counts_exactly else most_tokens(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield kept completions at once, then new ones; errors are not kept.

        What another run over this store is asking is waited for, once all else is answered; what
        it did not get, or gave up, is asked here.
        """
        keys = [digest_of([self.identity, request.as_json()]) for request in requests]
        wanted: dict[str, list[int]] = {}
        for at, key in enumerate(keys):
            wanted.setdefault(key, []).append(at)
        asked = {key: requests[places[0]] for key, places in wanted.items()}
        yield from _at_their_places(self._kept(asked).items(), wanted)
        since = time.monotonic()
        while wanted:
            with self.store.claimed(list(wanted)) as mine:
                # Another run may have answered them before they could be claimed.
                found = self._kept({key: asked[key] for key in wanted})
                yield from _at_their_places(found.items(), wanted)
                stuck = time.monotonic() - since > LONGEST_WAIT_SECONDS
                here = [key for key in wanted if key in mine or stuck]
                answers = self._ask({key: asked[key] for key in here})
                yield from _at_their_places(answers, wanted)
            if found or here:
                since = time.monotonic()
            elif wanted:
                time.sleep(POLL_SECONDS)

    def _ask(self, asked: Mapping[str, Request]) -> Iterator[tuple[str, Completion]]:
        keys = list(asked)
        for index, answered in self.engine.complete(list(asked.values())) if keys else ():
            completion = _written(answered)
            self.calls += 1
            if completion.error is None:
                self.store.put(keys[index], asdict(replace(completion, lost_tokens=(0, 0))))
            if self.tell:
                self.tell(keys[index], completion)
            yield keys[index], completion

    def _kept(self, asked: Mapping[str, Request]) -> dict[str, Completion]:
        found = {}
        for key, value in self.store.get(sorted(asked)).items():
            completion = _completion(value, asked[key])
            if completion is None:
                self.store.tell_damage()
            else:
                found[key] = completion
                if self.tell:
                    self.tell(key, completion)
        return found


def _at_their_places(
    answers: Iterable[tuple[str, Completion]], wanted: dict[str, list[int]]
) -> Iterator[tuple[int, Completion]]:
    """Yield each answer for every request that wants it, and take those off the list."""
    for key, completion in answers:
        for at in wanted.pop(key):
            yield at, completion


def _completion(kept: Any, request: Request) -> Completion | None:
    """Return a kept answer; None where it is no answer to this request."""
    try:
        scored = tuple(kept["choice_logprobs"])
        found = Completion(**{**kept, "choice_logprobs": scored, "lost_tokens": (0, 0)})
        numbers = [found.tokens_in, found.tokens_out, found.seconds, found.first_s or 0.0]
        choices, scores = len(request.choices), found.choice_logprobs
        whole = (
            isinstance(found.text, str)
            and found.error is None
            and all(math.isfinite(number) for number in numbers)
            and not any(math.isnan(score) for score in scores)
            and (not choices or len(scores) in (0, choices))
            and (found.greedy_choice is None or 0 <= found.greedy_choice < max(choices, 1))
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    return replace(_written(_without_thoughts(found, kept)), cached=True) if whole else None


def _without_thoughts(found: Completion, kept: Mapping[str, Any]) -> Completion:
    """Return a kept answer without the thoughts that earlier versions kept with it."""
    answer = found.text if "thought_tokens" in kept else split_thoughts(found.text)[1]
    return replace(found, text=answer) if answer else found


def _written(completion: Completion) -> Completion:
    """Return an answer that can be written down: with `?` for half a character in it."""
    try:
        completion.text.encode()
    except UnicodeEncodeError:
        return replace(completion, text=completion.text.encode(errors="replace").decode())
    return completion
