"""Recipes' programs on the machines of a Ray cluster, each with cores and GPUs of its own.

Folders are found by the same path there, so that rows, log, progress and artefact lie where a
training of this machine has them. Ray places the processes; what is begun again, and how often, is
decided here.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ladder.engines.sharded.connection import connected, losses, whole_address, why_lost
from ladder.engines.sharded.crew import ONE_IMAGE, Arrival, Place, no_room, refuse_elsewhere
from ladder.engines.sharded.worker import Conditions, differences, machine
from ladder.errors import LadderError, TrainingError
from ladder.training.process import Order, Process, end, popen
from ladder.training.tied import tied

LOSSES = 2
"""Workers that a training may lose before it has failed: it goes on from its last checkpoint."""
ALIKE = ("torch", "ladder's code")
"""What of a machine must be as it is here. Another processor or GPU trains as well."""

Fetch = Callable[[], None]
"""Brings, on the machine where it is called, the models that a package or the hub has brought."""


@dataclass
class Counts:
    """What has run where."""

    machines: dict[str, int] = field(default_factory=dict)
    """Name of a machine -> programs that were started there."""
    workers_lost: int = 0


class Elsewhere:
    """Starts programs on a cluster, and counts the workers that were lost."""

    def __init__(self, place: Place, say: Callable[[str], None], fetch: Fetch) -> None:
        """Connect to nothing yet.

        Args:
            place: where the machines are, and what each program is given of one.
            say: is told of what a person should know.
            fetch: called on a machine that lacks a model's folder.
        """
        self.place, self.say, self.fetch = place, say, fetch
        self.counts = Counts()
        self.since = time.monotonic()
        """When a program has last run: none can begin for ever."""
        self._connected = False
        self._stopped = threading.Event()

    def open(self) -> None:
        """Connect, in the thread that ends the program.

        Raises:
            MissingExtraError: Ray is not installed.
            EngineError: no cluster answers.
        """
        assert self.ray is not None
        self.since = time.monotonic()

    def start(self, order: Order, lock: int) -> Process:
        """Run a program on the cluster, as soon as there is room."""
        return _There(self, order)

    def stop(self) -> None:
        """Have whoever waits for a program end it."""
        self._stopped.set()

    def refuse_stopped(self) -> None:
        """Raise where no program is wanted any more.

        Raises:
            TrainingError: it was stopped.
        """
        if self._stopped.is_set():
            raise TrainingError("stopped; what it has learnt by its last checkpoint is kept")

    def close(self) -> None:
        """Leave the cluster: what still runs there ends."""
        if self._connected:
            self.ray.shutdown()
            self._connected = False
            del self.__dict__["ray"]

    @cached_property
    def ray(self) -> Any:
        """Ray, connected to the cluster."""
        ray, self._connected = connected(self.address)
        return ray

    @cached_property
    def address(self) -> str:
        """HOST:PORT of the cluster."""
        return whole_address(self.place.address)

    def runner(self) -> Any:
        """Return a process of the cluster that can run one program."""
        made = self.ray.remote(
            num_cpus=self.place.cpus,
            num_gpus=self.place.gpus,
            max_restarts=0,
            max_task_retries=0,
        )(_Runner)
        return made.remote(Conditions.here(self.place.cpus))


class _There:
    """A program on a machine of the cluster; begun again where its worker is lost."""

    def __init__(self, elsewhere: Elsewhere, order: Order) -> None:
        self._elsewhere, self._order = elsewhere, order
        self._lost = 0
        self._code: int | None = None
        self._host = ""
        self._begin()

    @property
    def name(self) -> str:
        """The driver's number: it ends with that."""
        return str(os.getpid())

    def poll(self) -> int | None:
        """Return its exit code; None while it runs, or waits for room.

        Raises:
            TrainingError: its workers are lost again and again, none can be had, or one is not
                like this machine.
            EngineError: it is on another machine, and rows may not leave.
        """
        if self._code is not None:
            return self._code
        self._elsewhere.refuse_stopped()
        ray, elsewhere = self._elsewhere.ray, self._elsewhere
        done, _ = ray.wait([self._ref], timeout=0)
        if self._host:
            elsewhere.since = time.monotonic()
        elif time.monotonic() - elsewhere.since > elsewhere.place.patience_s:
            raise TrainingError(no_room(elsewhere.place, elsewhere.address))
        if done:
            try:
                self._take(ray.get(self._ref))
            except ray.exceptions.RayTaskError as error:
                self.end()
                if isinstance(error.cause, LadderError):
                    raise TrainingError(f"a worker on {self._host}: {error.cause}") from None
                raise error.cause from error
            except losses(ray) as error:
                self._again(why_lost(error))
        return self._code

    def end(self) -> None:
        """End it, if it still runs."""
        if self._code is None:
            self._elsewhere.ray.kill(self._actor, no_restart=True)
            self._code = -9

    def _begin(self) -> None:
        self._host = ""
        self._actor = self._elsewhere.runner()
        self._ref = self._actor.arrive.remote(self._order, self._elsewhere.fetch)

    def _take(self, found: Arrival | int) -> None:
        """Take what the worker says: where it is, then how the program has ended."""
        if not isinstance(found, int):
            self._welcome(found)
            self._ref = self._actor.run.remote(self._order)
            return
        self._code = found
        self._elsewhere.ray.kill(self._actor, no_restart=True)  # its place is another's now

    def _welcome(self, found: Arrival) -> None:
        refuse_elsewhere(self._elsewhere.place, found)
        here, there = machine(), found.passport
        unlike = differences(*({name: each[name] for name in ALIKE} for each in (here, there)))
        if unlike:
            raise TrainingError(
                f"the worker on {found.host} would not train as this machine does: "
                f"{'; '.join(unlike)}. {ONE_IMAGE}"
            )
        self._host = found.host
        machines = self._elsewhere.counts.machines
        machines[found.host] = machines.get(found.host, 0) + 1

    def _again(self, why: str) -> None:
        """Count a worker that is gone, and begin anew: the program goes on from its checkpoint."""
        self._elsewhere.counts.workers_lost += 1
        self._lost += 1
        where = self._host or "the cluster"
        if self._lost > LOSSES:
            self._code = -9
            raise TrainingError(
                f"{self._lost} workers died on this training, the last on {where} ({why}; log: "
                f"{self._order.log}): is there memory for it on each?"
            )
        self._elsewhere.say(f"  a worker on {where} died ({why}): its training goes on elsewhere")
        self._begin()


class _Runner:
    """Runs one program, on a machine of the cluster."""

    def __init__(self, conditions: Conditions) -> None:
        conditions.take_over()

    def arrive(self, order: Order, fetch: Fetch) -> Arrival:
        """See that there is all that the program reads; say where this is."""
        import ray

        if not all(folder.is_dir() for folder in order.needs):
            fetch()
        host = socket.gethostname()
        for folder in (*order.needs, order.log.parent):
            if not folder.is_dir():
                raise TrainingError(
                    f"{folder} is not there: all machines must mount it by the same path"
                )
        node = ray.get_runtime_context().get_node_id()
        return Arrival(host, node, ray.util.get_node_ip_address(), machine())

    def run(self, order: Order) -> int:
        """Run the program to its end, and return its exit code."""
        process = popen(Order(tied(order.command), order.log))
        try:
            return process.wait()
        finally:
            end(process)
