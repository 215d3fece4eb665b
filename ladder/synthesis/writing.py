"""What the teacher is asked for: a new input, after a few training examples and nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ladder.engines.base import Completion, Request
from ladder.inference.forms import wordings
from ladder.inference.prompts import one_line
from ladder.models.cache import CachedEngine
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample

TEMPERATURE = 0.9
"""High enough that the examples are seldom repeated word for word."""
LIKE_SHOWN, OTHERS_SHOWN = 4, 2
"""Rows of the kind that is asked for, and of other labels, which show where it ends."""
LONGEST_SHARE = 3
"""An input may take this part of the model's context at most: the examples need the rest."""
MORE = (
    "Below are examples. Write one more text of the kind that the last line asks for: something "
    "else than the examples say, in other words. Answer with the text alone."
)


@dataclass(frozen=True)
class Draft:
    """A row to be written."""

    number: int
    kind: str
    """The label that the input shall have; in a task without labels, the stratum."""
    request: Request
    shown: tuple[Sample, ...] = ()
    """The training examples that stand in the request."""


def drafts(bench: Bench, engine: CachedEngine, count: int) -> list[Draft]:
    """Return what to ask for: each kind of row in turn, each with examples drawn by the seed.

    Args:
        bench: gives the training examples; those of other splits are never looked at.
        engine: the teacher's.
        count: rows to ask for.
    """
    by_kind: dict[str, list[Sample]] = {}
    for sample in bench.data.observed:
        by_kind.setdefault(kind_of(bench, sample), []).append(sample)
    kinds = sorted(by_kind)
    random.Random(bench.task.seed).shuffle(kinds)
    limit = _input_tokens(bench, engine)
    return [
        _draft(bench, engine, by_kind, Draft(at, kinds[at % len(kinds)], Request(max_tokens=limit)))
        for at in range(count)
    ]


def kind_of(bench: Bench, sample: Sample) -> str:
    """Return what the rows are spread over: the label, or else the stratum."""
    return sample.target if bench.data.labels else sample.stratum


def _draft(
    bench: Bench, engine: CachedEngine, by_kind: dict[str, list[Sample]], bare: Draft
) -> Draft:
    """Return a draft with its examples and its whole request."""
    kind, limit = bare.kind, bare.request.max_tokens
    draw = random.Random(f"{bench.task.seed}:{bare.number}")
    like = by_kind[kind]
    shown = draw.sample(like, min(LIKE_SHOWN, len(like)))
    if bench.data.labels:
        others = [row for one, rows in by_kind.items() if one != kind for row in rows]
        shown = draw.sample(others, min(OTHERS_SHOWN, len(others))) + shown
    text = _text(bench, kind, shown)
    # The kind asked for stands last, so what does not fit is left out from the front.
    while len(shown) > 1 and engine.most_tokens(text) + limit > engine.abilities.context:
        shown = shown[1:]
        text = _text(bench, kind, shown)
    request = replace(bare.request, temperature=TEMPERATURE, sample=bare.number)
    if engine.abilities.plain:
        request = replace(request, text=text, stop=("\n",))
    else:
        turns = (("system", f"{bench.task.goal}\n{MORE}"), ("user", text))
        request = replace(request, messages=turns)
    return replace(bare, request=request, shown=tuple(shown))


def _text(bench: Bench, kind: str, shown: Sequence[Sample]) -> str:
    """Return the examples in plain form; a label stands before its input, which is asked for."""
    asks, answers = wordings(bench.evaluator)[0]
    blocks = [bench.task.goal]
    if bench.data.labels:
        blocks += [f"{answers}: {one_line(s.target)}\n{asks}: {one_line(s.input)}" for s in shown]
        blocks.append(f"{answers}: {one_line(kind)}\n{asks}:")
    else:
        blocks += [f"{asks}: {one_line(s.input)}\n{answers}: {one_line(s.target)}" for s in shown]
        blocks.append(f"{asks}:")
    return "\n\n".join(blocks)


def _input_tokens(bench: Bench, engine: CachedEngine) -> int:
    longest = max(engine.most_tokens(sample.input) for sample in bench.data.observed[:500])
    return min(longest + longest // 4 + 8, engine.abilities.context // LONGEST_SHARE)


def read_input(bench: Bench, draft: Draft, completion: Completion) -> str:
    """Return the written input; empty where it is none: nothing, cut off, or the prompt's lines."""
    asks, answers = wordings(bench.evaluator)[0]
    text = one_line(completion.text.strip().removeprefix(f"{asks}:"))
    marked = any(f"{mark}:" in text for mark in (asks, answers))
    return "" if completion.cut or marked or not any(map(str.isalnum, text)) else text
