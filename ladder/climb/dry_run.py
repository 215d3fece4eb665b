"""A dry run of the climb: the climb's own code over the task's own rows, asking nobody.

Its engine counts what it is asked and answers by a draw, so the dry run knows every candidate,
round, look and ablation. What it has to assume is how long free answers get, and how far apart the
candidates are: those that fall behind early are asked less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import fmean

import yaml

from ladder.climb.attempt import attempt_rung
from ladder.climb.opening import open_bench
from ladder.climb.preflight import gate_warnings
from ladder.climb.stand_ins import stand_in
from ladder.diagnosis.ablations import ENOUGH_MISSES, run_ablations
from ladder.diagnosis.context_costs import MOST_ROWS as CURVE_ROWS
from ladder.diagnosis.context_costs import context_costs
from ladder.economy.cost import machine_usd, since, together
from ladder.engines.base import Completion, Request
from ladder.engines.context import Counts
from ladder.engines.fields import Form, Kind
from ladder.engines.speed import Speed, usual_speed
from ladder.evaluation.confirm import confirm
from ladder.evaluation.control import measure_control
from ladder.evaluation.parity import parity_requests
from ladder.evaluation.people import judge_agreement
from ladder.evidence import Asked, Build, Candidate, Memory
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator, Scorers
from ladder.models.cache import Cache, CachedEngine
from ladder.models.models import Models
from ladder.progress import Advance, Forecast, Quiet, Watch, Work
from ladder.retrieval.retriever import Retriever
from ladder.rungs import LADDER, trains
from ladder.rungs.protocol import Bench
from ladder.samples.describe import describe_data, headline, refuse_untestable
from ladder.samples.rows import Sample
from ladder.scorers import make_scorer, runs_code
from ladder.scorers.base import ModelScorer, Score, Scorer
from ladder.task import ModelRef, Task
from ladder.training.estimate import START_SECONDS, slowdown
from ladder.training.prune import KEPT_SHARE
from ladder.training.recipes import Recipe
from ladder.training.rows import texts_of
from ladder.training.trainer import Rows, Trainer

SHARE_OF_MOST = 0.6
"""Free answers use about so much of the tokens they may have."""
ENDPOINT_SECONDS = 1.0 / 8
"""Seconds an endpoint's answer takes, with eight under way at once."""
HEAD_SECONDS = 15.0
"""A linear classifier: starting, features of some thousand texts, and the solver."""
ENCODER_SLOWDOWN = 1.8
"""Tokens that the bundled base reads while an encoder of all-MiniLM-L6-v2's size learns one."""
EFFICIENCY = 0.85
"""Rows of mixed lengths, a few at a time, reach so much of the probed speed."""
PLAYS = 3
"""Dry runs whose mean is the forecast, at most: who stands out in a race is chance."""
PATIENCE = 10.0
"""Seconds after which no further dry run begins: a forecast is to be had at once."""
FORESIGHT = 5.0
"""Seconds of its own thread, after which a climb begins without a forecast."""
DIAGNOSED_ROWS = 8
"""Rows of a diagnosis; a real one reads more, of which each costs the same."""
MESSAGE_TOKENS = 4
"""What a chat template adds to a message."""
DRAWN_LABEL_TOKENS = 3
DRY = "dry-run"
SEALED, JUDGE, PARITY, DIAGNOSIS = "test set", "judge", "parity", "diagnosis"


