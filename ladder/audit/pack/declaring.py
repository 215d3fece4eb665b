"""Numbers that a model card declares, against what a run certifies: none may be above it.

A card is Markdown under YAML metadata. Declared is every value of a metric in its `model-index`,
and every share in its text on a line, or in a row under a heading of a table, that names a score.
What quotes an estimate of the record as `ladder` writes it, mean with interval, is a measurement;
so is what is called a confidence, an interval or a gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ladder.audit.pack.certified import bounds, certified
from ladder.errors import DataError, Problem
from ladder.evidence import Assessment, Estimate
from ladder.task import lines_of, read_yaml
from ladder.wording import span

HEAD = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
OTHERS = ("precision", "recall", "f1", "hit rate")
"""Metrics that are not meant by the name of another one."""
WORDS = ("accuracy", "score", "exact match", "correct", *OTHERS)
"""What a score is called in a text."""
MEASURED = re.compile(
    r"\d+(?:[.,]\d+)?\s*(?:%|percent)?\s*(?:confidence|credible|interval|CI\b)"
    r"|(?:confidence|interval|gate|min_score)(?:\s+(?:of|at|level|is))*\s*[:=]?\s*\d+(?:[.,]\d+)?\s*%?"
    r"|\bn\s*=\s*\d+|p\s*[<=]\s*0?[.,]\d+",
    re.IGNORECASE,
)
"""No declaration: what an interval holds, the limit that was asked for, a count, a p-value."""
NUMBER = re.compile(
    r"(?<![\w.,/-])(\d{1,3}(?:[.,]\d+)?)\s*(%|percent\b)|(?<![\w.,/-])([01][.,]\d+)(?![\w/-])"
)
ROUNDING = 1e-9


@dataclass(frozen=True)
class Declared:
    """A number that a card declares."""

    line: int
    """Of the card, from 1."""
    declared: str
    """As it stands there."""
    metric: str
    bound: float | None
    """The least value that the run shows; None: it shows none of this metric."""
    value: float
    """Of `declared`, in 0..1."""

    @property
    def is_overstated(self) -> bool:
        """Whether the run does not show it."""
        return self.bound is None or self.value > self.bound + ROUNDING

    def __str__(self) -> str:
        if self.bound is None:
            said = "the run certifies no value of it"
        else:
            said = f"the certified lower bound is {self.bound:.4g}"
        return f"line {self.line}: {self.metric} {self.declared}: {said}"


def overstated(text: str, a: Assessment, where: str) -> list[Declared]:
    """Return what a card declares above what a run shows, as `declarations` does all of it."""
    return [one for one in declarations(text, a, where) if one.is_overstated]


def declarations(text: str, a: Assessment, where: str) -> list[Declared]:
    """Return what a card declares, with what a run shows of it, in the order of its lines.

    Args:
        text: of the card.
        a: the run.
        where: what a mistake is said of.

    Raises:
        DataError: its metadata is no YAML, or its model-index is none.
    """
    known = bounds(a)
    head = HEAD.match(text)
    found = list(_of_index(head.group(1), known, a, where)) if head else []
    start = text[: head.end()].count("\n") if head else 0
    body = text[head.end() :] if head else text
    found += _of_text(body.splitlines(), start, known, a)
    return sorted(found, key=lambda one: one.line)


def _of_index(
    head: str, known: Mapping[str, float], a: Assessment, where: str
) -> Iterator[Declared]:
    try:
        root, values = read_yaml(head)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError([Problem(where, str(error).split("\n")[0], "metadata in YAML")]) from None
    index = values.get("model-index") if isinstance(values, dict) else None
    if not index:
        return
    lines = lines_of(root) if root is not None else {}
    for at, metric in _metrics(index, where):
        name = str(metric.get("type") or "a metric")
        line = lines.get((*at, "value"), 1) + 1  # the metadata begins on the second line
        bound = known.get(a.task.scorer if _is_gated(name, a) else name)
        for number, said in _numbers_in(metric.get("value")):
            yield Declared(line, said, name, bound, number)


def _metrics(index: Any, where: str) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield place and content of each metric of a model-index."""
    wanted = "model-index: [{name, results: [{task, dataset, metrics: [{type, value}]}]}]"
    try:
        for i, model in enumerate(index):
            for j, result in enumerate(model.get("results") or ()):
                for k, metric in enumerate(result.get("metrics") or ()):
                    at = ("model-index", str(i), "results", str(j), "metrics", str(k))
                    _ = metric.get("value")
                    yield at, metric
    except (AttributeError, TypeError):
        raise DataError([Problem(f"{where}: model-index", "something else", wanted)]) from None


def _numbers_in(value: Any) -> Iterator[tuple[float, str]]:
    """Yield the shares that a metric's value gives: 0.93, 93, "93 %", {"f1": 0.9}."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _numbers_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _numbers_in(each)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        yield (value / 100 if value > 1 else float(value)), f"{value:g}"
    else:
        for found in re.finditer(r"\d+(?:[.,]\d+)?", str(value)):
            number = float(found.group().replace(",", "."))
            yield (number / 100 if number > 1 else number), str(value)[:40]


def _is_gated(name: str, a: Assessment) -> bool:
    """Tell whether a metric's name stands for the gated score: `accuracy` for exact match."""
    return a.task.scorer == "exact_match" and name.lower() in ("accuracy", "exact match", "em")


def _of_text(
    lines: Sequence[str], start: int, known: Mapping[str, float], a: Assessment
) -> Iterator[Declared]:
    """Yield what the text declares; the lowest bound of the metrics that a line names counts."""
    quoted = {span(one) for one in _estimates(a)}
    names = {name.replace("_", " ").lower(): name for name in (a.task.scorer, *known)}
    head = ""
    for number, line in enumerate(lines, start=start + 1):
        is_row = line.lstrip().startswith("|")
        head = (head or line) if is_row else ""
        context = f"{head} {line}".replace("_", " ").lower()
        mentioned = [name for word, name in names.items() if word in context]
        if not mentioned and not any(word in context for word in WORDS):
            continue
        other = next((word for word in OTHERS if word in context), "")
        metric = mentioned[0] if mentioned else other or a.task.scorer
        unnamed = None if other else known.get(a.task.scorer)
        bound = min((known[m] for m in mentioned if m in known), default=unnamed)
        for share, said in _declared(line, quoted):
            yield Declared(number, said, metric, bound, share)


def _declared(line: str, quoted: set[str]) -> Iterator[tuple[float, str]]:
    for text in quoted:
        line = line.replace(text, " ")
    line = MEASURED.sub(" ", line.replace("\\", ""))
    for found in NUMBER.finditer(line):
        percent, _, share = found.groups()
        number = float((percent or share).replace(",", "."))
        yield (number / 100 if percent else number), found.group().strip()


def _estimates(a: Assessment) -> Iterator[Estimate]:
    """Yield every estimate of a record that a card may quote."""
    if (it := certified(a)) is not None:
        yield it.score
    for attempt in a.attempts:
        if m := attempt.measurement:
            yield from (m.score, *m.others.values(), *m.slices.values())
            yield from (one for one in (m.unweighted, m.human_score) if one)
    for line in a.control.lines if a.control else ():
        yield line.score
