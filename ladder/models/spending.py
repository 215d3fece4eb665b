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
ROUNDING = 1e-9
"""Of an amount: what adding its parts in another order may change."""


class Spending:
    """What a task has paid to endpoints in this run and in those before it."""

    def __init__(self, store: Cache, task: str, limit_usd: float) -> None:
        """Take the limit; what earlier runs have paid stands in the store.

        Args:
            store: shared by all runs of the task.
            task: its name.
            limit_usd: `rules.max_spend_usd`.
        """
        self._accounts, self._key, self.limit_usd = store.accounts, f"spent, USD: {task}", limit_usd
        self._lock = threading.Lock()  # a request is sent on the endpoint's own thread
        self._here = 0.0
        self._settled = 0.0
        """Of requests that have ended, and whose answer the caller has not been given yet."""
        self._account = self._accounts.open(self._key)
        self._estimated_before = self._account.estimated

    @property
    def spent_usd(self) -> float:
        """USD over all runs of the task, as far as this run knows."""
        return self._account.spent

    @property
    def estimated_here(self) -> float:
        """USD of requests in this run whose cost nobody told: what was set aside for them."""
        return self._account.estimated - self._estimated_before

    def add(self, usd: float) -> None:
        """Count what an answer cost, but for what was counted when its request ended.

        Raises:
            SpendLimitError: it cost more than was estimated, and the limit is passed.
        """
        if not usd:
            return
        with self._lock:
            known = min(usd, self._settled)
            self._settled -= known
            if usd - known > ROUNDING * usd:
                self._here += usd - known
                self._account = self._accounts.add(self._key, usd - known)
            if self._account.spent > self.limit_usd:
                raise self._reached("")

    def reserve(self, number: int, usd: float) -> None:
        """Set aside what a request may cost, and write it down, before it is sent.

        Raises:
            SpendLimitError: the limit does not allow it.
        """
        with self._lock:
            allowed, self._account = self._accounts.reserve(self._key, number, usd, self.limit_usd)
            if not allowed:
                raise self._reached(f"; the next request may cost {usd:.2g} USD")

    def settle(self, number: int, usd: float | None) -> None:
        """Put what a request has cost in the place of what was set aside for it.

        Args:
            number: of the request.
            usd: None: nobody knows, since the answer never came; all that was set aside is spent.
        """
        with self._lock:
            before = self._account.estimated
            self._account = self._accounts.settle(self._key, number, usd)
            if usd is not None:
                self._settled += usd
            self._here += self._account.estimated - before if usd is None else usd

    def _reached(self, next_one: str) -> SpendLimitError:
        found = self._account
        estimated = f", {found.estimated:.2g} of it estimated" if found.estimated else ""
        under_way = f"; {found.aside:.2g} USD set aside for {found.under_way} under way"
        return SpendLimitError(
            f"spent {found.spent:.4g} USD of rules.max_spend_usd "
            f"{self.limit_usd:g} over all runs of this task{estimated}, {self._here:.4g} of "
            f"it in this run{under_way if found.under_way else ''}{next_one}: stopped. What was "
            "answered is kept; raise the limit and run again to go on from here."
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

    def ended(self, request: Request, tokens: tuple[int, int] | None) -> None:
        """Count what a try has cost, and learn how long such prompts really are.

        Args:
            request: that was sent.
            tokens: of prompt and answer, as the endpoint counted them; None: its answer never came,
                and may be billed. All that was set aside is counted.
        """
        if tokens is None:
            self._spending.settle(id(request), None)
            return
        self._spending.settle(id(request), self._usd(*tokens))
        self._longer = max(self._longer, tokens[0] / self._estimated(request))

    def _usd(self, tokens_in: float, tokens_out: float) -> float:
        prices = self._prices
        return (tokens_in * prices.input_usd_per_1m + tokens_out * prices.output_usd_per_1m) / 1e6

    def _estimated(self, request: Request) -> float:
        turns = request.messages or (("user", request.text),)
        return 1.0 + sum(self._count(text) + MESSAGE_TOKENS for _, text in turns)
