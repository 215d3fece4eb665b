"""The workers of one Ray cluster, shared by all models of a run.

Ray places the processes and tells which of them are gone. What is tried again, and how often, is
decided here: no actor is restarted and no call retried by Ray.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ladder.engines.base import Chunk, Completion, Request
from ladder.engines.sharded.connection import connected, losses, whole_address, why_lost
from ladder.engines.sharded.work import Piece, Work
from ladder.engines.sharded.worker import Able, Conditions, Opener, Worker, differences, passport
from ladder.errors import GO_ON, EngineError, LadderError
from ladder.trust.egress import is_here
from ladder.wording import harmless

POLL_S = 0.5
LOOK_S = 2.0
"""Between looks at which machines the cluster has."""
PATIENCE_S = 600.0
"""Without a worker for so long (an autoscaler takes minutes), a run ends."""
FAILED_STARTS = 3
"""Workers in a row that die before they have opened a model: a fourth would too."""
ONE_IMAGE = "Give all machines of the cluster one image and one kind of processor"
OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")
"""Names of errors by which a process says that its memory is full."""


@dataclass(frozen=True)
class Place:
    """Where the workers are, and how many there are to be."""

    address: str
    """HOST:PORT of the cluster; `auto`: what RAY_ADDRESS says."""
    cpus: int
    """Cores, and so threads, of each worker."""
    gpus: float = 0.0
    workers: int | None = None
    """At most; None: as many as the cluster has room for."""
    may_leave: bool = False
    """Whether rows may be sent to another machine."""
    patience_s: float = PATIENCE_S


class Model(NamedTuple):
    """A model that workers open."""

    key: str
    """The digest of what its answers depend on."""
    here: Able
    opener: Opener


class Arrival(NamedTuple):
    """What a worker says once it has opened a model."""

    host: str
    node: str
    """The machine's id in the cluster."""
    address: str
    passport: dict[str, str]


@dataclass
class Counts:
    """What a crew has done."""

    machines: dict[str, int] = field(default_factory=dict)
    """Name of a machine -> workers that have opened a model there."""
    chunks: int = 0
    workers_lost: int = 0
    given_up: int = 0
    """Requests that two workers died on."""


@dataclass
class _Hand:
    """A worker, as the driver knows it."""

    actor: Any
    node: str = ""
    host: str = ""
    knows: set[str] = field(default_factory=set)


@dataclass
class _Job:
    """What a worker was asked: to open a model (without a piece), or to answer a piece."""

    hand: _Hand
    model: Model
    piece: Piece | None = None


def refuse_elsewhere(place: Place, found: Arrival) -> None:
    """Refuse a worker on another machine that no row may be sent to.

    Raises:
        EngineError: it is there.
    """
    if not place.may_leave and not is_here(found.address):
        raise EngineError(
            f"a worker of the Ray cluster is on {found.host} ({found.address}), and "
            "rules.data_may_leave is not set: no row was sent there. Set `rules: "
            "{data_may_leave: true}` if the rows may go to that cluster"
        )


def no_room(place: Place, address: str) -> str:
    """Say what each worker wants, where none could start."""
    wants = f"{place.cpus} CPU" + (f" and {place.gpus:g} GPU" if place.gpus else "")
    return (
        f"no worker could start on the Ray cluster at {address} in {place.patience_s:.0f} s: each "
        f"wants {wants} on one machine"
    )


