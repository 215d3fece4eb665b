"""The model card of a run: Markdown under the YAML that the Hugging Face hub reads (model-index).

Every number in it comes from the record; what it declares is the certified lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from ladder.audit.pack.certified import Certified, certified, declared, level, slices
from ladder.evidence import Assessment, Attempt
from ladder.task import ModelRef
from ladder.wording import code, harmless, in_markdown, latency, span

NOT_CERTIFIED = (
    "Nothing is certified: the run has no answer that its held-out test set does not refute. No "
    "accuracy may be declared from it."
)
FOR_A_HUMAN = (
    "who is meant to use the system, on whom, and what it must not be used for",
    "who provides it, and whom to ask",
    "licence of the base model and of the rows",
    "known circumstances that change the accuracy (Art. 13(3)(b)(ii)): other languages, other "
    "inputs than those of the eval set",
)


def run_card(a: Assessment) -> str:
    """Return the card of what a run recommends."""
    found = certified(a)
    head = yaml.safe_dump(_metadata(a, found), sort_keys=False, allow_unicode=False, width=100)
    parts = (
        f"---\n{head}---\n",
        f"# {in_markdown(a.task.name)}\n\n> {in_markdown(a.task.goal)}\n",
        _section("What it is", _system(a, found)),
        _section("Declared accuracy", _declared(a, found)),
        _section("What was measured", _measured(a)),
        _section("By kind of row", _slices(a)),
        _section("Data", _data(a)),
        _section("For a human to write", map(in_markdown, FOR_A_HUMAN)),
    )
    return "\n".join(parts)


def _metadata(a: Assessment, found: Certified | None) -> dict[str, Any]:
    rung = a.recommendation.rung
    values: dict[str, Any] = {"tags": ["escalation-ladder", *([rung] if rung else [])]}
    if (hub := _hub_id(a.task.base)) and rung:
        values["base_model"] = hub
    if found is not None:
        values["model-index"] = [{"name": a.task.name, "results": [_result(a, found)]}]
    return values


def _hub_id(base: str) -> str:
    """Return the hub's id of a base model; empty where it is another's, or a folder."""
    try:
        ref = ModelRef(base)
    except ValueError:
        return ""
    is_id = ref.kind == "hf" and ref.name.count("/") == 1 and not ref.name.startswith((".", "/"))
    return ref.name if is_id else ""


def _result(a: Assessment, found: Certified) -> dict[str, Any]:
    said = f"certified lower bound ({level(a)} interval, {found.score.n} held-out test examples)"
    return {
        "task": {"type": "other", "name": harmless(a.task.goal, 200)},
        "dataset": {
            "type": "private",
            "name": f"held-out test set of {a.task.name}",
            "split": "test",
            **({"revision": digest} if (digest := a.data.digests.get("test")) else {}),
        },
        "metrics": [
            {
                "type": a.task.scorer,
                "value": declared(found.bound),
                "name": f"{a.task.scorer}, {said}",
            }
        ],
    }


def _system(a: Assessment, found: Certified | None) -> Iterator[str]:
    if a.recommendation.control and not a.recommendation.rung:
        yield "no language model is part of it"
    else:
        yield f"base model {code(a.task.base)}"
    yield in_markdown(found.system) if found else "no system is recommended"
    yield f"task {code(a.task.name)}, sha256 {code(a.task.digest)}"
    yield f"assessed on {in_markdown(a.created)} by ladder {in_markdown(a.ladder_version)}"


def _declared(a: Assessment, found: Certified | None) -> Iterator[str]:
    if found is None:
        yield NOT_CERTIFIED
        return
    name = in_markdown(a.task.scorer)
    yield f"{name}: at least {declared(found.bound):g}, the certified lower bound"
    often = a.recommendation.openings
    yield (
        f"measured {span(found.score)} ({level(a)} interval) on {found.score.n:,} held-out test "
        f"examples" + (f"; systems measured on them so far: {often:,}" if often else "")
    )
    if found.verdict != "pass":
        yield (
            f"the test set does not refute the gate of {float(a.task.gate['min_score'] or 0):g}, "
            "nor prove it"
        )


def _measured(a: Assessment) -> Iterator[str]:
    for attempt in a.attempts:
        if m := attempt.measurement:
            yield (
                f"{attempt.rung}: {in_markdown(a.task.scorer)} {span(m.score)} on {m.score.n:,} "
                f"eval examples ({level(a)} interval), {attempt.status}"
            )
            yield from _figures(attempt)
    if a.control and a.control.lines:
        best = a.control.judged_line
        yield f"without a language model: {span(best.score)} ({in_markdown(best.name)})"


def _figures(attempt: Attempt) -> Iterator[str]:
    m = attempt.measurement
    for name, other in m.others.items() if m else ():
        yield f"{attempt.rung}: {in_markdown(name)} {span(other)} on {other.n:,} eval examples"
    if m and (timed := m.latency_ms):
        yield f"{attempt.rung}: p95 {latency(timed.p95)} of {timed.n:,} timed requests"
    if m and m.errors:
        yield f"{attempt.rung}: {m.errors:,} of {m.requests:,} eval examples have no score"


def _slices(a: Assessment) -> Iterator[str]:
    found = slices(a.chosen)
    if not found:
        yield "the rows carry no kind (`stratum`), so nothing is known of groups of rows"
    for name, score in found.items():
        yield f"{in_markdown(name)}: {span(score)} on {score.n:,} eval examples"


def _data(a: Assessment) -> Iterator[str]:
    d = a.data
    yield (
        f"{d.train:,} training, {d.dev:,} dev, {d.gate:,} eval and {d.sealed:,} held-out test "
        f"examples, {d.documents:,} documents; {d.synthetic:,} training examples are marked as "
        "a model's"
    )
    yield (
        f"{d.duplicates:,} near-duplicates and {d.contradicting:,} contradictions set aside; not "
        f"counted: {len(d.contaminated):,} held-out examples that repeat training ones, and "
        f"{len(d.look_alikes):,} that differ from one in a number or a name only"
    )
    for role, digest in d.digests.items():
        yield f"{in_markdown(role)}: sha256 {code(digest)}"


def _section(title: str, lines: Iterable[str]) -> str:
    return f"## {title}\n\n" + "".join(f"- {line}\n" for line in lines)
