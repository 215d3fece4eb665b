"""What promptfoo's assertions ask -> targets and scorers. Pure: none is evaluated.

https://www.promptfoo.dev/docs/configuration/expected-outputs
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ladder.importers.base import NEAREST, Collected, scorer
from ladder.importers.templates import fill
from ladder.samples.values import text_of
from ladder.task import ScorerChoice

EXACT, NEAR = True, False
KINDS: Mapping[str, tuple[str, bool, str]] = {
    "equals": ("exact_match", EXACT, "the answer is the value"),
    "contains": (
        "contains",
        NEAR,
        "the value stands in the answer -> its words do; case is folded",
    ),
    "icontains": ("contains", EXACT, "the value stands in the answer"),
    "contains-any": ("contains", EXACT, "one of the values stands in the answer"),
    "icontains-any": ("contains", EXACT, "one of the values stands in the answer"),
    "starts-with": ("contains", NEAR, "the answer begins with the value -> it stands in it"),
    "similar": ("token_f1", NEAR, "an embedding is near the value's -> F1 of the words"),
    "levenshtein": ("token_f1", NEAR, "few edits lead to the value -> F1 of the words"),
    "rouge-n": ("token_f1", NEAR, "ROUGE-N -> F1 of the words"),
    "bleu": ("token_f1", NEAR, "BLEU -> F1 of the words"),
    "gleu": ("token_f1", NEAR, "GLEU -> F1 of the words"),
    "meteor": ("token_f1", NEAR, "METEOR -> F1 of the words"),
    "factuality": ("token_f1", NEAR, "a model compares with the value -> F1 of the words"),
    "model-graded-factuality": (
        *("token_f1", NEAR),
        "a model compares with the value -> F1 of the words",
    ),
}
"""Kind -> our scorer, whether it asks the same, and what it asks."""
GRADED = ("similar", "rouge-n", "bleu", "gleu", "meteor")
"""Kinds whose threshold is a share."""
JUDGES = ("llm-rubric", "model-graded-closedqa", "g-eval", "answer-relevance", "pi")
PROGRAMS = ("javascript", "python", "ruby", "webhook")
LIMITS = {"latency": "max_p95_ms", "cost": "max_cost_usd_per_1k"}
TYPED = re.compile(
    r"(?P<kind>(?:not-)?[a-z][a-z-]*)(?:\((?P<least>[\d.]+)\))?\s*:\s*(?P<value>.*)", re.DOTALL
)
"""An assertion in a cell of CSV: `kind(threshold): value`."""
ALONE = re.compile(r"(?:not-)?(?:is|contains)-(?:json|xml|sql|html)")
SHORT = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
OTHERS = {
    *("regex", "contains-all", "icontains-all", "is-json", "contains-json", "is-xml", "is-sql"),
    *(
        "context-recall",
        "context-relevance",
        "context-faithfulness",
        "context-recall",
        "perplexity",
    ),
    *("moderation", "classifier", "guardrails", "is-refusal", "word-count", "latency", "cost"),
    *("finish-reason", "trajectory", "tool-call-f1", "search-rubric", "perplexity-score"),
}


@dataclass(frozen=True)
class Assertion:
    """An assertion that says what is right."""

    kind: str
    targets: tuple[str, ...]
    least: float | None = None


def in_a_cell(text: str) -> dict[str, Any]:
    """Return the assertion of a cell `__expected`: typed ones by their mark, else `equals`."""
    if ALONE.fullmatch(text):
        return {"type": text}
    match = TYPED.fullmatch(text)
    kind = SHORT.get(match["kind"], match["kind"]) if match else ""
    plain = kind.removeprefix("not-")
    if not match or plain not in {*KINDS, *JUDGES, *PROGRAMS, *OTHERS}:
        return {"type": "equals", "value": text}
    made: dict[str, Any] = {"type": kind, "value": match["value"].strip()}
    if kind.endswith(("-any", "-all")):
        made["value"] = [part.strip() for part in made["value"].split(",")]
    return made | ({"threshold": float(match["least"])} if match["least"] else {})


def assertion_of(
    name: str, where: str, given: Any, values: Mapping[str, Any], found: Collected
) -> Assertion | None:
    """Return what an assertion says is right; None where it says nothing, which is listed.

    Args:
        name: of the configuration.
        where: the test's place.
        given: the assertion as it is written.
        values: the test's variables.
        found: what is left is added to it.
    """
    if not isinstance(given, Mapping):
        found.leave(where, "an assertion by reference", "write it out")
        return None
    kind, value = text_of(given.get("type")), given.get("value")
    ours = KINDS.get(kind)
    for option in ("transform", "weight", "config"):
        if given.get(option) not in (None, 1, {}):
            found.leave(where, f"`{option}` of an assertion", "not carried over")
    if ours is None or (isinstance(value, str) and value.startswith("file://")):
        _leave(where, kind, value, given, found)
        return None
    targets = _targets(value, values)
    if not targets:
        found.leave(where, f"the assertion `{kind}` whose value is computed", "not carried over")
        return None
    if not ours[1]:
        found.leave(where, f"the assertion `{kind}`: {ours[2]}", NEAREST)
    least = given.get("threshold")
    is_share = kind in GRADED and isinstance(least, int | float) and 0 < least <= 1
    return Assertion(kind, targets, float(least) if is_share and least else None)


def _targets(value: Any, values: Mapping[str, Any]) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    texts = [_target(one, values) for one in listed]
    return tuple(dict.fromkeys(text for text in texts if text))


def _target(value: Any, values: Mapping[str, Any]) -> str:
    if isinstance(value, str) and "{{" in value:
        return fill(value, values) or ""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return text_of(value)


def _leave(where: str, kind: str, value: Any, given: Mapping[str, Any], found: Collected) -> None:
    """List an assertion that has no equal; what it says is kept word for word."""
    fix = "not carried over"
    if kind in LIMITS:
        least = given.get("threshold")
        is_number = isinstance(least, int | float)
        wanted = least * (1000 if kind == "cost" else 1) if is_number and least else "…"
        fix = (
            f"a limit of each answer; of all of them: gate: {{{LIMITS[kind]}: {wanted:g}}}"
            if (isinstance(wanted, int | float))
            else fix
        )
    elif kind in JUDGES:
        fix = "not carried over; a judge is `score: {judge: {rubric: …}}`, see docs/task.md"
    elif kind in PROGRAMS:
        fix = "never run; a scorer of your own is `module:name`, see docs/extending.md"
    elif kind == "is-json":
        fix = "`answer: {type: json, schema: …}` holds answers to a schema"
    found.leave(where, f"the assertion `{kind or 'without a type'}`", fix)
    if value not in (None, "", [], {}):
        found.texts.append((f"Assertion `{kind}`", text_of(value)))


def stated(
    kinds: Sequence[Assertion], found: Collected
) -> tuple[tuple[ScorerChoice, ...], str, float | None]:
    """Return the scorer that most tests ask for, why, and the least that its assertions ask for.

    Tests that ask otherwise are listed.
    """
    if not kinds:
        return (), "", None
    counts = Counter(KINDS[each.kind][0] for each in kinds)
    name, many = counts.most_common(1)[0]
    own = [each for each in kinds if KINDS[each.kind][0] == name]
    kind = Counter(each.kind for each in own).most_common(1)[0][0]
    for other, count in counts.items():
        if other != name:
            what = f"{count:,} tests whose assertions are nearest to `{other}`"
            found.leave("tests", what, f"their targets are kept, and scored by `{name}`")
    leasts = Counter(each.least for each in own if each.least is not None)
    least = leasts.most_common(1)[0][0] if leasts else None
    said = f"`{kind}`: {KINDS[kind][2]}"
    said += f" ({many:,} of {len(kinds):,} tests)" if many < len(kinds) else ""
    return scorer(name), said, least
