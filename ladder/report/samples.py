"""The eval examples of a run as the page shows them: rungs side by side, and nothing can act."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ladder.evidence import CONTROL, Assessment, Attempt
from ladder.redaction import redact
from ladder.report.causes import sign_of
from ladder.report.kept import RETRIEVED, SAMPLES, kept_rows
from ladder.wording import harmless, harmless_lines

SIBLING = "report.samples.json"
"""Beside the page: all examples, where they are too many to stand in it."""
MOST_CHARACTERS, MOST_RETRIEVED = 20_000, 2_000
"""Of one text, and of one that was retrieved: what is longer is cut, and stands in the run."""
MOST_BYTES, FIRST_BYTES = 3_000_000, 1_500_000
"""Up to the first, all examples stand in the page; beyond it, so many bytes of them do."""
RIGHT_FROM = 0.5
PLAIN_ROWS, PLAIN_CHARACTERS = 12, 160
"""Of the table for readers without scripts, and on paper."""

Shown = str | tuple[str, int]
"""A text; where it was cut, with the number of characters that it has."""


@dataclass(slots=True)
class Answer:
    """What a rung said to an example."""

    text: Shown
    score: float | None
    error: str
    cause: str
    retrieved: tuple[int, ...] = ()
    """Positions in `Samples.texts`."""

    @property
    def is_wrong(self) -> bool:
        """Whether it was scored, and wrong."""
        return self.score is not None and self.score < RIGHT_FROM


@dataclass(slots=True)
class Row:
    """An eval example."""

    id: str
    input: Shown
    targets: tuple[Shown, ...]
    kind: str
    answers: dict[str, Answer] = field(default_factory=dict)
    """By rung."""


@dataclass(frozen=True)
class Samples:
    """All eval examples that some rung was measured on."""

    rungs: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    texts: tuple[tuple[str, str, Shown], ...] = ()
    """What was retrieved: name, title, text."""


@dataclass(frozen=True)
class Embedded:
    """The examples as JSON."""

    inside: str
    """What stands in the page."""
    count: int
    """How many of them that are."""
    beside: str | None
    """What stands in a file beside it, where the page has not all of them."""


@dataclass(frozen=True)
class PlainRow:
    """An example in the table for readers without scripts."""

    id: str
    input: str
    target: str
    answers: tuple[tuple[str, bool | None], ...]
    """By rung: what it said, and whether that is right; None: without a score."""


def read_samples(run: Path, a: Assessment) -> Samples:
    """Return the examples of a run; none where it has kept none.

    Raises:
        DataError: a file of them is damaged.
    """
    rows: dict[str, Row] = {}
    texts: list[tuple[str, str, Shown]] = []
    rungs = []
    causes: dict[str, Mapping[str, str]] = {CONTROL: {}} if a.recommendation.control else {}
    causes |= {attempt.rung: _causes(attempt) for attempt in a.attempts}
    for name, cause_of in causes.items():
        folder = run / name
        if not (folder / SAMPLES).is_file():
            continue
        rungs.append(name)
        places = _read_texts(folder / RETRIEVED, texts)
        for values in kept_rows(folder / SAMPLES):
            row = rows.setdefault(values["id"], _row(values))
            row.answers[name] = _answer(values, cause_of.get(values["id"], ""), places)
    return Samples(tuple(rungs), tuple(rows.values()), tuple(texts))


def _causes(attempt: Attempt) -> dict[str, str]:
    """Return the cause of each wrong row; where none was asked for, what is seen of it."""
    causes = attempt.diagnosis.causes if attempt.diagnosis else ()
    signs = attempt.misses.signs if attempt.misses else {}
    seen = {row: sign_of(sign) for sign, rows in signs.items() for row in rows}
    return seen | {row: cause.name for cause in causes for row in cause.sample_ids}


def _read_texts(path: Path, texts: list[tuple[str, str, Shown]]) -> dict[str, int]:
    """Add a rung's retrieved texts; return where each name stands."""
    places: dict[str, int] = {}
    known = {name: at for at, (name, _, _) in enumerate(texts)}
    for values in kept_rows(path) if path.is_file() else ():
        name = harmless(values["id"])
        if name not in known:
            known[name] = len(texts)
            title = harmless(str(values.get("title", "")), PLAIN_CHARACTERS)
            texts.append((name, title, shown(str(values.get("text", "")), MOST_RETRIEVED)))
        places[values["id"]] = known[name]
    return places


