"""The endpoints of a task: which key each would be sent, and what answers to a greeting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from ladder.economy.prices import listed_prices
from ladder.engines import Greeted, Supported, is_served, kind_of
from ladder.retrieval.stores.qdrant import KEY_VARIABLE, qdrant_place
from ladder.scorers import MODEL_SCORERS
from ladder.task import ModelRef, Task, is_url, store_parts
from ladder.trust.keys import about_key, key_for, place_at
from ladder.wording import harmless

GREETING_SECONDS = 10.0
"""That an endpoint has to answer a greeting."""
Greet = Literal["none", "known", "all"]
"""Known are this machine and the places that the user's own configuration sends a key to: a task
from somebody else makes nobody else be asked."""


def key_lines(task: Task) -> Iterator[str]:
    """Say of each endpoint which key would be sent, by the name of its variable."""
    for role, ref, url in _endpoints(task):
        place = place_at(url)
        yield f"{role}: {harmless(ref.name, 80)} at {place}: {about_key(place)}"
    store = store_parts(task.data.store)[1] if task.data.store else ""
    if is_url(store):
        place = qdrant_place(store)
        yield f"data.store: {place}: {about_key(place, KEY_VARIABLE)}"


def greeted(task: Task, greet: Greet) -> Iterator[tuple[str, Greeted, str]]:
    """Yield each endpoint's role and answer, and how it is said; it may well not be up yet."""
    met: set[ModelRef] = set()
    for role, ref, url in _endpoints(task) if greet != "none" else ():
        kind, place = kind_of(ref), place_at(url)
        if ref in met or kind is None or kind.greet is None:
            continue
        met.add(ref)
        where = f"{role}: {harmless(ref.name, 80)} at {place}"
        if greet == "all" or place.here or key_for(place):
            seconds = min(GREETING_SECONDS, task.rules.request_timeout_s)
            found = kind.greet(ref.name, url, seconds)
            yield role, found, f"{'' if found.there else 'warning: '}{where}: {found.words}"
        else:
            said = f"note: {where} is not known to your configuration; --connect greets it"
            yield role, Greeted(False, ""), said


def supported(task: Task, greet: Greet, labels: Sequence[str] = ()) -> Iterator[str]:
    """Ask each endpoint that may be greeted what it supports, and say it with what it cost.

    Args:
        task: names them.
        greet: which may be greeted.
        labels: of the task; sent where the data may, to a server that knows its own labels alone.
    """
    met: set[ModelRef] = set()
    for role, ref, url in _endpoints(task):
        kind, place = kind_of(ref), place_at(url)
        known = greet == "all" or (greet == "known" and (place.here or key_for(place)))
        if ref in met or kind is None or kind.supports is None or not known:
            continue
        met.add(ref)
        where = f"{role}: {harmless(ref.name, 80)} at {place}"
        may = labels if place.here or task.rules.data_may_leave else ()
        found = kind.supports(ref.name, url, task.rules.request_timeout_s, may)
        yield from (f"{'warning: ' if wrong else ''}{where}: {said}" for wrong, said in found.lines)
        yield f"{where}: asked with {found.requests} requests{_paid(task, ref, found)}"


def _paid(task: Task, ref: ModelRef, found: Supported) -> str:
    """Say what questions took: tokens, and their price where it is known."""
    tokens = f", {found.tokens_in:,} + {found.tokens_out:,} tokens"
    prices = task.prices or listed_prices(ref.name, ref.place or "")
    if prices is None:
        return tokens
    usd = found.tokens_in * prices.input_usd_per_1m + found.tokens_out * prices.output_usd_per_1m
    return f"{tokens}, ${usd / 1e6:.4f}"


def _endpoints(task: Task) -> Iterator[tuple[str, ModelRef, str]]:
    """Yield the models that are answered by a server: role, reference, URL."""
    asking = [choice for choice in task.score if choice.name in MODEL_SCORERS]
    judges = {f"score.{each.name}.model": each.parameters.get("model") for each in asking}
    for role, reference in {**task.models.model_dump(), **judges}.items():
        ref = ModelRef(reference) if reference else None
        if ref and ref.place and is_served(ref):
            yield role, ref, ref.place
