"""Does llama.cpp answer as transformers does with the same weights, before its figures count?

The file is its own reference: transformers expands it. So quantisation is on both sides, and what
differs is the code that computes, the tokenizer and the chat template: where one of these is wrong,
answers are worse without an error, and every figure is of a model that nobody has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from ladder.engines.base import Completion, Request
from ladder.engines.bundled import converted
from ladder.engines.gguf import GgufEngine
from ladder.engines.local import LocalEngine
from ladder.errors import EngineError, MissingExtraError
from ladder.evidence import Asked, Candidate
from ladder.evidence.parity import Parity
from ladder.gate.bounds import estimate
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.hardware import available_memory_mb, precision
from ladder.inference.evaluator import Evaluator
from ladder.inference.judge import score_all
from ladder.inference.prompts import request_for
from ladder.samples.rows import Sample
from ladder.task import ModelRef
from ladder.wording import span

ROWS = 60
"""Of the dev set, and then of the training set: so many show the margin where none is lost."""
SHOTS = 4
"""Training examples that are shown in each prompt."""
MARGIN, ERROR = 0.1, 0.05
TOLD = 5
"""Likeliest first tokens that llama.cpp tells."""
LIKELY = 100
"""First tokens of transformers among which those are looked up: by their text, which both have."""
LEAST_SAME = 0.8
"""Share of rows at which both must hold the same first token for the likeliest."""
EXPANDED = 8.0
"""Times the size of a file that its weights may take in memory: 4 bits as float32."""


def parity(evaluator: Evaluator) -> Parity | None:
    """Compare the base with the same weights in transformers; None where it is no GGUF file.

    What was found is kept: it is asked again where the file, either library or the rows change.
    """
    requests = parity_requests(evaluator)
    if not requests:
        return None
    engine = getattr(evaluator.models.engine(evaluator.task.models.base), "engine", None)
    if not isinstance(engine, GgufEngine):  # a forecast asks nobody
        return None
    samples = _rows(evaluator)
    about = [engine.fingerprint(), precision(), [each.as_json() for each in requests]]
    models = evaluator.models
    before = models.asked
    with (
        models.asking("parity"),
        evaluator.watch.step("comparing the GGUF file with transformers", 1) as advance,
    ):
        kept = models.cache.remember(
            "gguf parity",
            [*about, evaluator.task.digest],
            lambda: _compared(evaluator, engine, samples, requests).model_dump(mode="json"),
        )
        found = Parity.model_validate(kept)
        if models.asked == before:  # it was kept
            models.recall(found.asked)
        advance(1)
    return found


def parity_requests(evaluator: Evaluator) -> list[Request]:
    """Return what the file, and then the same weights, are asked; nothing of another base."""
    model = evaluator.task.models.base
    if ModelRef(model).kind != "gguf":
        return []
    shots = tuple(sample.id for sample in evaluator.data.train[:SHOTS])
    asked = Candidate(rung="prompt", description="", model=model, form="plain", shots=shots)
    engine = evaluator.models.engine(model)
    return [request_for(evaluator, asked, sample, engine) for sample in _rows(evaluator)]


def _rows(evaluator: Evaluator) -> Sequence[Sample]:
    # Nothing is learnt from them.
    return (*evaluator.data.dev, *evaluator.data.train[SHOTS:])[:ROWS]


def _compared(
    evaluator: Evaluator, engine: GgufEngine, samples: Sequence[Sample], requests: Sequence[Request]
) -> Parity:
    found = Parity(
        file=engine.path.name, quantisation=engine.header.quantisation, verdict="not compared"
    )
    try:
        reference = _reference(engine)
        others = _in_order(reference, requests)
        files = _in_order(engine, [replace(each, top_logprobs=TOLD) for each in requests])
    except (EngineError, MissingExtraError) as error:
        return found.but(reason=str(error))
    before = evaluator.models.asked
    for each in (*others, *files):
        evaluator.models.count(ModelRef(evaluator.task.models.base), each)
    found = found.but(asked=_since(before, evaluator.models.asked))
    version = reference.fingerprint()["transformers"]
    found = found.but(beside=f"transformers {version}, {precision()}", rows=len(requests))
    failed = next((each.error for each in (*files, *others) if each.error), None)
    if failed:
        return found.but(reason=failed)
    scores = [
        [scored.score for scored in score_all(evaluator, _pairs(samples, answers))]
        for answers in (files, others)
    ]
    both = [(a, b) for a, b in zip(*scores, strict=True) if a is not None and b is not None]
    pairs = Pairs([a for a, _ in both], [b for _, b in both])
    equal = [float(a.text == b.text) for a, b in zip(files, others, strict=True)]
    same, gaps = _first_tokens(reference, requests, files)
    return judged(
        found.but(
            equal=estimate(equal, 1 - ERROR),
            same_first=same,
            logprob_median=median(gaps) if gaps else None,
            logprob_most=max(gaps, default=None),
            not_worse=not_worse_by("parity", pairs, MARGIN, ERROR),
        )
    )


def _since(before: Asked, after: Asked) -> Asked:
    return Asked(
        calls=after.calls - before.calls,
        tokens=after.tokens - before.tokens,
        seconds=after.seconds - before.seconds,
    )


def judged(found: Parity) -> Parity:
    """Return a comparison with its verdict."""
    score = found.not_worse
    if score is None or score.verdict == "too few rows":
        few = f"{found.rows} rows are too few to show that the score is not worse by {MARGIN}"
        return found.but(verdict="not compared", reason=few)
    if score.verdict != "not worse":
        lost = f"{score.lost} lost and {score.won} won of {score.rows} rows"
        why = f"its score is not shown to be not worse by {MARGIN}: {lost}"
        return found.but(verdict="fails", reason=why)
    if found.same_first < LEAST_SAME * found.rows:
        why = f"both begin with the same token at {found.same_first} of {found.rows} rows only"
        return found.but(verdict="fails", reason=why)
    return found.but(verdict="holds")


def parity_line(found: Parity) -> str:
    """Say in one line how a GGUF file's answers compare, for whoever watches."""
    what = f"GGUF file {found.file} ({found.quantisation})"
    if found.equal is None:
        return f"{what}: not compared with transformers: {found.reason}"
    apart = found.logprob_median
    told = (
        ""
        if apart is None or found.logprob_most is None
        else (
            f", log-probabilities of first tokens {apart:.2g} nats apart "
            f"(at most {found.logprob_most:.2g})"
        )
    )
    score = (
        ""
        if found.not_worse is None
        else (
            f", score {found.not_worse.difference:+.2f} ({found.not_worse.verdict} by "
            f"{found.not_worse.margin:g})"
        )
    )
    words = f"{found.verdict}: {found.reason}" if found.reason else found.verdict
    return (
        f"{what} beside {found.beside}: {span(found.equal)} of {found.rows} answers equal{told}"
        f"{score}: parity {words}"
    )