class Crew:
    """Workers, made as there is work, and the account of those that were lost."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        """Connect to nothing yet.

        Args:
            place: where the workers are.
            say: is told of what a person should know.
        """
        self.place, self._say = place, say
        self.counts = Counts()
        self._hands: list[_Hand] = []
        self._jobs: dict[Any, _Job] = {}
        """What was asked and not heard of, by Ray's reference; between calls, models opening."""
        self._failed_starts = 0
        self._connected = False

    @cached_property
    def address(self) -> str:
        """HOST:PORT of the cluster.

        Raises:
            EngineError: it is nowhere named.
        """
        return whole_address(self.place.address)

    @property
    def is_here(self) -> bool:
        """Whether the cluster's head is this machine; each worker is looked at before it is asked.

        One whose address cannot be known is not.
        """
        try:
            return is_here(self.address.rpartition(":")[0])
        except EngineError:
            return False

    def answer(
        self, model: Model, requests: Sequence[Request], chunks: Sequence[Chunk]
    ) -> Iterator[tuple[int, Completion]]:
        """Yield the answers of a call's chunks, each request once.

        Raises:
            EngineError: the cluster is lost, a worker is not like this machine, or none can be had.
        """
        if not chunks:
            return
        ray = self._ray
        work, jobs = Work.of(chunks), self._jobs
        since = time.monotonic()
        try:
            while work or any(job.piece for job in jobs.values()):
                self._hand_out(model, requests, work)
                done, _ = ray.wait(list(jobs), timeout=POLL_S)
                for ref in done:
                    yield from self._taken(work, ref, jobs.pop(ref))
                if done or any(job.piece for job in jobs.values()):
                    since = time.monotonic()
                elif time.monotonic() - since > self.place.patience_s:
                    raise EngineError(f"{no_room(self.place, self.address)}. {GO_ON}")
        except ray.exceptions.RayError as error:
            why = harmless(str(error), 200)
            raise EngineError(
                f"the Ray cluster at {self.address} is lost: {why}. {GO_ON}"
            ) from None
        finally:
            for ref, job in list(jobs.items()):
                if job.piece:  # whoever asked has gone: nobody waits for its answers
                    del jobs[ref]
                    self._dismiss(job.hand)

    def close(self) -> None:
        """End the workers, and leave the cluster."""
        for hand in list(self._hands):
            self._dismiss(hand)
        self._jobs.clear()
        if self._connected:
            self._ray.shutdown()
            self._connected = False
            del self.__dict__["_ray"]

    def _hand_out(self, model: Model, requests: Sequence[Request], work: Work) -> None:
        """Give workers that do nothing something to do, and make workers where some lack."""
        jobs = self._jobs
        busy = {id(job.hand) for job in jobs.values()}
        idle = [hand for hand in self._hands if id(hand) not in busy]
        opening = sum(job.piece is None for job in jobs.values())
        for _ in range(min(len(work) - len(idle) - opening, self._room() - len(self._hands))):
            self._hands.append(made := self._made())
            idle.append(made)
        for hand in sorted(idle, key=lambda hand: model.key not in hand.knows):
            if model.key not in hand.knows:
                if opening < len(work):
                    jobs[hand.actor.arrive.remote(model.key, model.opener)] = _Job(hand, model)
                    opening += 1
            elif work:
                piece = work.take()
                asked = [requests[at] for at in piece.chunk.places]
                ref = hand.actor.answer.remote(model.key, model.opener, asked, piece.chunk)
                jobs[ref] = _Job(hand, model, piece)

    def _taken(self, work: Work, ref: Any, job: _Job) -> Iterator[tuple[int, Completion]]:
        """Take what came of a job: answers, a worker that is ready, or a loss."""
        errors = self._ray.exceptions
        try:
            found = self._ray.get(ref)
        except errors.RayTaskError as error:
            self._dismiss(job.hand)
            if type(error.cause).__name__ not in OUT_OF_MEMORY:
                self._raise(job, error)
            yield from self._lost(work, job, "out of memory")
        except losses(self._ray) as error:
            self._dismiss(job.hand)
            yield from self._lost(work, job, why_lost(error))
        else:
            if job.piece is None:
                self._welcome(job.model, job.hand, found)
                return
            self.counts.chunks += 1
            yield from zip(job.piece.chunk.places, found, strict=True)

    def _lost(self, work: Work, job: _Job, why: str) -> Iterator[tuple[int, Completion]]:
        """Count a worker that is gone, and take back what it had."""
        self.counts.workers_lost += 1
        where = job.hand.host or "the cluster"
        if job.piece is None:
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                raise EngineError(
                    f"{FAILED_STARTS} workers in a row died before they had opened the model, the "
                    f"last on {where} ({why}): is there memory for it on each? {GO_ON}"
                )
            return
        many = len(job.piece.chunk.places)
        self._say(f"a worker on {where} died ({why}); requests that are asked anew: {many}")
        for at, error in work.lose(job.piece, job.hand.node, self._nodes(fresh=True), why):
            self.counts.given_up += 1
            yield at, error

    def _welcome(self, model: Model, hand: _Hand, found: Arrival) -> None:
        """Take a worker that has opened a model, unless it is not like this machine.

        Raises:
            EngineError: it computes otherwise, or is on another machine that no row may be sent to.
        """
        hand.host, hand.node = found.host, found.node
        refuse_elsewhere(self.place, found)
        unlike = differences(passport(model.here), found.passport)
        if unlike:
            raise EngineError(
                f"the worker on {hand.host} would not answer as this machine does: "
                f"{'; '.join(unlike)}. Nothing was asked of it. {ONE_IMAGE}, and assess on one of "
                "them"
            )
        if not hand.knows:
            self.counts.machines[hand.host] = self.counts.machines.get(hand.host, 0) + 1
        hand.knows.add(model.key)
        self._failed_starts = 0

    def _raise(self, job: _Job, error: Any) -> None:
        """Raise what a worker has raised: a message of ours as it is, else a bug."""
        cause = error.cause
        if isinstance(cause, LadderError):
            where = f" on {job.hand.host}" if job.hand.host else ""
            raise EngineError(f"a worker{where}: {cause}") from None
        raise cause from error

    def _made(self) -> _Hand:
        conditions = Conditions.here(self.place.cpus)
        return _Hand(self._actor.remote(conditions))

    @cached_property
    def _actor(self) -> Any:
        """The worker as an actor that Ray never restarts, and whose calls it never tries again."""
        return self._ray.remote(
            num_cpus=self.place.cpus,
            num_gpus=self.place.gpus,
            max_restarts=0,
            max_task_retries=0,
        )(_Actor)

    def _dismiss(self, hand: _Hand) -> None:
        """End a worker, and forget it: nothing that it still says is heard."""
        if hand in self._hands:
            self._hands.remove(hand)
            self._ray.kill(hand.actor, no_restart=True)

    def _room(self) -> int:
        """Return how many workers there may be: one at least, to be made room for."""
        place = self.place
        if place.workers is not None:
            return place.workers
        found = 0
        for resources in self._nodes().values():
            room = resources.get("CPU", 0.0) // place.cpus
            found += int(min(room, resources.get("GPU", 0.0) // place.gpus if place.gpus else room))
        return max(1, found)

    def _nodes(self, *, fresh: bool = False) -> dict[str, dict[str, float]]:
        """Return id -> resources of the machines that are there."""
        looked, found = self.__dict__.get("_seen", (0.0, {}))
        if fresh or time.monotonic() - looked > LOOK_S:
            found = {n["NodeID"]: n["Resources"] for n in self._ray.nodes() if n["Alive"]}
            self._seen = (time.monotonic(), found)
        return dict(found)

    @cached_property
    def _ray(self) -> Any:
        """Ray, connected to the cluster.

        Raises:
            MissingExtraError: Ray is not installed.
            EngineError: no cluster answers.
        """
        ray, self._connected = connected(self.address)
        return ray


class _Actor(Worker):
    """A worker that also says where it is."""

    def arrive(self, key: str, opener: Opener) -> Arrival:
        """Open a model, and say where and with what."""
        import ray

        found = self.open(key, opener)
        node = ray.get_runtime_context().get_node_id()
        return Arrival(socket.gethostname(), node, ray.util.get_node_ip_address(), found)
