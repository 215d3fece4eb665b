"""Every completion and every measured fact, kept by content: nothing is paid for twice.

One SQLite file in write-ahead mode. A row is written as soon as its answer is there, so a run that
is killed loses at most what is in flight, and two runs may share the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.engines.base import Abilities, Completion, Engine, Request
from ladder.errors import StateError
from ladder.files import alone_in, clear_disk_errors, digest_of
from ladder.redaction import redact

WAIT_FOR_LOCK_SECONDS = 60


class Store:
    """What has been answered and measured so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with clear_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._base = sqlite3.connect(
                    path, timeout=WAIT_FOR_LOCK_SECONDS, isolation_level=None
                )
                self._base.execute("PRAGMA synchronous=NORMAL")
                # SQLite does not wait for its lock while it changes the journal mode.
                with alone_in(path.parent):
                    self._base.execute("PRAGMA journal_mode=WAL")
                    self._base.execute(
                        "CREATE TABLE IF NOT EXISTS kept "
                        "(key TEXT PRIMARY KEY, value TEXT NOT NULL)"
                    )
            except sqlite3.DatabaseError as error:
                fix = "Move the file away to start with an empty one."
                raise StateError(f"{path}: not a readable cache ({error}). {fix}") from None

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of the keys that are kept."""
        found: dict[str, Any] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._run(f"SELECT key, value FROM kept WHERE key IN ({marks})", part)
            found.update((key, json.loads(value)) for key, value in rows)
        return found

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON-able value."""
        self._run("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, redact(json.dumps(value))))

    def remember(self, name: str, about: Any, compute: Callable[[], Any]) -> Any:
        """Return the kept value of a fact, computing it the first time.

        Args:
            name: what kind of fact.
            about: JSON-able; everything the fact depends on.
            compute: returns a JSON-able value.
        """
        key = digest_of([name, about])
        kept = self.get([key])
        if key not in kept:
            self.put(key, compute())
            kept = self.get([key])
        return kept[key]

    def add(self, key: str, amount: float) -> float:
        """Add to a kept sum, whoever else adds to it; return the new sum."""
        self._run(
            "INSERT INTO kept VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
            "value = CAST(value AS REAL) + CAST(excluded.value AS REAL)",
            (key, json.dumps(amount)),
        )
        return float(self.get([key])[key])

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def _run(self, sql: str, values: Sequence[str]) -> list[Any]:
        with clear_disk_errors(self.path):
            try:
                return list(self._base.execute(sql, tuple(values)))
            except sqlite3.DatabaseError as error:
                raise StateError(f"{self.path}: {error}") from None


class Forgetful(Store):
    """Keeps nothing: what is asked of it is worked out each time."""

    def __init__(self) -> None:
        """Open no file."""

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def put(self, key: str, value: Any) -> None:
        """Forget it."""

    def add(self, key: str, amount: float) -> float:
        """Return the amount alone."""
        return amount

    def remember(self, name: str, about: Any, compute: Callable[[], Any]) -> Any:
        """Compute it."""
        return compute()

    def close(self) -> None:
        """Close nothing."""


class CachedEngine:
    """An engine that asks the store first, and tells of every answer that it had to ask for."""

    def __init__(
        self, engine: Engine, store: Store, tell: Callable[[Completion], None] | None = None
    ) -> None:
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
        """Return the tokens of a text."""
        return self.engine.count_tokens(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield kept completions at once, then new ones; errors are not kept."""
        keys = [digest_of([self.identity, request.as_json()]) for request in requests]
        kept = self.store.get(sorted(set(keys)))
        wanted: dict[str, list[int]] = {}
        for at, key in enumerate(keys):
            if key in kept:
                yield at, replace(_completion(kept[key]), cached=True)
            else:
                wanted.setdefault(key, []).append(at)
        if not wanted:
            return
        groups = list(wanted.items())
        asked = [requests[places[0]] for _, places in groups]
        for index, completion in self.engine.complete(asked):
            key, places = groups[index]
            self.calls += 1
            if completion.error is None:
                self.store.put(key, asdict(completion))
            if self.tell:
                self.tell(completion)
            for at in places:
                yield at, completion


def _completion(kept: dict[str, Any]) -> Completion:
    return Completion(**{**kept, "choice_logprobs": tuple(kept["choice_logprobs"])})
