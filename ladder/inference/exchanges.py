"""An answer may take more than one request: votes, or another try after a check.

An exchange says which requests to send next and is told what came back. All rows' exchanges go on
side by side, so that the engine's batches stay full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from ladder.engines.base import Completion, Engine, Request

TIMES_ASKED = 2
"""What failed is asked again once all else has been asked: the trouble may have passed."""

Exchange = Generator[list[Request], list[Completion], Completion]
"""Yields requests to be sent together, is sent their completions, and returns the answer."""


def once(request: Request) -> Exchange:
    """Ask once."""
    [completion] = yield [request]
    return completion


def carry_out(
    engine: Engine,
    exchanges: Sequence[Exchange],
    tell: Callable[[Completion], None] = lambda completion: None,
) -> Iterator[tuple[int, Completion]]:
    """Carry out exchanges; yield the position of each with its answer as soon as it ends.

    Args:
        engine: answers the requests.
        exchanges: not begun yet.
        tell: is told of every completion on the way.
    """
    wanted = {at: next(exchange) for at, exchange in enumerate(exchanges)}
    while wanted:
        places = [(at, number) for at, asked in wanted.items() for number in range(len(asked))]
        replies: dict[int, dict[int, Completion]] = {at: {} for at in wanted}
        going: dict[int, list[Request]] = {}
        for index, completion in engine.complete([wanted[at][number] for at, number in places]):
            tell(completion)
            at, number = places[index]
            replies[at][number] = completion
            if len(replies[at]) < len(wanted[at]):
                continue
            try:
                going[at] = exchanges[at].send([replies[at][n] for n in range(len(wanted[at]))])
            except StopIteration as ended:
                yield at, ended.value
        wanted = dict(sorted(going.items()))


def taken_together(parts: Sequence[Completion], said: Completion, seconds: float) -> Completion:
    """Return what was said in the end, with the tokens of all parts.

    Nothing is shown before the end, so there is no first token to wait for.
    """
    return replace(
        said,
        tokens_in=sum(part.tokens_in for part in parts),
        tokens_out=sum(part.tokens_out for part in parts),
        thought_tokens=sum(part.thought_tokens for part in parts),
        seconds=seconds,
        first_s=None,
        cached=all(part.cached for part in parts),
    )


def one_after_the_other(parts: Sequence[Completion], said: Completion) -> Completion:
    """Return what was said in the end, with the tokens and the seconds of all parts."""
    return taken_together(parts, said, math.fsum(part.seconds for part in parts))
