"""A certified system that decides: what `ladder serve` answers from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ladder.climb.opening import COMPLETIONS, make_bench
from ladder.engines.base import NO_ANSWER, OWN_KINDS
from ladder.errors import Problem, StateError, TaskError
from ladder.evaluation.calibration import applied
from ladder.evaluation.control import fitted_way
from ladder.evaluation.ways import LINEAR, Linear
from ladder.evidence import ASSESSMENT, Calibration, Candidate
from ladder.inference.answer import answer, prior_of
from ladder.inference.chances import chance, probabilities
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome
from ladder.inference.prompts import request_for
from ladder.lifecycle.answering import open_certified
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import learn_abilities
from ladder.lifecycle.revalidate import changed_pins
from ladder.models.cache import Cache, Reading
from ladder.progress import Quiet, Watch
from ladder.report.reading import read_assessment
from ladder.samples.loading import load_data
from ladder.samples.rows import Sample
from ladder.scorers.base import fold
from ladder.trust.code import Granted


@dataclass(frozen=True)
class Decided:
    """What a system answers to one input."""

    label: str = ""
    chance: float | None = None
    """The probability of the label; None: the system tells none."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of every label; empty: the system tells the answer's alone, or none."""
    tokens: int = 0
    """That the model read."""
    error: str = ""
    """Why there is no label."""
    kind: str = ""
    """What errors of one kind share (`Completion.kind`)."""
    certified: bool = False
    """The label is above the certified threshold: no other one may be put in its place."""

    @property
    def is_no_answer(self) -> bool:
        """Whether the system could not answer this input, while nothing is out of order."""
        return self.kind in OWN_KINDS


@dataclass(frozen=True)
class Deciding:
    """A system of one task of labels."""

    task: str
    labels: tuple[str, ...]
    what: str
    """Which system it is, in words."""
    changed: tuple[str, ...]
    """What differs from what was certified, by the names of the pins."""
    decide: Callable[[Sequence[str]], list[Decided]]
    """Inputs -> what is answered to each; to be called by one thread."""


def as_calibrated(
    decided: Decided, calibration: Calibration | None, threshold: float | None
) -> Decided:
    """Return an answer with its probability calibrated, or none below the threshold. Pure.

    The other labels share what the answer's own leaves, in the proportions that they had, or
    evenly where they had none.

    Args:
        decided: what the system answers.
        calibration: what the run found its probabilities to be worth; None: as they are.
        threshold: probability, as the system gives it, below which nothing is answered.
    """
    given = decided.chance
    if decided.error:
        return decided
    if threshold is not None and (given is None or given < threshold):
        found = "no probability" if given is None else f"a probability of {given:.3f}"
        said = f"the answer has {found}, and {threshold:.3f} is certified"
        return Decided(tokens=decided.tokens, error=said, kind=NO_ANSWER)
    decided = replace(decided, certified=threshold is not None)
    if given is None or calibration is None or not calibration.curve:
        return decided
    [corrected] = applied(calibration.curve, [given])
    others = {each: p for each, p in decided.probabilities.items() if each != decided.label}
    left = sum(others.values())
    if left > 0:
        spread = {each: p / left * (1 - corrected) for each, p in others.items()}
    else:  # rounded away
        spread = {each: (1 - corrected) / len(others) for each in others}
    if decided.probabilities:
        spread[decided.label] = corrected
    return replace(decided, chance=corrected, probabilities=spread)


@contextmanager
def deciding(
    path: Path, watch: Watch, granted: Granted = "trusted", *, certified_only: bool = False
) -> Iterator[Deciding]:
    """Open the system that a run chose; what it is asked is not kept.

    Its probabilities are calibrated as the run found them to be.

    Args:
        path: the run's folder, or its plan.
        watch: sees what opening takes.
        granted: what of the code that the task names may run.
        certified_only: nothing is answered below the threshold that the run certified.

    Raises:
        TaskError: there is no plan, its task is wrong, its answers are no labels, or nothing is
            certified.
    """
    certified = open_certified(path, granted)
    task, plan = certified.task, certified.plan
    if task.answer.type != "label":
        fix = "Serve a run whose answer.type is label; systems of text are served by their engine."
        got = f"the task {task.name}, whose answers are of type {task.answer.type}"
        raise TaskError([Problem(str(path), got, "a task of labels", fix)])
    calibration = _calibration_in(certified.path.parent)
    threshold = _threshold(path, calibration) if certified_only else None
    with tempfile.TemporaryDirectory(prefix="ladder-serve-") as made:
        folder = Path(made)
        cache = Cache(folder / COMPLETIONS)
        try:
            data = with_own_rows(load_data(task, cache, watch), certified.path, plan)
            watch.say(f"opening the system of {task.name}")
            bench = make_bench(task, data, cache, folder, folder, Quiet())
            learn_abilities(bench, plan)
            evaluator, candidate = bench.evaluator, plan.candidate
            if candidate is None:
                decide = _by_way(evaluator, plan.control, threshold)
                what = f"the control, {plan.control}"
            else:
                plain, what = _by_candidate(evaluator, candidate), candidate.description
                decide = partial(_calibrated, plain, calibration, threshold)
            changed = changed_pins(bench, plan)
            yield Deciding(task.name, data.labels, what, changed, decide)
        finally:
            cache.close()


