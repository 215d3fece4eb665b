"""Answers from any OpenAI-compatible chat endpoint, many at a time.

The requests run in an event loop on a thread of their own, and each answer is handed to the caller
as it arrives. Trouble that may pass is tried again; what stays is told in `Completion.error`; an
endpoint that answers nothing any more ends the run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace

from ladder.engines.base import CUT_BEFORE_TEXT, OWN_KINDS, Abilities, Completion, Request
from ladder.engines.endpoint.access import address_of, open_client
from ladder.engines.endpoint.breaker import Breaker, Patience
from ladder.engines.endpoint.call import Call
from ladder.engines.endpoint.chat_completions import ChatWire
from ladder.engines.endpoint.failure import NO_CONNECTION, NOT_SECURE, THOUGHTS_ONLY, TIME_OUT
from ladder.engines.endpoint.loop import Loop, Put
from ladder.engines.endpoint.pacing import Pace, Room
from ladder.engines.endpoint.permits import Ahead, Ended, Permits
from ladder.engines.endpoint.sending import Sender, Support
from ladder.engines.endpoint.wire import Wire
from ladder.errors import EngineError
from ladder.language.tokens import likely_tokens
from ladder.redaction import hide_from_logs, keep_url_secrets
from ladder.wording import MOST_SAID, harmless

CONTINUED = Request(text="One, two, three,", max_tokens=4)
"""A text that any model which continues texts goes on with."""
GREETING = Request(
    messages=(("system", "Answer with one word."), ("user", "Hello!")), max_tokens=16
)
"""A task's request in small: it has a system turn and a limit, and holds nobody's data."""
UNREACHED = frozenset({NO_CONNECTION, NOT_SECURE, TIME_OUT})
CONTINUES, THINKS = "continues texts", "thinks"


class EndpointEngine:
    """A model behind `POST {base_url}/chat/completions`, and perhaps `/completions`."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        concurrency: int = 8,
        timeout_s: float = 45.0,
        attempts: int = 5,
        patience: Patience | None = None,
        wire: Wire | None = None,
    ) -> None:
        """Take the endpoint's address; nothing is sent yet.

        Args:
            model: the name that the endpoint knows the model by.
            base_url: e.g. `https://host/v1`. A query stays on every request; `user:password@` is
                sent as basic authentication, in place of the API key.
            concurrency: requests under way at once, at most.
            timeout_s: seconds that one try may take, from connecting to the last byte.
            attempts: tries for one request before it is given up.
            patience: how long failures are waited out.
            wire: the form of requests and answers; default: OpenAI's chats.

        Raises:
            EngineError: the URL is not one of an endpoint.
        """
        if concurrency < 1 or attempts < 1:
            raise ValueError("concurrency and attempts start at 1")
        self.model = model
        self.wire = wire or ChatWire()
        self.concurrency = concurrency
        self.timed = False
        """The clock of a request runs from its first try to its answer, waits included."""
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.ahead: Ahead | None = None
        """Called before each try is sent, on the loop's thread. Where it raises, nothing more is
        sent, what is under way is still answered, and the caller gets the error."""
        self.ended: Ended | None = None
        """Called after each try, with the tokens of prompt and answer that it cost; None: it was
        sent and no answer came, so it may be billed."""
        self.breaker = Breaker(patience or Patience())
        keep_url_secrets(base_url)
        hide_from_logs()
        self._address = address_of(model, base_url)
        self._support = Support()
        self._warned: set[str] = set()
        self.learnt: dict[str, bool] = {}
        """What `learn` has found, now or before."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, base_url={self._address.shown!r})"

    def streaming(self, concurrency: int) -> EndpointEngine:
        """Return an engine to be timed: answers come token by token, and the first is noted.

        Retries and the waits between them are part of a request's time, as a user would see it; an
        outage is not. An endpoint that refuses to stream is timed without.

        Args:
            concurrency: requests under way at once, from the start.
        """
        timed = copy(self)  # the breaker is the same: there is one endpoint
        timed.timed, timed.concurrency = True, concurrency
        timed._support = replace(self._support, stream=True)
        return timed

    def apart(self, wire: Wire) -> EndpointEngine:
        """Return an engine to try something out: one try each, whose failures count nowhere else.

        Args:
            wire: the form of its requests and answers.
        """
        other = copy(self)
        other.breaker, other.attempts, other.wire = Breaker(self.breaker.patience), 1, wire
        other._support = Support(form=self._support.form)
        return other

    @property
    def abilities(self) -> Abilities:
        """Local where the URL's host is this machine. It may ignore a schema.

        Plain text is continued, and an answer preceded by thoughts, where `learn` has found so.
        """
        return Abilities(
            plain=self.learnt.get(CONTINUES, False),
            thinks=self.learnt.get(THINKS, False),
            scores_choices=False,
            json_schema=True,
            context=8192,
            served=True,
            local=self._address.local,
            negotiated=tuple(self.negotiated.values()),
            served_by=tuple(self._support.served_by),
            counts_exactly=False,
        )

    @property
    def negotiated(self) -> dict[str, str]:
        """What the server has refused so far of how requests are put -> how they are put instead.

        Server and model decide it, so that it is no part of their identity.
        """
        return self._support.form.words

    def learn(
        self, *, greet: bool = True, tell: Callable[[Completion], None] = lambda completion: None
    ) -> dict[str, bool] | None:
        """Ask once whether the model thinks first, and whether the server continues texts.

        Servers that know chats alone refuse a text in their own ways, and some hang up on it: that
        is no trouble of theirs, so the breaker hears nothing of it.

        Args:
            greet: ask for the first, which only matters where the task sets no limit of tokens.
            tell: is told of each answer, for it is paid like every other.

        Returns:
            what was found, to be set as `learnt`; None where nobody answers now.
        """
        asking = copy(self)
        asking.breaker, asking.attempts = Breaker(self.breaker.patience), 1
        try:
            thinks = False
            if greet:
                [(_, said)] = asking.complete([GREETING])
                tell(said)
                thinks = said.thought_tokens > 0 or said.kind in (CUT_BEFORE_TEXT, THOUGHTS_ONLY)
                if said.error is not None and said.kind not in OWN_KINDS:
                    return None
            asking._support = Support()  # what is refused of a text is no matter of chats
            [(_, text)] = asking.complete([CONTINUED])
            tell(text)
        except EngineError:
            return None
        if text.error is not None and text.kind in UNREACHED:
            return None
        return {CONTINUES: text.error is None, THINKS: thinks}

    @property
    def counts(self) -> dict[str, int]:
        """Kind of failure -> how many tries failed so."""
        return dict(self.breaker.counts)

    def words(self, kind: str) -> str:
        """Return what the server said most often with a kind of failure."""
        return self.breaker.said(kind)

    def fingerprint(self) -> dict[str, str]:
        """Return address, model and query: all that is known of what is behind an endpoint."""
        query = {"query": self._address.query} if self._address.query else {}
        return {"endpoint": self._address.shown, "model": self.model} | query

    def count_tokens(self, text: str) -> int:
        """Return an estimate, not a count (`language.tokens.likely_tokens`)."""
        return likely_tokens(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield each answer as it arrives, in any order. `choices` are ignored.

        Closing the iterator cancels what is under way.

        Raises:
            EndpointDownError: the endpoint answers nothing any more.
            EngineError: it does not accept the key.
        """
        headers = self._address.headers()
        loop = Loop(lambda put: self._answer_all(requests, headers, put))
        try:
            for answer in loop.results():
                self._warn()
                yield answer
        finally:
            loop.stop()

    def _warn(self) -> None:
        """Say once, on the caller's thread, what is other than it was asked for."""
        said = []
        new = [words for words in self.negotiated.values() if words not in self._warned]
        if new:
            said.append(f"{self.model} at {self._address.shown}: {'; '.join(new)}")
        uncounted = f"{self._address.shown} reports no token usage: tokens and costs are estimates"
        if self._support.estimates and uncounted not in self._warned:
            said.append(uncounted)
        over = (
            f"{self._address.shown} counts more tokens of an answer than it may have: its counts "
            "are mixed up, or it keeps to no limit; costs are as it counts"
        )
        if self._support.over_limit and over not in self._warned:
            said.append(over)
        names = list(self._support.served_by)
        if len(names) > 1 and names[-1] not in self._warned:
            then = f"answers came from {names[-2]}, and then from {names[-1]}"
            said.append(f"{self._address.shown}: {then}: what is measured is no longer one model")
            self._warned.add(names[-1])
        self._warned.update([*new, *said])
        for message in said:
            warnings.warn(harmless(message, MOST_SAID), stacklevel=3)

    async def _answer_all(
        self, requests: Sequence[Request], headers: dict[str, str], put: Put
    ) -> None:
        permits = Permits(self.ahead, self.ended)
        room = Room(allowed=self.concurrency) if self.timed else self._support.room
        pace = Pace(self.concurrency, room)
        async with open_client(self._address, headers, self.timeout_s) as client:
            sender = Sender(
                client, self.model, self._address, permits, self.breaker, self._support, self.wire
            )
            call = Call(sender, self.breaker, pace, self.timeout_s, self.attempts, self.timed)
            await call.answer_all(requests, self.concurrency, put)
        if permits.stopped:
            raise permits.stopped
