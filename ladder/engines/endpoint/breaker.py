"""When an endpoint is taken as out, how it is probed then, and when it is given up.

Failures that may pass and come in a row are an outage: everything waits, and one probe at a time is
sent, at growing intervals, until one is answered or the outage has lasted too long. Refusals in a
row put the endpoint in doubt as well. It is given up only after a last check: it is asked what it
has answered before, or else to answer a greeting. So rows that are refused for their own sake never
end a run, and an endpoint that answers nothing does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ladder.engines.base import CUT_BEFORE_TEXT, Request
from ladder.engines.endpoint.failure import NO_CONNECTION, NOT_SECURE, TryError

GREETING = Request(messages=(("user", "Hello!"),), max_tokens=16)
"""Asked of an endpoint that has answered nothing so far."""
POLL_SECONDS = 0.2
WORDS_KEPT = 50
"""Different words of a server that are counted for a kind of failure."""

Turn = Literal["go", "probe", "check"]
"""Send the request; send it as the only one; send what can be answered, as the only one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an endpoint that fails is waited for. Times are in seconds."""

    first_wait_s: float = 0.5
    """Longest wait after the first failed try of a request; it doubles with each."""
    longest_wait_s: float = 180.0
    """Between two tries of a request, at most, whatever the server asks for."""
    failures: int = 4
    """In a row that may pass: an outage."""
    refusals_at_first: int = 8
    """In a row, where the endpoint has never answered: it is in doubt."""
    refusals: int = 12
    """In a row, where it has answered."""
    first_probe_s: float = 1.0
    """Until the first probe of an outage; the interval doubles with each."""
    longest_probe_s: float = 8.0
    """Between two probes, and what the last probe may take."""
    outage_s: float = 45.0
    """From the start of the first failed try; what lasts longer is the end."""
    throttled_s: float = 180.0
    """The same where the server asks to be asked later."""


class Breaker:
    """What is known of one endpoint's health. Several event loops may share it."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.heard = False
        """Some response has come: something listens at the URL."""
        self.known: Request | None = None
        """The request that was answered quickest."""
        self._ended_outages = 0
        """In which a check failed: no request's own fault."""
        self._ended_doubts = 0
        self.counts: Counter[str] = Counter()
        """Kind of failure -> how often it came."""
        self.words: dict[str, Counter[str]] = {}
        """Kind of failure -> what the server said, and how often."""
        self.lately: Counter[str] = Counter()
        """The same counts since the last answer."""
        self.since = datetime.now(UTC)
        """When the first of the latest failures was sent."""
        self._known_s = 0.0
        self._doubt: Literal["", "outage", "refusals"] = ""
        self._confirmed = False
        """A check failed in this outage."""
        self._failed = 0
        self._refused = 0
        self._began = 0.0
        self._well_at = 0.0
        self._until = 0.0
        self._interval = 0.0
        self._next_at = 0.0
        self._probes = 0
        self._probing = False
        self._lock = threading.Lock()

    @property
    def ended(self) -> tuple[int, int]:
        """How many outages have ended, and how many doubts of any kind."""
        return self._ended_outages, self._ended_doubts

    @property
    def in_doubt(self) -> bool:
        """The endpoint may be out: what is sent is one probe at a time."""
        return bool(self._doubt)

    def said(self, kind: str) -> str:
        """Return what the server said most often with a kind of failure; empty: nothing."""
        words = self.words.get(kind)
        return words.most_common(1)[0][0] if words else ""

    def take(self, spent: bool) -> Turn | float:
        """Return what may be sent now, or the seconds to wait before asking again.

        What is no `go` must be followed by `release`.

        Args:
            spent: the request has used up its tries, so another one has to serve as the probe.
        """
        with self._lock:
            now = time.monotonic()
            if not self._doubt:
                return "go"
            if self._probing or now < self._next_at:
                return min(max(self._next_at - now, 0.01), POLL_SECONDS)
            self._probing = True
            self._probes += 1
            check = spent or now >= self._until or self._probes % 2 == 0
            return "check" if check else "probe"

    def release(self) -> None:
        """End a probe, however it went; the next one comes later."""
        with self._lock:
            self._probing = False
            now = time.monotonic()
            self._next_at = max(self._next_at, min(now + self._interval, max(self._until, now)))
            self._interval = min(2 * self._interval, self.patience.longest_probe_s)

    def limit_s(self, timeout_s: float) -> float:
        """Return how long a probe may take."""
        left = self._until - time.monotonic()
        return min(timeout_s, max(left, self.patience.longest_probe_s))

    def answer(self, request: Request, seconds: float) -> None:
        """Note an answer: all is well."""
        with self._lock:
            self._close()
            self._refused = 0
            self.lately.clear()
            if self.known is None or seconds < self._known_s:
                self.known, self._known_s = request, seconds

    def fail(self, failure: TryError, began: float, *, check: bool = False) -> bool:
        """Note a failed try; tell whether the endpoint is down.

        Args:
            failure: what went wrong.
            began: when the try was sent, by the monotonic clock.
            check: it was sent to see whether the endpoint is up.
        """
        with self._lock:
            self._count(failure, began)
            if failure.kind == CUT_BEFORE_TEXT:  # it answers; the limit is too low for its thoughts
                self._refused = 0
                if self._doubt == "outage" or not self._doubt:
                    self._close()
                return False
            if failure.passing:
                return self._may_pass(failure, began, check)
            self._refused += 1
            if check and self._doubt == "refusals":
                return True
            if self._doubt == "outage" or not self._doubt:
                self._close()  # whatever it said, it is there
            enough = self.patience.refusals if self.known else self.patience.refusals_at_first
            if self.known is None and failure.kind == "HTTP 403":
                enough = 1  # the key is refused, or this request: the check tells
            if not self._doubt and self._refused >= enough:
                self._suspect("refusals", time.monotonic(), 0.0)
            return False

    def _may_pass(self, failure: TryError, began: float, check: bool) -> bool:
        now = time.monotonic()
        if self._failed == 0:
            self._began = max(began, self._well_at)
        self._failed += 1
        unreachable = failure.kind in (NO_CONNECTION, NOT_SECURE) and not self.heard
        if unreachable and self._failed >= self.patience.refusals_at_first:
            return True
        if check and self._doubt == "refusals":
            self._suspect("outage", now + self.patience.outage_s, self.patience.first_probe_s)
        elif check and now >= self._until:
            return True
        self._confirmed = self._confirmed or check
        if not self._doubt and self._failed >= self.patience.failures:
            until = self._began + self.patience.outage_s
            self._suspect("outage", until, self.patience.first_probe_s)
        if self._doubt and failure.pause:
            asked = now + min(failure.pause, self.patience.longest_wait_s)
            self._next_at = max(self._next_at, asked)
            latest = self._began + self.patience.throttled_s
            self._until = max(self._until, min(asked, latest))
        return False

    def _suspect(self, doubt: Literal["outage", "refusals"], until: float, wait: float) -> None:
        now = time.monotonic()
        self._doubt, self._until, self._interval = doubt, until, 2 * wait
        self._next_at = min(now + wait, max(until, now))
        self._probes, self._confirmed = 0, False

    def _close(self) -> None:
        self._ended_outages += self._confirmed
        self._ended_doubts += self._doubt != ""
        self._doubt, self._failed, self._confirmed = "", 0, False
        self._well_at = time.monotonic()

    def _count(self, failure: TryError, began: float) -> None:
        if not self.lately:
            self.since = datetime.now(UTC) - timedelta(seconds=time.monotonic() - began)
        self.counts[failure.kind] += 1
        self.lately[failure.kind] += 1
        said = self.words.setdefault(failure.kind, Counter())
        if failure.words in said or len(said) < WORDS_KEPT:
            said[failure.words] += 1
