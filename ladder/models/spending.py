"""The spending limit: over all runs of a task, and checked before a request is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ladder.engines.base import Request
from ladder.errors import SpendLimitError
from ladder.models.cache import Cache
from ladder.task import Prices

MESSAGE_TOKENS = 8
"""What a chat template adds to a message, at most."""


class Spending:
    """What a task has paid to endpoints in this run and in those before it."""

    def __init__(self, store: Cache, task: str, limit_usd: float) -> None:
        """Take the limit; what earlier runs have paid stands in the store.

        Args:
            store: shared by all runs of the task.
            task: its name.
            limit_usd: `rules.max_spend_usd`.
        """
        self._store, self._key, self.limit_usd = store, f"spent, USD: {task}", limit_usd
        self._lock = threading.Lock()  # a request is sent on the endpoint's own thread
        self._here = 0.0
        self._under_way: dict[int, float] = {}
        self._uncounted = 0.0
        """Of requests that have ended, and whose answer the caller has not been given yet."""
        self._total = store.add(self._key, 0.0)

    def add(self, usd: float) -> None:
        """Count what an answer cost.

        Raises:
            SpendLimitError: it cost more than was estimated, and the limit is passed.
        """
        if not usd:
            return
        with self._lock:
            self._here += usd
            self._uncounted = max(0.0, self._uncounted - usd)
            self._total = self._store.add(self._key, usd)
            if self._total > self.limit_usd:
                raise self._reached("")

    def reserve(self, number: int, usd: float) -> None:
        """Set aside what a request may cost, before it is sent.

        Raises:
            SpendLimitError: the limit does not allow it.
        """
        with self._lock:
            others = sum(self._under_way.values()) - self._under_way.get(number, 0.0)
            if self._total + self._uncounted + others + usd > self.limit_usd:
                raise self._reached(f"; the next request may cost {usd:.2g} USD")
            self._under_way[number] = usd

    def settle(self, number: int, usd: float) -> None:
        """Put what a request has cost in the place of what was set aside for it."""
        with self._lock:
            self._under_way.pop(number, None)
            self._uncounted += usd

    def count_rest(self) -> None:
        """Keep what requests have cost whose answers the caller was never given: it was paid."""
        with self._lock:
            rest, self._uncounted = self._uncounted, 0.0
            self._total = self._store.add(self._key, rest) if rest else self._total

    def _reached(self, next_one: str) -> SpendLimitError:
        aside = sum(self._under_way.values())
        under_way = f"; {aside:.2g} USD set aside for {len(self._under_way)} under way"
        return SpendLimitError(
            f"spent {self._total + self._uncounted:.4g} USD of rules.max_spend_usd "
            f"{self.limit_usd:g} over all runs of this task, {self._here + self._uncounted:.4g} of "
            f"it in this run{under_way if aside else ''}{next_one}: stopped. What was answered is "
            "kept; raise the limit and run again to go on from here."
        )


class Meter:
    """Watches what one endpoint's requests may cost, from what its replies have cost so far."""

    def __init__(self, spending: Spending, prices: Prices, count: Callable[[str], int]) -> None:
        """Take the prices.

        Args:
            spending: of the task.
            prices: of this endpoint's model.
            count: estimates the tokens of a text.
        """
        self._spending, self._prices, self._count = spending, prices, count
        self._longer = 1.0
        """How many times its estimate a prompt really had, at most so far."""

    def ahead(self, request: Request) -> None:
        """Set aside what a request may cost at most.

        Raises:
            SpendLimitError: the limit does not allow it.
        """
        most = self._usd(self._longer * self._estimated(request), request.max_tokens)
        self._spending.reserve(id(request), most)

    def ended(self, request: Request, tokens: tuple[int, int]) -> None:
        """Count what a try has cost, and learn how long such prompts really are.

        Args:
            request: that was sent.
            tokens: of prompt and answer, as the endpoint counted them.
        """
        self._spending.settle(id(request), self._usd(*tokens))
        self._longer = max(self._longer, tokens[0] / self._estimated(request))

    def _usd(self, tokens_in: float, tokens_out: float) -> float:
        prices = self._prices
        return (tokens_in * prices.input_usd_per_1m + tokens_out * prices.output_usd_per_1m) / 1e6

    def _estimated(self, request: Request) -> float:
        turns = request.messages or (("user", request.text),)
        return 1.0 + sum(self._count(text) + MESSAGE_TOKENS for _, text in turns)
