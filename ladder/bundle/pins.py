"""Which distributions a task needs, in the versions that are installed here."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ladder.engines.bundled import MODELS, installed
from ladder.scorers import MODEL_SCORERS
from ladder.task import DATASETS_PREFIX, ModelRef, Task, kind_of_data

DISTRIBUTION = "escalation-ladder"
INSTALLER = "pip"
"""Goes with the wheels, so that the other side needs Python alone."""
OF_KIND: Mapping[str, str] = {
    "bundled": "local",
    "hf": "local",
    "encoder": "local",
    "head": "dense",
}
"""Kind of engine -> the extra that opens it."""
OF_STORE: Mapping[str, str] = {"lancedb": "store", "qdrant": "qdrant"}
TRAINED = ("lora", "distill")
"""Rungs that train."""
EMBEDDER = "all-minilm-l6-v2"
"""What a student is made on where it is installed."""


@dataclass
class Pins:
    """Distributions with their versions, and what is wanted and not installed."""

    versions: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def models_of(task: Task) -> list[ModelRef]:
    """Return the models that a task names, each once."""
    named = [name for name in task.models.model_dump().values() if name]
    judges = (one.parameters.get("model") for one in task.score if one.name in MODEL_SCORERS)
    return list(dict.fromkeys(ModelRef(str(name)) for name in (*named, *judges) if name))


def extras_of(task: Task) -> tuple[str, ...]:
    """Return the extras that a task needs, by its models, rungs, files and scorers."""
    found = {OF_KIND[ref.kind] for ref in models_of(task) if ref.kind in OF_KIND}
    trains = any(rung in TRAINED for rung in task.rungs)
    found |= {"train"} if trains else set()
    with_embedder = "distill" in task.rungs and installed(EMBEDDER)
    if task.models.embedding or task.models.reranker or with_embedder:
        found.add("dense")
    files = task.data.files().values()
    if any(v.startswith(DATASETS_PREFIX) or kind_of_data(v) == "parquet" for v in files):
        found.add("data")
    if task.data.store:
        found.add(OF_STORE[task.data.store.partition(":")[0]])
    found |= {"evaluate" for one in task.score if one.name.startswith("evaluate:")}
    return tuple(sorted({*found, *task.report_to}))


def pins_of(task: Task, extras: tuple[str, ...]) -> Pins:
    """Return what is to be installed on the other side, all that it requires with it.

    Args:
        task: names the bundled models, whose packages go without their own requirements.
        extras: of this package.
    """
    pins = Pins()
    _close(pins, Requirement(f"{DISTRIBUTION}[{','.join(extras)}]" if extras else DISTRIBUTION))
    names = {ref.name for ref in models_of(task) if ref.kind == "bundled"}
    names |= {EMBEDDER} if "dense" in extras and installed(EMBEDDER) else set()
    for name in sorted(names):
        _pin(pins, _distribution_of(MODELS[name].package), f"the model bundled:{name}")
    _pin(pins, INSTALLER, "installing")
    return pins


def _distribution_of(package: str) -> str:
    """Return the distribution that a package comes from, or its usual name."""
    found = importlib.metadata.packages_distributions().get(package)
    return found[0] if found else package.replace("_", "-")


def _close(pins: Pins, first: Requirement) -> None:
    """Pin a requirement and, as their own metadata has it, all that it requires."""
    waiting, seen = [first], set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        about = _pin(pins, wanted.name, str(wanted))
        if about is not None:
            waiting += _requirements(about, frozenset(wanted.extras))


def _pin(pins: Pins, name: str, why: str) -> importlib.metadata.Distribution | None:
    known = canonicalize_name(name)
    try:
        about = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        said = f"{known} is not installed here (wanted by {why})"
        if said not in pins.missing:
            pins.missing.append(said)
        return None
    pins.versions[known] = about.version
    return about


def _requirements(
    about: importlib.metadata.Distribution, extras: frozenset[str]
) -> Iterator[Requirement]:
    for line in about.requires or ():
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        marker = wanted.marker
        if marker is None or any(marker.evaluate({"extra": each}) for each in (*extras, "")):
            yield wanted