class DryEngine:
    """Counts what it is asked and answers by a draw."""

    def __init__(
        self,
        name: str,
        real: Counts,
        speed: Speed,
        texts: Sequence[str],
    ) -> None:
        self.name = name
        self.abilities = real.abilities
        self.count_tokens = real.count_tokens
        self.speed = speed
        self.texts = texts or ("",)
        longest = max(map(self.count_tokens, self.texts))
        self._most = 2 * longest + 16
        """Tokens of a chatty answer: a limit may leave much more room, and is seldom reached."""

    def fingerprint(self) -> dict[str, str]:
        """Return a name of its own: its answers are nobody's."""
        return {"dry run": self.name}

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield drawn answers with the tokens and seconds that real ones would take."""
        prompts = [_as_text(request) for request in requests]
        shared = len(_common_prefix(prompts)) if len(prompts) > 1 else 0
        shared_tokens = self.count_tokens(prompts[0][:shared]) if shared else 0
        alone = len(requests) == 1
        write = self.speed.write_alone if alone else self.speed.write
        for at, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
            tokens_in = self.count_tokens(prompt) + MESSAGE_TOKENS * len(request.messages)
            drawn = _draw(f"{prompt}{request.sample or ''}")  # draws differ: a vote takes its most
            if request.choices:
                tokens_out, written = DRAWN_LABEL_TOKENS, 0.0
                scored = DRAWN_LABEL_TOKENS * len(request.choices)
                text = request.choices[int(drawn * len(request.choices))]
            else:
                tokens_out = max(1, round(SHARE_OF_MOST * min(request.max_tokens, self._most)))
                written, scored = float(tokens_out), 0
                text = self.texts[int(drawn * len(self.texts))]
            seconds = ENDPOINT_SECONDS
            if self.abilities.scores_choices:  # a model of this machine
                own = tokens_in - shared_tokens + scored + shared_tokens / len(requests)
                read = self.speed.reading(own, tokens_in, alone=alone)
                seconds = (read + written / write) / EFFICIENCY
            logprobs = tuple(float(-(choice != text)) for choice in request.choices)
            yield at, Completion(text, tokens_in, tokens_out, seconds, choice_logprobs=logprobs)


@dataclass
class Luck:
    """Who answers now, and how good it is: nobody has seen a candidate answer yet."""

    deal: int
    """Another one draws other candidates to be good."""
    skill: float = 1.0
    """The share of answers that the candidate now asked gets right."""
    draws: Random = field(default_factory=Random)

    def turn_to(self, candidate: Candidate) -> None:
        """Draw how good a candidate is: the same whenever it is asked in this deal."""
        self.draws = Random(f"{self.deal} {candidate.model_dump_json()}")
        self.skill = self.draws.random()

    def score(self, answer: str, target: str) -> Score:
        """Find as many answers right as the candidate is good."""
        return Score(float(self.draws.random() < self.skill))


@dataclass(frozen=True)
class DryEvaluator(Evaluator):
    """Knows whose turn it is: each candidate draws its own luck."""

    luck: Luck = field(default_factory=partial(Luck, 0))

    def engine(self, candidate: Candidate) -> CachedEngine:
        """Return the engine that counts, and let the candidate draw."""
        self.luck.turn_to(candidate)
        return super().engine(candidate)


class DryTrainer:
    """Counts what a training would read; the shapes of models are not read."""

    def __init__(
        self, real: Trainer, examples: Sequence[Sample], models: Models, speed: Speed
    ) -> None:
        """Count nothing yet.

        Args:
            real: what would train.
            examples: the task's own, to train on.
            models: count.
            speed: of the base on this machine.
        """
        self.real, self.examples, self.models, self.speed = real, examples, models, speed

    def base(self) -> Path:
        """Return a name for the base."""
        return Path("base")

    def student(self) -> Path:
        """Return a name for the student."""
        return Path("student")

    def narrowed(self, student: Path, rows: Rows) -> Path:
        """Return the student's name."""
        return student

    def embedding(self) -> Path | None:
        """Return the folder that a training would read: it is only named."""
        return self.real.embedding()

    def fields(self, inputs: Sequence[str], answers: Sequence[str], kind: Kind) -> Form:
        """Return the fields of the task's own answers: drawn ones do not stand in their inputs."""
        examples = self.examples
        return self.real.fields([e.input for e in examples], [e.target for e in examples], kind)

    def memory(self) -> Memory | None:
        """Return nothing."""
        return None

    def train(
        self,
        recipe: Recipe,
        start: Path | None,
        rows: Rows,
        overrides: Mapping[str, str] | None = None,
    ) -> Build:
        """Count what the recipe would read."""
        if recipe.rows == "labels" and not recipe.about.fills_fields:  # a linear classifier
            self.models.foresee(Asked(seconds=HEAD_SECONDS))
            return Build(seconds=HEAD_SECONDS, folder=DRY)
        depth = KEPT_SHARE if start and start.name == "student" else 1.0
        settings = yaml.safe_load(recipe.path.read_text(encoding="utf-8"))
        engine = self.models.engine(self.models.task.models.base)
        sizes = [sum(engine.count_tokens(text) for text in texts_of(row)) for row in rows]
        epochs = float(settings.get("num_train_epochs", 3))
        tokens = round(epochs * sum(sizes))
        times = ENCODER_SLOWDOWN if recipe.about.fills_fields else depth * slowdown(settings)
        reading = epochs * sum(self.speed.reading(size, size) for size in sizes)
        seconds = START_SECONDS + times * reading
        self.models.foresee(Asked(tokens=tokens, seconds=seconds))
        return Build(seconds=seconds, train_tokens=tokens, folder=DRY)


