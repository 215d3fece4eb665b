"""Whether a task's rows and answers fit its base model, before it is asked anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.climb.stand_ins import Absent, stand_in
from ladder.engines import Request, is_served
from ladder.engines.context import Counts, beyond_context
from ladder.errors import EngineError
from ladder.language.tokens import is_prose, most_tokens
from ladder.models.models import base_is_local
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task

MOST_COUNTED = 500
"""Rows whose tokens are counted: the longest by characters."""
SMALL_CONTEXT = 1024
"""Tokens that any model reads."""


def length_warnings(task: Task, data: Data, context: int | None = None) -> Iterator[str]:
    """Say how many answers do not fit the task's limit, and how many rows the model's context.

    Args:
        task: names the limit and the base model.
        data: its rows.
        context: tokens that the base model's server has told of; None: as its engine says.
    """
    local = base_is_local(task)
    if not local and not is_served(task.models.base):
        return  # nothing is generated
    samples = (*data.train, *data.dev, *data.gate, *data.sealed)
    limit = task.answer.max_tokens
    generated = limit is not None and not (task.answer.type == "label" and local)
    # No tokenizer makes more tokens of a text than it has bytes. Abilities are read off a model's
    # own template, which takes seconds: not where every row fits whatever they are.
    most = max((len(sample.input.encode()) for sample in samples), default=0)
    long = context is not None or most + (limit or 0) > SMALL_CONTEXT
    try:
        engine = stand_in(task, task.models.base) if generated or long else Absent()
        if generated and limit is not None:
            exact = local and not isinstance(engine, Absent)
            yield from _cut_targets(engine, samples, limit, exact=exact)
        if long:
            fits = context or engine.abilities.context
            yield from _long_inputs(engine, samples, limit or 0, fits)
    except EngineError:  # what is wrong with the model is said where it is opened to be asked
        return


def _cut_targets(
    engine: Counts, samples: Sequence[Sample], limit: int, *, exact: bool
) -> Iterator[str]:
    longest = sorted({sample.target for sample in samples}, key=len, reverse=True)[:MOST_COUNTED]
    sizes = {target: engine.count_tokens(target) for target in longest}
    most = max(sizes.values(), default=0)
    cut = sum(sizes.get(sample.target, 0) > limit for sample in samples)
    unsure = () if exact else longest
    bound = max((most_tokens(target) for target in unsure if not is_prose(target)), default=0)
    enough = max(most + most // 4, bound)
    if bound > limit and not cut:
        yield (
            f"warning: targets may have more tokens than answer.max_tokens: {limit} (up to "
            f"{bound:,}; how this model counts is not known): right answers may be cut. Write "
            f"max_tokens: {enough} or more, or take the key out"
        )
    if cut:
        yield (
            f"warning: {cut:,} of {len(samples):,} targets have more tokens than "
            f"answer.max_tokens: {limit} (the longest about {most:,}): right answers will be cut. "
            f"Write max_tokens: {enough} or more, or take the key out"
        )


def _long_inputs(
    engine: Counts, samples: Sequence[Sample], limit: int, context: int
) -> Iterator[str]:
    longest = sorted(samples, key=lambda sample: len(sample.input), reverse=True)[:MOST_COUNTED]
    requests = [Request(text=sample.input, max_tokens=limit) for sample in longest]
    over = len(beyond_context(engine, requests, context))
    if over:
        size = engine.count_tokens(longest[0].input)
        most = "or more " if over == MOST_COUNTED else ""
        yield (
            f"warning: {over:,} {most}of {len(samples):,} inputs do not fit the model's context of "
            f"{context:,} tokens (row {longest[0].id} alone has about {size:,}): they will "
            "have no answer. Shorten them, or name a model with a larger context"
        )