def _reference(engine: GgufEngine) -> LocalEngine:
    """Open the same weights in transformers.

    Raises:
        EngineError: they do not fit into memory, or transformers does not know the architecture.
        MissingExtraError: transformers is not installed.
    """
    needed = engine.path.stat().st_size / 1e6 * EXPANDED
    there = available_memory_mb()
    if needed > there:
        raise EngineError(f"its weights may take {needed:,.0f} MB, and {there:,.0f} MB are free")
    try:
        folder = converted(f"gguf-{engine.fingerprint()['gguf'][:16]}", engine.path)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise EngineError(f"transformers does not read it: {error}") from None
    return LocalEngine(folder)


def _in_order(engine: Any, requests: Sequence[Request]) -> list[Completion]:
    found = dict(engine.complete(requests))
    return [found[at] for at in range(len(requests))]


def _pairs(samples: Sequence[Sample], answers: Sequence[Completion]) -> list[tuple[Sample, str]]:
    return [(each, answer.text) for each, answer in zip(samples, answers, strict=True)]


def _first_tokens(
    reference: LocalEngine, requests: Sequence[Request], told: Sequence[Completion]
) -> tuple[int, list[float]]:
    """Return at how many rows both begin alike, and how far the likeliest tokens are apart."""
    same, gaps = 0, []
    for request, answer in zip(requests, told, strict=True):
        values, ids = reference.first_logprobs([request])[0].topk(LIKELY)
        known = {
            reference.tokenizer.decode([int(token)]): float(value)
            for value, token in zip(values, ids, strict=True)
        }
        same += bool(answer.first_logprobs) and answer.first_logprobs[0][0] == next(iter(known))
        gaps += [abs(v - known[t]) for t, v in answer.first_logprobs[:1] if t in known]
    return same, gaps