def _row(values: Mapping[str, Any]) -> Row:
    targets = values.get("targets") or [values.get("target") or ""]
    return Row(
        harmless(values["id"]),
        shown(str(values.get("input") or "")),
        tuple(shown(str(target)) for target in targets),
        harmless(str(values.get("slice") or ""), PLAIN_CHARACTERS),
    )


def _answer(values: Mapping[str, Any], cause: str, places: Mapping[str, int]) -> Answer:
    score = values.get("score")
    found = values.get("retrieved") or ()
    return Answer(
        shown(str(values.get("answer") or "")),
        float(score) if isinstance(score, int | float) else None,
        harmless(str(values.get("error") or ""), 1000),
        cause,
        tuple(places[name] for name in found if name in places),
    )


def shown(text: str, most: int = MOST_CHARACTERS) -> Shown:
    """Return a text in which nothing acts and nothing hides, cut where it is very long."""
    cut = text if len(text) <= most else redact(text)[:most]  # no cut may part a secret
    safe = cut if cut.isascii() and cut.isprintable() else harmless_lines(cut)
    return safe if len(text) <= most else (safe, len(text))


def embedded(samples: Samples) -> Embedded:
    """Return the examples as JSON: in the page, and where they are too many, beside it.

    The page then has those first that some rung missed, as many as `FIRST_BYTES` hold.
    """
    whole = _packed(samples, samples.rows)
    if len(whole) <= MOST_BYTES:
        return Embedded(_in_script(whole), len(samples.rows), None)
    first = sorted(samples.rows, key=lambda row: not any(x.is_wrong for x in row.answers.values()))
    taken: list[Row] = []
    size = 0
    for row in first:
        size += len(_json(_values(samples.rungs, row)))
        if size > FIRST_BYTES and taken:
            break
        taken.append(row)
    used = {at for row in taken for answer in row.answers.values() for at in answer.retrieved}
    texts = tuple(text if at in used else ("", "", "") for at, text in enumerate(samples.texts))
    inside = _packed(Samples(samples.rungs, (), texts), taken)
    return Embedded(_in_script(inside), len(taken), whole)


def plain_rows(samples: Samples, rung: str | None = None) -> list[PlainRow]:
    """Return the first examples: those that a rung missed, those that any did, the others."""

    def rank(row: Row) -> tuple[bool, bool]:
        its = row.answers.get(rung or "")
        missed = its is not None and its.is_wrong
        return not missed, not any(answer.is_wrong for answer in row.answers.values())

    first = sorted(samples.rows, key=rank)
    return [_plain(samples.rungs, row) for row in first[:PLAIN_ROWS]]


def _plain(rungs: Sequence[str], row: Row) -> PlainRow:
    answers = []
    for rung in rungs:
        found = row.answers.get(rung)
        right = None if found is None or found.score is None else not found.is_wrong
        text = "" if found is None else _short(found.text) or found.error
        answers.append((text, right))
    return PlainRow(row.id, _short(row.input), _short(row.targets[0]), tuple(answers))


def _short(text: Shown) -> str:
    return harmless(text if isinstance(text, str) else text[0], PLAIN_CHARACTERS)


def _packed(samples: Samples, rows: Sequence[Row]) -> str:
    values = {
        "rungs": samples.rungs,
        "texts": samples.texts,
        "rows": [_values(samples.rungs, row) for row in rows],
    }
    return _json(values)


def _values(rungs: Sequence[str], row: Row) -> list[Any]:
    answers = []
    for rung in rungs:
        found = row.answers.get(rung)
        answers.append(
            found and [found.text, found.score, found.error, found.cause, found.retrieved]
        )
    return [row.id, row.input, row.targets, row.kind, answers]


def _json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _in_script(text: str) -> str:
    """Return JSON that no element of a page ends in, nor any begins."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
