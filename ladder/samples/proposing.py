"""What rows let one propose for a task: the form of an answer, its score, a gate, a goal. Pure.

No model is asked and nothing is measured: each proposal follows from a rule, which is said beside
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

import regex

from ladder.gate.planning import detectable_score, plausible_scores, rows_needed
from ladder.language.numbers import last_number
from ladder.language.words import count_words
from ladder.samples.answer_schema import MISSING, parsed
from ladder.samples.column_roles import NEARLY_ALL
from ladder.samples.conflicts import FREE_WORDS
from ladder.samples.layouts import SPAN
from ladder.samples.rows import Sample
from ladder.task import GateLimits
from ladder.wording import harmless

AnswerType = Literal["label", "text", "number", "json"]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)
TERSE_WORDS = 6
"""Words of a target on average up to which it is short: looked for inside the answer."""
LEAST_OF_LABEL = 3
"""Rows that a label has on average."""
LIKELY_NEW = 0.05
"""Share of rows with a target that stands once: so likely has the next row a new one (Good, 1953).
Above it the answers are no closed set."""
MOST_NUMERALS = 30
"""Unlike numbers that may still be the names of classes; more of them are a scale."""
GATES = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
MOST_FIELDS = 8
ASKING = ("prompt", "instruction")
FEW_LABELS = 4
"""Labels that a goal can name."""
USUAL_GATE = 0.8
"""Where the rows prove no gate at all."""
_NUMBER_ALONE = regex.compile(
    r"[^\w]*[-+−]?(?:\d+(?:[.,'’_/\u066b\u066c]\d+|\s\d{3}(?!\d))*|\.\d+)(?:e[-+]?\d+)?[^\w]*(?:\p{L}{1,12}[²³]?\.?)?"
)
"""A number, with a currency before it, or one unit behind."""


@dataclass(frozen=True)
class Form:
    """What an answer looks like, and how that is known."""

    type: AnswerType
    why: str
    labels: tuple[str, ...] = ()
    """Of a closed set: every label, the commonest first."""
    commonest: float = 0.0
    """The share of rows with the commonest label: what it scores to answer nothing else."""


@dataclass(frozen=True)
class Gate:
    """A least score, and where it comes from."""

    min_score: float
    why: str
    provable: bool
    """A system without a mistake would prove it."""


def are_objects(targets: Sequence[str]) -> bool:
    """Tell whether nearly all targets are JSON objects, or lists of them; SQuAD's spans are not."""
    return bool(targets) and sum(map(_is_object, targets)) >= NEARLY_ALL * len(targets)


def _is_object(target: str) -> bool:
    value: Any = parsed(target) if target[:1] in "{[" else MISSING
    if isinstance(value, dict):
        return not value.keys() >= SPAN
    return isinstance(value, list) and any(
        isinstance(one, dict | list) and not (isinstance(one, dict) and one.keys() >= SPAN)
        for one in value
    )


def form_of(samples: Sequence[Sample]) -> Form:
    """Return the form of the answers: number, label or text, by the rows' targets.

    A number: nearly all are one, and they are more than a few that repeat. A label: each of the
    targets is short and has three rows or more on average, and at most 5 % of rows have a target
    that stands once. Rows that stand twice count once.
    """
    once = {(sample.input, sample.targets): sample for sample in samples}.values()
    counts = Counter(target for sample in once for target in sample.targets)
    many, rows = len(counts), len(once)
    single = sum(count == 1 for count in counts.values())
    numbers = sum(map(is_number, counts.elements()))
    numeric = numbers >= NEARLY_ALL * counts.total()
    repeat = many * LEAST_OF_LABEL <= rows and single <= LIKELY_NEW * rows
    short = max(map(count_words, counts), default=0) <= FREE_WORDS
    labels = tuple(label for label, _ in counts.most_common())
    share = counts[labels[0]] / rows if labels else 0.0
    seen = f"{many:,} unlike targets in {rows:,} rows, {single:,} of them once"
    if numeric and not (repeat and many <= MOST_NUMERALS):
        return Form("number", f"{numbers / counts.total():.0%} of targets are numbers ({seen})")
    if repeat and short:
        least = min(counts.values(), default=0)
        times = "once" if least == 1 else f"{least:,} times"
        why = f"a closed set: {many:,} labels in {rows:,} rows, the rarest {times}"
        return Form("label", why, labels, share)
    if not short and repeat:
        return Form("text", f"{seen}: they repeat, but have more than {FREE_WORDS} words")
    return Form("text", f"no closed set: {seen}")


def labels_of(samples: Sequence[Sample], why: str) -> Form:
    """Return the labels of rows whose answers a person calls labels."""
    counts = Counter(target for sample in samples for target in sample.targets)
    labels = tuple(label for label, _ in counts.most_common())
    share = counts[labels[0]] / len(samples) if labels else 0.0
    return Form("label", why, labels, share)


