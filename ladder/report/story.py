"""What a run has told so far: what a screen shows beside the steps under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ladder.progress import (
    CandidateStarted,
    Confirmed,
    Event,
    Forecast,
    Look,
    RungEnded,
    RungStarted,
    RunStarted,
    Spent,
)

TRUSTED_TOKENS = 2_000
"""Tokens from which on the time that they took corrects a forecast."""


@dataclass
class Story:
    """The last of each kind of thing that was told."""

    clock: Callable[[], float]
    began: float = 0.0
    run: RunStarted | None = None
    forecast: Forecast | None = None
    rung: RungStarted | None = None
    rung_began: float = 0.0
    candidate: CandidateStarted | None = None
    look: Look | None = None
    spent: Spent | None = None
    confirmed: Confirmed | None = None
    ended: dict[str, str] = field(default_factory=dict)
    """Rung -> its status."""
    _tokens_before: int = 0
    """Read when the rung began."""
    _slower: float | None = None
    """How many times as long as foreseen a token takes, by the last rung that tells."""

    def hear(self, event: Event) -> None:
        """Take note of what happened."""
        if isinstance(event, RunStarted):
            self.began, self.run = self.clock(), event
        elif isinstance(event, RungStarted):
            self.rung, self.rung_began = event, self.clock()
            self.candidate = self.look = None
            self._tokens_before = self.spent.tokens if self.spent else 0
        elif isinstance(event, RungEnded):
            self._slower = self._pace() or self._slower
            self.ended[event.rung] = event.status
            self.rung = None
        elif isinstance(event, Confirmed):
            self.confirmed = event
        else:
            self._hear_within(event)

    def _hear_within(self, event: Event) -> None:
        if isinstance(event, Forecast):
            self.forecast = event
        elif isinstance(event, CandidateStarted):
            self.candidate = event
        elif isinstance(event, Look):
            self.look = event
        elif isinstance(event, Spent):
            self.spent = event

    def _pace(self) -> float | None:
        """Return how many times as long as foreseen a token takes on this rung; None: unknown.

        A rung that trains tells nothing: its time goes with tokens that are not asked for.
        """
        if self.forecast is None or self.rung is None or self.spent is None:
            return None
        seconds = self.forecast.rungs.get(self.rung.rung, 0.0)
        tokens = self.forecast.tokens.get(self.rung.rung, 0.0)
        read = self.spent.tokens - self._tokens_before
        if read < TRUSTED_TOKENS or not seconds or not tokens:
            return None
        return (self.clock() - self.rung_began) / read / (seconds / tokens)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.began if self.run else 0.0

    def left(self, step: float | None) -> tuple[float, float] | None:
        """Return the seconds until the climb ends: at most, and if the rung under way passes.

        None without a forecast, before its speed is known, and where it is over.

        Args:
            step: seconds left of the step under way, where they are known.
        """
        if self.forecast is None or self.run is None or self.confirmed is not None:
            return None
        slower, known = self._pace() or self._slower, self.forecast.rungs
        if slower is None:
            return None
        here = 0.0
        if self.rung is not None and self.rung.rung in known:
            gone = self.clock() - self.rung_began
            here = max(slower * known[self.rung.rung] - gone, step or 0.0)
        above = [
            seconds for rung, seconds in known.items()
            if rung not in self.ended and (self.rung is None or rung != self.rung.rung)
        ]  # fmt: skip
        last = slower * self.forecast.confirmation
        passed = "passed" in self.ended.values()
        failing = (len(above) + bool(here)) * self.forecast.diagnosis
        rest = 0.0 if passed else slower * (sum(above) + failing)
        return here + rest + last, here + last
