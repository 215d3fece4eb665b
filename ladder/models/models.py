"""The models of a task: each opened once, behind the cache, counted, and kept to the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from ladder.economy.cost import together
from ladder.economy.prices import listed_prices
from ladder.engines import is_served, kind_of, model_folder, open_engine
from ladder.engines.base import Abilities, Completion, Engine, Learning, Served, Templated, here
from ladder.engines.bundled import first_use
from ladder.engines.local import LocalEngine
from ladder.engines.sharded import Crew, Place, ShardedEngine
from ladder.engines.speed import Speed, probe, probing_seconds, usual_speed
from ladder.errors import EngineError, MissingExtraError, Problem, TaskError
from ladder.evidence import Asked, Build, Cluster, Purpose
from ladder.hardware import hardware, threads
from ladder.models.cache import Cache, CachedEngine, Store
from ladder.models.own_code import may_run
from ladder.models.spending import Meter, Spending
from ladder.progress import Spent, Watch
from ladder.task import ModelRef, Prices, ScorerChoice, Task
from ladder.wording import duration

ENGINES_KEPT = 2
"""Engines held in memory at once: a base and one built on it."""

Opener = Callable[[ModelRef, str | None], Engine]
"""(model reference, adapter folder) -> engine."""


class Models:
    """Opens a task's models, caches their completions, and counts what they were asked."""

    def __init__(
        self, task: Task, cache: Cache, watch: Watch, opener: Opener | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            task: names the models, their prices, and the rules.
            cache: keeps what was measured, what was paid, and completions.
            watch: is told of what takes long.
            opener: opens an engine; default: the engine itself. A dry run's only counts.
        """
        self.task, self.cache, self.watch = task, cache, watch
        self.completions: Store = cache
        """What keeps completions: the cache, or what machines share in its place."""
        self._open = opener or self._opened
        self._is_dry = opener is not None
        self._engines: dict[tuple[ModelRef, str | None], CachedEngine] = {}
        self.asked = Asked()
        """What models were asked in this run; cached completions are not in it."""
        self.needed: dict[Purpose, Asked] = {}
        """What the run needed to know, by what for: each request once, cached or not, and second
        tries. On an empty cache it is what was asked."""
        self._purpose: Purpose = "measuring"
        self._met: set[str] = set()

    def engine(self, model: str, adapter: str | None = None) -> CachedEngine:
        """Return the engine of a model reference, behind the cache.

        Raises:
            TaskError: the engine is not on this machine and the task keeps its data here.
        """
        model = ModelRef(model)
        key = (model, adapter)
        if key not in self._engines:
            opened = self._open(model, adapter)
            self._know_template(opened)
            keep_here(self.task, model, opened)
            if opened.abilities.served and not self._is_dry:
                self._limit(model, cast(Served, opened))
            self._make_room()
            self._engines[key] = CachedEngine(opened, self.completions, partial(self._tell, model))
        return self._engines[key]

    def uncached(self, model: str, adapter: str | None = None) -> Engine:
        """Return an engine that answers anew each time, held to the limits of time and spending.

        What it is asked is counted by `count`, and is nobody's data unless `may_be_asked` allows
        it: nothing is refused here.
        """
        model = ModelRef(model)
        opened = here(self._open(model, adapter))
        if opened.abilities.served and not self._is_dry:
            self._limit(model, cast(Served, opened))
        return opened

    def _opened(self, model: ModelRef, adapter: str | None) -> Engine:
        if first_use(model):
            self.watch.say("converting the bundled model, once: about 20 s")
        opened = open_engine(model, adapter, self.task.folder, may_run(self.task, model))
        if self.crew is None or not isinstance(opened, LocalEngine):
            return opened
        return ShardedEngine(opened, self._opener_elsewhere(model, opened), self.crew)

    def _opener_elsewhere(self, model: ModelRef, opened: LocalEngine) -> Callable[[], LocalEngine]:
        """Return what opens the same model on another machine.

        What is a folder here is the folder at the same path there; what a package or the hub has
        brought is where they bring it there.
        """
        adapter = opened.adapter.resolve() if opened.adapter else None
        folders = (Path(model.name), self.task.folder / model.name)
        if model.kind == "hf" and any(folder.is_dir() for folder in folders):
            return partial(LocalEngine, opened.folder.resolve(), adapter)
        on_top = str(adapter) if adapter else None
        opener = partial(open_engine, model, on_top, self.task.folder.resolve())
        return cast(Callable[[], LocalEngine], opener)

    @cached_property
    def crew(self) -> Crew | None:
        """The workers of the task's cluster; None: its models answer here."""
        wanted = self.task.execution
        if wanted.engine == "local":
            return None
        place = Place(
            address=wanted.address,
            cpus=wanted.cpus or threads(),
            gpus=wanted.gpus,
            workers=wanted.workers,
            may_leave=self.task.rules.data_may_leave,
        )
        return Crew(place, self.watch.say)

    @property
    def cluster(self) -> Cluster | None:
        """Where this run's answers came from; None: from this machine alone, or none was new."""
        if self.crew is None or not self.crew.counts.chunks:
            return None
        return Cluster(address=self.crew.address, **asdict(self.crew.counts))

    def close(self) -> None:
        """Let go of the cluster and of the cache."""
        if self.crew is not None:
            self.crew.close()
        if self.completions is not self.cache:
            self.completions.close()
        self.cache.close()

    def _know_template(self, engine: Engine) -> None:
        """Try an engine's chat template once, and keep what it takes."""
        if isinstance(engine, Templated):
            with suppress(EngineError, MissingExtraError):  # who asks is told what is wrong
                about = engine.template_files()
                engine.know_template(self.cache.remember("template", about, engine.try_template))

    def _limit(self, model: ModelRef, engine: Served) -> None:
        """Hold an endpoint to the limits of time and of requests in flight, and of spending."""
        engine.timeout_s = self.task.rules.request_timeout_s
        engine.concurrency = self.task.rules.requests_in_flight
        prices = self.prices(model)
        if prices is not None:
            meter = Meter(self.spending, prices, engine.count_tokens)
            engine.ahead, engine.ended = meter.ahead, meter.ended
        elif not engine.abilities.local:
            self.watch.say(
                f"no price is known for {model.label}: rules.max_spend_usd cannot be held; "
                "give `prices:` in the task file"
            )

    def _make_room(self) -> None:
        """Let go of the models that were opened first; an endpoint holds no memory, and stays."""
        # A judge answers after every candidate: it must not push the next one's engine out.
        named = {str(each.parameters["model"]) for each in self.task.score if _asks(each)}
        judges = [model for model in named if not is_served(model)]
        held = [key for key, opened in self._engines.items() if not opened.engine.abilities.served]
        for key in held[: max(0, len(held) + 1 - ENGINES_KEPT - len(judges))]:
            self._engines.pop(key)

    @contextmanager
    def asking(self, purpose: Purpose) -> Iterator[None]:
        """Count what is asked within under a purpose; of purposes within others the innermost."""
        before, self._purpose = self._purpose, purpose
        try:
            yield
        finally:
            self._purpose = before

    def _tell(self, model: ModelRef, key: str, completion: Completion) -> None:
        """Count an answer by its key: one that is cached is needed once, and not asked."""
        known = key in self._met
        self._met.add(key)
        if not completion.cached:
            self.count(model, completion)
        elif not known:
            self._need(self._call(model, completion))

    def count(self, model: ModelRef, completion: Completion) -> None:
        """Count an answer and what it cost, also one without text that was billed.

        Raises:
            SpendLimitError: the limit is passed. Every answer so far is cached.
        """
        call = self._call(model, completion)
        self._need(call)
        self.asked = together(self.asked, call)
        if not self._is_dry:  # nothing is paid
            try:
                self.spending.add(call.usd)
            finally:
                self.watch.tell(self._spent())

    def _spent(self) -> Spent:
        """Return what was asked so far, and what of the limit is spent."""
        asked, limit = self.asked, self.task.rules.max_spend_usd
        return Spent(asked.calls, asked.tokens, asked.usd, self.spending.spent_usd, limit)

    def recall(self, asked: Asked) -> None:
        """Count what was needed, and was asked before: its results are kept."""
        self._need(asked)

    def trained(self, build: Build) -> None:
        """Count what a training read, once, whether it was made now or before."""
        if str(build.folder) not in self._met:
            self._met.add(str(build.folder))
            with self.asking("training"):
                self._need(Asked(tokens=build.train_tokens, seconds=build.seconds))

    def _need(self, call: Asked) -> None:
        self.needed[self._purpose] = together(self.needed.get(self._purpose, Asked()), call)

    def _call(self, model: ModelRef, completion: Completion) -> Asked:
        """Return what an answer took, with its price where a model has one."""
        prices, usd = self.prices(model), 0.0
        lost_in, lost_out = completion.lost_tokens
        tokens_in, tokens_out = completion.tokens_in + lost_in, completion.tokens_out + lost_out
        if prices is not None:
            usd += tokens_in * prices.input_usd_per_1m / 1e6
            usd += tokens_out * prices.output_usd_per_1m / 1e6
        tokens = tokens_in + tokens_out
        errors = {completion.kind or "error": 1} if completion.error is not None else {}
        return Asked(calls=1, tokens=tokens, seconds=completion.seconds, usd=usd, errors=errors)

    def foresee(self, training: Asked) -> None:
        """Count a training that a dry run foresees."""
        with self.asking("training"):
            self._need(training)
        self.asked = together(self.asked, training)

    def learn_abilities(self) -> None:
        """Have the served models that write answers asked what they can do; it is kept."""
        named = self.task.models
        for model in dict.fromkeys(filter(None, (named.base, named.teacher, named.student))):
            if is_served(model):
                self._learn(model)

    def _learn(self, model: ModelRef) -> None:
        cached = self.engine(model)
        engine, greet = cached.engine, self.task.answer.max_tokens is None
        if not isinstance(engine, Learning):
            return

        def learnt() -> dict[str, bool]:
            with self.asking("greeting"):
                found = engine.learn(greet=greet, tell=partial(self.count, model))
            if found is None:
                raise EngineError(f"{model.label}: it is not there to be asked")
            return found

        with suppress(EngineError):  # what is unknown is not kept, and the climb will meet it
            engine.learnt = self.cache.remember("abilities", [cached.identity, greet], learnt)

    @cached_property
    def spending(self) -> Spending:
        """What the task has paid, and may pay."""
        return Spending(self.cache, self.task.name, self.task.rules.max_spend_usd)

    def prices(self, model: ModelRef) -> Prices | None:
        """Return what a model's tokens cost: as the task says, else as the public table says."""
        if not is_served(model):
            return None
        return self.task.prices or listed_prices(model.name, model.place or "")

    def speed(self) -> Speed:
        """Return how fast the base answers here: probed once, kept with the completions."""
        base = self.task.models.base
        untried = base in self.task.rules.remote_code and not may_run(self.task, base)
        if not base_is_local(self.task) or first_use(base) or not find_spec("torch") or untried:
            return usual_speed()
        engine = self.engine(base)
        try:
            about = [engine.identity, hardware(), threads()]
            return Speed(**self.cache.remember("speed", about, partial(self._probed, engine)))
        except MissingExtraError:
            return usual_speed()

    def _probed(self, engine: CachedEngine) -> dict[str, float]:
        """Measure an engine's speed; say before how long that takes."""
        base = self.task.models.base
        seconds = probing_seconds(_weights_mb(model_folder(base, self.task.folder)))
        self.watch.say(
            f"measuring the speed of {base.label} here, once: for about {duration(seconds)} on a "
            "machine with no other work"
        )
        return asdict(probe(here(engine.engine)))


def _weights_mb(folder: Path) -> float:
    """Return the size of a model's weights; 0 where they are in other files."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6


def _asks(choice: ScorerChoice) -> bool:
    """Tell whether a scorer asks a model."""
    return bool(choice.parameters.get("model"))


def base_is_local(task: Task) -> bool:
    """Tell whether the base model's weights are on this machine."""
    kind = kind_of(task.models.base)
    return kind is not None and kind.trainable


class _Able(Protocol):
    @property
    def abilities(self) -> Abilities: ...


def may_be_asked(task: Task, engine: _Able) -> bool:
    """Tell whether the examples may be sent to an engine."""
    return engine.abilities.local or task.rules.data_may_leave


def keep_here(task: Task, model: ModelRef, engine: _Able) -> None:
    """Keep the examples on this machine unless the task lets them go.

    Raises:
        TaskError: the engine is elsewhere, and rules.data_may_leave is not set.
    """
    if not may_be_asked(task, engine):
        raise TaskError([must_stay(f"{task.source}: models", model)])


def must_stay(where: str, model: str) -> Problem:
    """Return what is wrong with a model or a store that is elsewhere."""
    fix = "Set `rules: {data_may_leave: true}` if the rows may be sent there."
    return Problem(where, f"the remote endpoint {model}", "one on this machine", fix)