def _scorers(task: Task, luck: Luck) -> Scorers:
    """Return scorers that go by luck; judges are asked. Code that the task brings is not run."""
    found: list[tuple[str, Scorer | ModelScorer]] = []
    for choice in task.score:
        made = None if runs_code(choice) else make_scorer(choice, f"{task.source}: score")
        found.append((choice.name, made if isinstance(made, ModelScorer) else luck.score))
    return tuple(found)


def dry_bench(
    bench: Bench, speed: Speed, deal: int, folder: Path, watch: Watch | None = None
) -> Bench:
    """Return the bench with parts that count: engines, scorers, search in memory, a trainer.

    Args:
        bench: the real one.
        speed: of the base on this machine.
        deal: draws which candidates are good.
        folder: for what is written, and thrown away.
        watch: sees the dry run's own steps; default: nobody.
    """
    task, data, watch = bench.task, bench.data, watch or Quiet()
    texts = [sample.target for sample in data.train[:200]]
    counts: dict[ModelRef, Counts] = {}

    def opener(model: ModelRef, adapter: str | None) -> DryEngine:
        counted = task.models.base if model.name == DRY else model  # a trained one like it
        if counted not in counts:  # a tokenizer is read once
            counts[counted] = stand_in(task, counted)
        engine = counts[counted]
        return DryEngine(f"{model} {adapter}", engine, speed, texts)

    cache = Cache(folder / "dry_run.sqlite")
    models = Models(task, cache, watch, opener)
    retriever = Retriever(task, data, cache, watch, stored=False)  # it writes to no store
    luck = Luck(deal)
    evaluator = DryEvaluator(task, data, models, retriever, _scorers(task, luck), watch, luck=luck)
    return Bench(evaluator, DryTrainer(bench.trainer, data.train, models, speed), folder)


def dry_run(
    task: Task, runs: Path, watch: Watch, *, until: str | None = None
) -> tuple[list[str], dict[str, Asked | str]]:
    """Return what the examples can tell, and what each rung would take (or why it is not tried).

    Every rung is taken as measured on the whole eval set, and diagnosed as if it had failed; the
    last one is confirmed on the test set. A judge is asked about the answers that people graded,
    and about the control's; a GGUF file is compared with the same weights.
    """
    bench = open_bench(task, runs, watch, scorers=())  # it runs none of the task's code
    report = describe_data(task, bench.data)
    refuse_untestable(task, report)
    with watch.step("measuring how fast this machine answers", 1) as advance:
        speed = bench.evaluator.models.speed()
        advance(1)
    played, started = list[dict[str, Asked | str]](), time.monotonic()
    with watch.step(f"dry run of the climb, {PATIENCE:g} s or somewhat more", PLAYS) as advance:
        for deal in range(PLAYS):
            if played and time.monotonic() - started > PATIENCE:
                break
            with tempfile.TemporaryDirectory() as scratch:
                play = dry_bench(bench, speed, deal, Path(scratch))
                played.append(_play(play, until))
                play.evaluator.models.cache.close()
            advance(deal + 1)
    bench.evaluator.models.cache.close()
    found = {name: _mean([play[name] for play in played]) for name in played[0]}
    if found[DIAGNOSIS] == Asked():
        del found[DIAGNOSIS]  # nothing is asked anew to tell causes apart
    return [headline(task, report), *gate_warnings(task, bench.data)], found


class _Impatient(Quiet):
    """Ends a dry run that takes long; what it loads first, the climb would load itself."""

    def __init__(self) -> None:
        self._since: float | None = None

    @contextmanager
    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> Iterator[Advance]:
        """Raise TimeoutError where it is too late to begin."""
        now = time.thread_time()
        self._since = now if self._since is None else self._since
        if now - self._since > FORESIGHT:
            raise TimeoutError
        with super().step(title, total, work, at_most=at_most) as advance:
            yield advance


