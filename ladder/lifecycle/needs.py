"""What a machine must have for a plan to be revalidated there: keys, extras, models, consent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from ladder.climb.own_code import named_code
from ladder.engines import ENGINES
from ladder.engines.bundled import MODELS
from ladder.evidence import Candidate, RevalidationPlan
from ladder.retrieval.stores.qdrant import KEY_VARIABLE, qdrant_place
from ladder.scorers import EVALUATE_PREFIX, MODEL_SCORERS
from ladder.task import DATASETS_PREFIX, ModelRef, Task, is_url, store_parts
from ladder.trust.keys import HERE_VARIABLE, Place, place_at, variable_for
from ladder.trust.settings import read_settings

BY_PROXY = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]
OF_HUB = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN")
LOCAL_KINDS = frozenset(name for name, kind in ENGINES.items() if kind.trainable)


@dataclass(frozen=True)
class Needs:
    """What a revalidation needs beside ladder, the plan, its task and the task's data."""

    variables: tuple[str, ...] = ()
    """Environment variables that hold the keys of its endpoints."""
    endpoints: tuple[tuple[str, str], ...] = ()
    """(host, variable) that the user's configuration must name."""
    extras: tuple[str, ...] = ()
    """Of this package, to be installed."""
    installs: tuple[str, ...] = ()
    """Commands that install the packages which carry its bundled models."""
    trusted: tuple[tuple[str, str], ...] = ()
    """(sha256, name) of the task's own code that the user's configuration trusts."""
    untrusted: tuple[str, ...] = ()
    """Names of code that it does not trust: `ladder trust` must be asked first."""
    handed_on: tuple[str, ...] = ()
    """Environment variables, set here, that say how its models are reached or where they lie."""
    nearby: tuple[str, ...] = ()
    """Servers and folders that no machine elsewhere has."""


def needs_of(plan: RevalidationPlan, task: Task) -> Needs:
    """Return what a plan needs where it is revalidated."""
    models = list(_models(plan.candidate, task))
    reads_store = plan.candidate is not None and plan.candidate.retrieval is not None
    return _needs(task, models, _extras(plan.candidate, task, models), reads_store)


def needs_of_climb(task: Task) -> Needs:
    """Return what a task needs where it is assessed: all that it names may be asked."""
    named = task.models
    optional = (named.teacher, named.student, named.embedding, named.reranker)
    models = [*_models(None, task), named.base, *(model for model in optional if model is not None)]
    return _needs(task, models, _extras(None, task, models), bool(task.data.store))


def _needs(task: Task, models: list[ModelRef], extras: Iterable[str], reads_store: bool) -> Needs:
    served = [model for model in models if ENGINES[model.kind].served and model.place]
    keys = [(place_at(str(model.place)), HERE_VARIABLE) for model in served]
    store = store_parts(task.data.store)[1] if task.data.store else ""
    if is_url(store) and reads_store:
        keys.append((qdrant_place(store), KEY_VARIABLE))
    named = [(place, variable_for(place, here)) for place, here in keys]
    known = [(place, variable) for place, (variable, _) in named if variable]
    trusted = read_settings().trusted_code
    own = {named.name: named.code for named in named_code(task) if named.code and named.code.files}
    places = [place for place, _ in keys]
    bundled = [MODELS[model.name] for model in models if model.kind == "bundled"]
    return Needs(
        variables=_once(variable for _, variable in known),
        endpoints=_once(
            (str(place), variable) for place, (variable, own) in named if variable and own
        ),
        extras=_once(extras),
        installs=_once(model.install for model in bundled),
        trusted=tuple((code.digest, name) for name, code in own.items() if code.digest in trusted),
        untrusted=tuple(name for name, code in own.items() if code.digest not in trusted),
        handed_on=_once(_set_here(models, places)),
        nearby=_once(_nearby(models, places, task)),
    )


def _set_here(models: list[ModelRef], places: list[Place]) -> Iterator[str]:
    wanted = [] if all(place.here for place in places) else [*BY_PROXY]
    wanted += OF_HUB if any(model.kind == "hf" for model in models) else ()
    yield from (name for name in os.environ if name.upper() in wanted and os.environ[name])


def _nearby(models: list[ModelRef], places: list[Place], task: Task) -> Iterator[str]:
    yield from (str(place) for place in places if place.here or _is_private(place.host))
    named = [model.name for model in models if model.kind in ("hf", "replay", "head", "encoder")]
    yield from (name for name in (*named, *task.data.files().values()) if name[:1] in ("/", "~"))


def _is_private(host: str) -> bool:
    """Tell whether a host is in a network of one's own."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))


T = TypeVar("T")


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _models(candidate: Candidate | None, task: Task) -> Iterator[ModelRef]:
    if candidate:
        yield candidate.model
    for choice in task.score:
        if choice.name in MODEL_SCORERS:
            yield ModelRef(choice.parameters.get("model") or task.models.base)
    retrieval = candidate.retrieval if candidate else None
    if retrieval and retrieval.method != "bm25" and task.models.embedding:
        yield task.models.embedding
    if retrieval and retrieval.rerank and task.models.reranker:
        yield task.models.reranker


def _extras(candidate: Candidate | None, task: Task, models: list[ModelRef]) -> Iterator[str]:
    if candidate and candidate.adapter is not None:
        yield "train"
    elif any(model.kind in LOCAL_KINDS for model in models):
        yield "local"
    files = task.data.files().values()
    if any(file.startswith(DATASETS_PREFIX) or ".parquet" in file.lower() for file in files):
        yield "data"
    retrieval = candidate.retrieval if candidate else None
    if retrieval and (retrieval.method != "bm25" or retrieval.rerank):
        yield "dense"
    if retrieval and task.data.store:
        yield "qdrant" if store_parts(task.data.store)[0] == "qdrant" else "store"
    if any(choice.name.startswith(EVALUATE_PREFIX) for choice in task.score):
        yield "evaluate"
