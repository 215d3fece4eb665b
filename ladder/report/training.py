"""What the report says of training: which way, what it was expected to take, what it took.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ladder.evidence import Assessment, Attempt, Build, Need, TrainingMethod
from ladder.report.blocks import Block, Heading, Said, Strong, say, tabled
from ladder.report.causes import diagnosis_sentence
from ladder.report.limits import limit_reason
from ladder.report.reasons import attempt_reason, score_of
from ladder.rungs import trains
from ladder.wording import duration

UNKNOWN = "–"
"""Beside a method of a file written before its grounds were kept."""


def build_blocks(build: Build) -> Iterator[Block]:
    """Say what a training took, beside what was estimated."""
    if not build.train_tokens:
        return
    expected = build.estimated
    estimated = (
        f" Foreseen: {duration(expected.seconds)}, {expected.memory_mb:,.0f} MB."
        if expected
        else ""
    )
    yield say(
        f"Build: {duration(build.seconds)}, {build.train_tokens:,} training tokens, "
        f"{build.peak_memory_mb:,.0f} MB at the peak, {build.usd:.4f} USD.{estimated}"
    )


def training_method_blocks(a: Assessment) -> Iterator[Block]:
    """Say which ways of training there are, and what speaks for or against each."""
    found = a.recommendation.training_methods
    if not found:
        return
    yield Heading(2, "Which way of training")
    rows: list[tuple[Said, ...]] = []
    for way in found:
        name: Said = (Strong(way.name), " (chosen)") if way.chosen and a.chosen else way.name
        rows.append((name, method_reason(way, a.attempts, a.task.scorer)))
    yield tabled(("technique", "why, or why not"), *rows)


def method_reason(way: TrainingMethod, attempts: Sequence[Attempt], scorer: str) -> str:
    """Say what speaks for or against a way of training.

    Args:
        way: the method.
        attempts: of the whole climb.
        scorer: name of the one that is gated.
    """
    attempt = next((one for one in attempts if one.rung == way.rung), None)
    if way.name == "none":
        return _no_training(way, attempt, attempts)
    if way.name in ("lora", "distill"):
        return (_lora if way.name == "lora" else _distill)(way, attempt, attempts)
    if way.name == "dora":
        return _dora(way, attempt)
    if way.name == "preference":
        return _preference(way, scorer)
    return _qlora(way) if way.name == "qlora" else _full(way)


def _no_training(way: TrainingMethod, attempt: Attempt | None, attempts: Sequence[Attempt]) -> str:
    if attempt is None:
        return f"neither {' nor '.join(way.untrained)} was measured" if way.untrained else UNKNOWN
    if way.ground == "training refused" and not way.chosen:  # a student all the same
        untrained = [x for x in attempts if trains().get(x.rung) == "nothing" and x.measurement]
        attempt = max(untrained, key=_mean, default=attempt)
    elif way.ground == "training refused":
        return diagnosis_sentence(attempt)
    if way.ground == "untrained rung chosen":
        word = "passes" if attempt.status == "passed" else "leans to pass, inconclusive"
        return f"{attempt.rung} {word} with {score_of(attempt)}: nothing has to be trained"
    best = f"{attempt.rung} with {score_of(attempt)}, {attempt.status}"
    return f"the best without training is {best}"


def _lora(way: TrainingMethod, attempt: Attempt | None, attempts: Sequence[Attempt]) -> str:
    needs = f"; {_memory(way.memory)}" if way.memory else ""
    if way.ground is None:
        return UNKNOWN
    if attempt is None or attempt.measurement is None:
        why = attempt_reason(attempt, attempts) if attempt else _not_climbed(attempts)
        return f"not measured ({why}){needs}"
    build = attempt.measurement.build
    took = f"{build.seconds / 60:.1f} min and {build.peak_memory_mb / 1024:.1f} GB"
    said: str = attempt.status
    if attempt.status == "failed":
        said += f" ({attempt_reason(attempt, attempts)})"
    return f"measured: {score_of(attempt)}, {said}; its training took {took}{needs}"


def _not_climbed(attempts: Sequence[Attempt]) -> str:
    passed = next((attempt.rung for attempt in attempts if attempt.status == "passed"), None)
    return f"not needed: {passed} passes" if passed else "not climbed to"


def _qlora(way: TrainingMethod) -> str:
    if way.memory is None:
        known = way.ground == "weights elsewhere"
        elsewhere = "the base's weights are not on this machine: nothing to hold in 4 bits"
        return elsewhere if known else UNKNOWN
    if way.ground == "lora fits":
        return f"not needed, since LoRA fits; {_memory(way.memory)}, and half the speed"
    return f"LoRA does not fit; {_memory(way.memory)}"


def _dora(way: TrainingMethod, attempt: Attempt | None) -> str:
    if way.near is None:
        return UNKNOWN
    if attempt is None or way.short is None:
        return "a stronger adapter at twice LoRA's time: to be tried where LoRA misses by a little"
    if way.short <= 0:
        return f"not tried: LoRA holds the score ({score_of(attempt)}), and it takes twice the time"
    missed = f"LoRA misses by {way.short:.2f}"
    if way.short <= way.near:
        return f"{missed}: worth a try (training: {{recipe: dora}}), twice its time"
    return f"{missed}, more than another adapter closes"


def _full(way: TrainingMethod) -> str:
    if way.rows is None or way.least_rows is None:
        return UNKNOWN
    few = way.rows < way.least_rows
    word = "are few for all weights" if few else "could teach all weights"
    return f"{way.rows:,} rows {word}" + (f"; {_memory(way.memory)}" if way.memory else "")


def _preference(way: TrainingMethod, scorer: str) -> str:
    if way.ground is None:
        return UNKNOWN
    if way.file:
        does = "`ladder train dpo` moves how often the preferred answer is given"
        return f"{way.file} is there: {does}"
    return (
        f"no preferred and rejected answers are given (data.preferences), and {scorer} scores "
        "answers by themselves"
    )


def _distill(way: TrainingMethod, attempt: Attempt | None, attempts: Sequence[Attempt]) -> str:
    if attempt is not None and way.ground == "measured":
        return f"measured: {score_of(attempt)}, {attempt.status}"
    if attempt is not None and attempt.verdict:
        missed = [limit for limit in attempt.verdict.limits if limit.limit == way.limit]
        return f"{attempt.rung} misses {way.limit}: {'; '.join(map(limit_reason, missed))}"
    if way.ground == "limits held":
        return "no measured system misses its cost or latency limit"
    if way.ground is None:
        return UNKNOWN
    return "the gate limits neither cost nor latency: nothing asks for a smaller model"


def _mean(attempt: Attempt) -> float:
    return attempt.measurement.score.mean if attempt.measurement else 0.0


def _memory(need: Need) -> str:
    needed, there = need.needed_mb / 1024, need.available_mb / 1024
    return f"about {needed:.1f} GB needed, {there:.1f} GB free"