def foresee(bench: Bench, until: str | None) -> Forecast | None:
    """Return what each rung may take, for whoever watches a climb; None where it takes long to say.

    One dry run, at the speed of a small model: how fast this machine and this model really are,
    the first answers tell. Nothing of it is a part of the climb.

    Args:
        bench: of the climb that is about to begin.
        until: the last rung to climb.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            play = dry_bench(bench, usual_speed(), 0, Path(scratch), _Impatient())
            found = _play(play, until)
            play.evaluator.models.cache.close()
    except Exception:  # whatever it is: that nothing can be foreseen is no reason to end a climb
        return None
    known = {name: asked for name, asked in found.items() if isinstance(asked, Asked)}
    apart = (JUDGE, PARITY, SEALED, DIAGNOSIS)
    rungs = {name: asked for name, asked in known.items() if name not in apart}
    return Forecast(
        rungs={name: asked.seconds for name, asked in rungs.items()},
        tokens={n: asked.tokens for n, asked in rungs.items() if trains().get(n) == "nothing"},
        confirmation=known[SEALED].seconds if SEALED in known else 0.0,
        diagnosis=known[DIAGNOSIS].seconds / len(rungs) if DIAGNOSIS in known else 0.0,
    )


def _play(play: Bench, until: str | None) -> dict[str, Asked | str]:
    """Return what each part of one dry run takes."""
    found: dict[str, Asked | str] = {}
    models, diagnoses = play.evaluator.models, Asked()
    if judge_agreement(play.evaluator):
        measure_control(play.evaluator)
        found[JUDGE] = _since(Asked(), models)
    if requests := parity_requests(play.evaluator):
        before = models.asked
        list(models.engine(play.task.models.base).complete(requests))
        found[PARITY] = _times(_since(before, models), 2)  # the file, and its weights beside it
    for rung in LADDER:
        if rung.NAME not in play.task.rungs:
            continue
        reason = rung.needs(play.task, play.data) or rung.unavailable(play)
        before = models.asked
        if reason is None:
            play.history.add(*attempt_rung(play, rung, every=True))
        found[rung.NAME] = reason or _since(before, models)
        if reason is None:
            diagnoses = together(diagnoses, _diagnosed(play))
        if until == rung.NAME:
            break
    found[DIAGNOSIS] = together(diagnoses, _context_curve(play))
    last = play.history.attempts[-1].candidate if play.history.attempts else None
    if last is not None:
        before = models.asked
        confirm(play.evaluator, last)
        found[SEALED] = _since(before, models)
    return found


def _diagnosed(play: Bench) -> Asked:
    """Return what the diagnosis of the last rung takes, if every second answer is wrong.

    In a dry run most rungs pass by the luck of the draw; a real one that fails often costs more to
    diagnose than to measure. A few eval examples stand for all: of each the same is asked.
    """
    evaluator, candidate = play.evaluator, play.history.attempts[-1].candidate
    if candidate is None:
        return Asked()
    rows, models = play.data.gate, evaluator.models
    few = rows[:DIAGNOSED_ROWS]
    answered = answer(evaluator, candidate, few, "measured already")
    outcomes = [replace(one, score=float(at % 2)) for at, one in enumerate(answered)]
    before = models.asked
    run_ablations(evaluator, candidate, outcomes)
    return _times(_since(before, models), min(len(rows), 2 * ENOUGH_MISSES) / len(few))


def _context_curve(play: Bench) -> Asked:
    """Return what the curve of what context costs takes: once, at the last rung that reads."""
    rows, models = play.data.gate, play.evaluator.models
    few, before = rows[:DIAGNOSED_ROWS], models.asked
    for attempt in reversed(play.history.attempts):
        if attempt.candidate and context_costs(play.evaluator, attempt.candidate, few):
            break
    return _times(_since(before, models), min(len(rows), CURVE_ROWS) / max(1, len(few)))


def _times(asked: Asked, factor: float) -> Asked:
    return Asked(
        calls=round(factor * asked.calls),
        tokens=round(factor * asked.tokens),
        seconds=factor * asked.seconds,
        usd=factor * asked.usd,
    )


def _mean(found: Sequence[Asked | str]) -> Asked | str:
    """Return the mean of what several plays took, or why it is not tried."""
    asked = [one for one in found if isinstance(one, Asked)]
    if not asked:
        return found[0]
    return Asked(
        calls=round(fmean(one.calls for one in asked)),
        tokens=round(fmean(one.tokens for one in asked)),
        seconds=fmean(one.seconds for one in asked),
        usd=fmean(one.usd for one in asked),
    )


def _since(before: Asked, models: Models) -> Asked:
    """Return what would be asked since, with its price: an endpoint's tokens, or machine time."""
    asked = since(before, models.asked)
    if models.prices(models.task.models.base) is None:
        usd = asked.usd + machine_usd(asked.seconds, models.task.hardware.usd_per_hour)
        return asked.but(usd=usd)
    return asked


def _draw(seed: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(sha256(seed.encode(errors="replace")).digest()[:7]) / 256**7


def _as_text(request: Request) -> str:
    return request.text or "\n".join(f"{role}\n{content}" for role, content in request.messages)


def _common_prefix(texts: Sequence[str]) -> str:
    low, high = min(texts), max(texts)
    size = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:size]
