"""`ladder assess --isolated`: what cannot work there, and the certificate of what went on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ladder.engines import is_served
from ladder.errors import Problem, TaskError
from ladder.evidence import Isolation, Refused
from ladder.progress import Watch
from ladder.scorers import MODEL_SCORERS
from ladder.task import Task, is_url, store_parts
from ladder.tracking import TRACKERS
from ladder.trust.egress import refused_by_all
from ladder.trust.isolation import UNSET, Inside, attempts, network, now_utc, since
from ladder.trust.quiet import in_force
from ladder.wording import MOST_SHOWN, harmless

MOST = 50
"""Places that a certificate lists."""


@contextmanager
def certifying(
    inside: Inside | None, task: Task, watch: Watch
) -> Iterator[Callable[[], Isolation] | None]:
    """Yield what makes the certificate of a run; None where it is not isolated.

    Whatever is attempted after the record was written is told: it stands in no certificate.

    Raises:
        TaskError: the task needs a server.
    """
    if inside is None:
        yield None
        return
    refuse_servers(task)
    watch.say(f"isolated by {inside.by}: no route to anywhere")
    made: list[Isolation] = []

    def certify() -> Isolation:
        made.append(certificate(inside))
        return made[-1]

    try:
        yield certify
        later = certificate(inside).attempts - sum(each.attempts for each in made[-1:])
        if later:
            watch.say(f"warning: {later} attempted connections after the record was written")
    finally:
        inside.log.unlink(missing_ok=True)


def refuse_servers(task: Task) -> None:
    """Refuse what is answered by a server: loopback inside is another one than the host's.

    Raises:
        TaskError: with every one.
    """
    named = {f"models.{role}": model for role, model in task.models.model_dump().items()}
    asking = [choice for choice in task.score if choice.name in MODEL_SCORERS]
    named |= {f"score.{choice.name}.model": choice.parameters.get("model") for choice in asking}
    served = {place: str(model) for place, model in named.items() if model and is_served(model)}
    if task.data.store and is_url(store_parts(task.data.store)[1]):
        served["data.store"] = task.data.store
    if task.execution.engine == "ray":
        served["execution"] = f"a Ray cluster at {task.execution.address}"
    for name in task.report_to:
        if name in TRACKERS and (place := TRACKERS[name].goes_to(os.environ)):
            served["report_to"] = f"{name}, sent to {place}"
    fix = (
        "Under --isolated loopback is the run's own: servers of this machine are out of reach too. "
        "Leave --isolated out, or isolate a container that holds the server too (--network none)."
    )
    wanted = "what runs in the process itself (bundled:, hf:, a store in a folder)"
    problems = [
        Problem(f"{task.source}: {place}", f"a server, {what}", wanted, fix)
        for place, what in served.items()
    ]
    if problems:
        raise TaskError(problems)


def certificate(inside: Inside) -> Isolation:
    """Return what is known by now of a run without a way out."""
    now, seen = network(), refused_by_all(inside.log)
    grown = since(inside.before, now)
    often = sorted(seen.items(), key=lambda item: (-item[1], str(item[0])))
    return Isolation(
        by=inside.by,
        kernel=inside.kernel,
        namespace=inside.namespace,
        outside=inside.outside,
        sealed=inside.sealed,
        interfaces_before=inside.before.interfaces,
        interfaces_after=now.interfaces,
        routes_before=inside.before.routes,
        routes_after=now.routes,
        counters=grown,
        by_kernel=attempts(grown),
        by_python=tuple(
            Refused(
                host=harmless(found.host, MOST_SHOWN),
                port=found.port,
                by=harmless(found.by, MOST_SHOWN),
                times=times,
            )
            for found, times in often[:MOST]
        ),
        python_times=sum(seen.values()),
        opt_outs=in_force(),
        unset=UNSET,
        began=inside.began,
        ended=now_utc(),
    )