def rule_of_labels() -> str:
    """Say when answers are labels."""
    return (
        f"labels are targets of at most {FREE_WORDS} words that have {LEAST_OF_LABEL} rows or more "
        f"on average, at most {LIKELY_NEW:.0%} of rows having one that stands once"
    )


def is_number(text: str) -> bool:
    """Tell whether a text is one number and no more than a currency or a unit beside it."""
    return _NUMBER_ALONE.fullmatch(text.strip()) is not None and last_number(text) is not None


def fields_of(targets: Sequence[str]) -> tuple[str, ...]:
    """Return the fields that JSON answers mostly have at their top, the commonest first."""
    values = [value for target in targets if isinstance(value := parsed(target), dict)]
    counts = Counter(key for value in values for key in value)
    return tuple(key for key, count in counts.most_common(MOST_FIELDS) if 2 * count > len(values))


def scores_for(form: AnswerType, targets: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the scorers of a form of answer, the gated one first, and why."""
    if form == "label":
        return ("exact_match",), "a label is right or wrong"
    if form == "number":
        return ("number",), "the answer's last number is the target's"
    if form == "json":
        return ("json_fields",), "each field counts"
    words = fmean(map(count_words, targets)) if targets else 0.0
    said = f"targets have {words:.0f} word{'' if round(words) == 1 else 's'} on average"
    if words <= TERSE_WORDS:
        return ("contains", "token_f1"), f"{said}, so a right answer may stand in a sentence"
    return ("token_f1",), f"{said}, so an answer may be right in part"


def gate_for(rows: int, systems: int, commonest: float = 0.0) -> Gate:
    """Propose a least score from what the rows can prove.

    The highest gate that is proven (power 80 %) for a system which misses half as often as the
    gate allows. Where there is none, the lowest of 0.5 or more that a faultless system proves. It
    lies above what the commonest label scores.

    Args:
        rows: eval examples, those of one unit counted once.
        systems: how many share the error of a climb (`Data.systems`).
        commonest: what answering the commonest label alone scores.
    """
    gates = [gate for gate in GATES if gate > commonest] or [round((1 + commonest) / 2, 3)]
    able = {gate: detectable_score(rows, GateLimits(min_score=gate), systems) for gate in gates}
    for gate, score in able.items():
        likely = plausible_scores(gate)[1]
        if score is not None and score <= likely:
            why = (
                f"a proposal: the highest that {rows} eval examples prove of a system which "
                "misses half as often as it allows"
            )
            return Gate(gate, why, provable=True)
    proven = [gate for gate, score in able.items() if score is not None]
    if proven:
        why = (
            f"a proposal: the lowest worth having; {rows} eval examples are few: they prove it of "
            f"a system whose true score is {able[proven[-1]]:.2g} or more"
        )
        return Gate(proven[-1], why, provable=True)
    limit = min(gates, key=lambda gate: abs(gate - USUAL_GATE))
    least = rows_needed(1.0, GateLimits(min_score=limit), systems)
    more = f"; {least:,} could, of a system without a mistake" if least else ""
    why = f"a proposal: {rows} eval examples prove none{more}; the answer goes by the estimate"
    return Gate(limit, why, provable=False)


def goal_for(form: Form, asked: str, target: str, fields: Sequence[str], reads: bool) -> str:
    """Propose what the task is, in a sentence that a prompt can begin with.

    Args:
        form: of the answers.
        asked: the input's column, or empty where its name says nothing.
        target: the same of the target's.
        fields: the fields of JSON answers.
        reads: there are documents.
    """
    of = f" of the {asked}" if asked else ""
    if form.type == "label" and not target and 1 < len(form.labels) <= FEW_LABELS:
        labels = sorted(harmless(label) for label in form.labels)
        if asked in ASKING:
            return f"Do what the {asked} asks: answer {', '.join(labels[:-1])} or {labels[-1]}."
        return f"Tell which the {asked or 'text'} is: {', '.join(labels[:-1])} or {labels[-1]}."
    if form.type == "label" and reads:
        return f"Name the {target or 'label'} that the documents say for the {asked or 'text'}."
    if form.type == "label":
        return f"Name the {target or 'label'}{of or ' of the text'}."
    if form.type == "number":
        return f"Give the {target}{of} as a number." if target else "Answer with a number."
    if form.type == "json":
        named = f" with the fields {', '.join(fields)}" if fields else ""
        return f"Write what the {asked or 'text'} says as JSON{named}."
    if not target and asked in ASKING:
        return f"Do what the {asked} asks."
    if not target and (reads or asked == "question"):
        return f"Answer the question{' from the documents' if reads else ''}."
    return f"Give the {target}{of}." if target else "Answer as the examples do."