def _calibration_in(run: Path) -> Calibration | None:
    """Return what a run found its answer's probabilities to be worth; None: it did not."""
    if not (run / ASSESSMENT).is_file():
        return None
    found = read_assessment(run / ASSESSMENT)[0]
    if found.recommendation.control and found.control:
        # Of the ways without a language model one alone has probabilities.
        return found.control_calibration if found.control.judged == LINEAR else None
    return found.chosen.calibration if found.chosen else None


def _threshold(path: Path, calibration: Calibration | None) -> float:
    """Return the chance from which a run may answer.

    Raises:
        TaskError: it certified none.
    """
    found = calibration.abstention if calibration else None
    if found is not None and found.threshold is not None and found.verdict != "fail":
        return found.threshold
    needed = (
        f"; it would take {found.needed:,} dev examples or more" if found and found.needed else ""
    )
    got = f"a run that certifies no threshold{needed}"
    fix = "Serve all its answers, without --certified."
    raise TaskError([Problem(str(path), got, "one that does", fix)])


def _by_way(
    evaluator: Evaluator, name: str, threshold: float | None
) -> Callable[[Sequence[str]], list[Decided]]:
    """Return what answers as a control does, and below a threshold not at all.

    Its probabilities are not told: of an input without a known word they are all the same, which a
    client takes for an answer that has read nothing.
    """
    predict = fitted_way(evaluator, name)
    if threshold is None or not isinstance(predict, Linear):
        return lambda inputs: [Decided(label) for label in predict(inputs)]

    def decide(inputs: Sequence[str]) -> list[Decided]:
        told = zip(predict(inputs), predict.chances(inputs), strict=True)
        found = (as_calibrated(Decided(label, chance), None, threshold) for label, chance in told)
        return [replace(each, chance=None) for each in found]

    return decide


def _by_candidate(
    evaluator: Evaluator, candidate: Candidate
) -> Callable[[Sequence[str]], list[Decided]]:
    """Return what answers inputs as the candidate does; the model is loaded before.

    Raises:
        StateError: it does not answer a training example.
    """
    prior = prior_of(evaluator, candidate)
    shown = evaluator.data.train[:1] or evaluator.data.dev[:1]
    [first] = answer(evaluator, candidate, shown, scored=False)
    if first.completion.error is not None and not first.completion.is_own_fault:
        raise StateError(f"the system does not answer: {first.completion.error}")
    engine = evaluator.engine(candidate)
    engine.store = Reading(engine.store)

    def decide(inputs: Sequence[str]) -> list[Decided]:
        samples = [
            Sample(id=f"request {at}", input=text, target="") for at, text in enumerate(inputs)
        ]
        try:
            outcomes = answer(evaluator, candidate, samples, scored=False)
            return [_decided(evaluator, candidate, outcome, prior) for outcome in outcomes]
        finally:
            # What a search finds is kept by a row's id: the next requests have the same ones.
            evaluator.retriever.forget(samples)

    return decide


def _calibrated(
    decide: Callable[[Sequence[str]], list[Decided]],
    calibration: Calibration | None,
    threshold: float | None,
    inputs: Sequence[str],
) -> list[Decided]:
    return [as_calibrated(each, calibration, threshold) for each in decide(inputs)]


def _decided(
    evaluator: Evaluator, candidate: Candidate, outcome: Outcome, prior: Sequence[float]
) -> Decided:
    completion, labels = outcome.completion, evaluator.data.labels
    tokens = completion.tokens_in
    if completion.error is not None:
        return Decided(tokens=tokens, error=completion.error, kind=completion.kind or "error")
    said = fold(outcome.text, lowercase=True)
    label = next((each for each in labels if fold(each, lowercase=True) == said), None)
    if label is None:
        return Decided(tokens=tokens, error="it answered none of the labels", kind=NO_ANSWER)
    choices = labels
    if candidate.retrieval is not None and candidate.retrieval.narrow:
        asked = request_for(evaluator, candidate, outcome.sample, evaluator.engine(candidate))
        choices = asked.choices
    found = probabilities(candidate, choices, completion, prior)
    return Decided(
        label,
        chance(candidate, completion, prior),
        {each: found.get(each, 0.0) for each in labels} if found else {},
        tokens,
    )
