"""`ladder drift`: have the inputs changed since an answer was certified, or its score?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from heapq import nsmallest
from pathlib import Path
from typing import Any

import numpy as np

from ladder.audit.ledger import note_lines, refuse_unready
from ladder.climb.opening import COMPLETIONS, make_bench
from ladder.engines.embedding import embed, open_embedder
from ladder.errors import DataError, Problem, TaskError
from ladder.evaluation.control import scores_of_way
from ladder.evidence import DriftLook, RevalidationPlan, ScoreWatch, Shift
from ladder.files import (
    append_line,
    clear_disk_errors,
    digest_of,
    digest_of_each,
    folder_digests,
)
from ladder.gate.e_values import e_value_below
from ladder.inference.answer import answer
from ladder.lifecycle.alpha_spending import BUDGET, error_of_look
from ladder.lifecycle.in_turn import in_turn
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import day_of, learn_abilities, load_plan, task_of, with_secrets
from ladder.lifecycle.records import records_in
from ladder.lifecycle.shift import Side, newness, shifts
from ladder.models.cache import Cache
from ladder.models.staying import stay_here
from ladder.progress import Watch
from ladder.samples.data import Data
from ladder.samples.loading import load_data
from ladder.samples.reading import read_recent
from ladder.samples.rows import Sample
from ladder.task import Task
from ladder.training.trainer import embedding_of
from ladder.trust.code import Granted
from ladder.wording import harmless

RECORD = "drift.jsonl"
KEPT = "drift"
LEAST_ROWS = 20
"""Of either side: with fewer, hardly any shift could be told from chance."""
MOST_LABELS = 5
"""That are named of those which the task does not have."""
MOST_COMPARED = 10_000
"""Of either side, groups counted once: more would find no shift that matters which these miss."""
NEWEST = 10
"""Rows that are named as unlike the certified ones."""


@dataclass(frozen=True)
class Drift:
    """What a look found."""

    look: DriftLook
    newest: tuple[Sample, ...]
    """Recent rows that a classifier tells apart most surely: label these next."""
    unscored: int
    """Labelled rows that no score was had of."""


def look_for_drift(
    path: Path,
    recent: Path,
    watch: Watch,
    *,
    reference: Path | None = None,
    answering: bool = True,
    granted: Granted = "trusted",
    task_file: Path | None = None,
) -> Drift:
    """Compare recent rows with those that a plan's answer was certified on.

    Labelled rows that no look before has scored are answered by the plan's candidate. Leaves a line
    in drift.jsonl beside the plan.

    Args:
        path: the plan.
        recent: file of rows that came in since, with targets or without.
        watch: sees progress.
        reference: file of rows to compare with; default: the eval examples of the certification.
        answering: whether labelled rows are answered and scored, and their labels compared.
        granted: what of the code that the task names may run (`ladder.trust.code`).
        task_file: the task, where it is not the one that the plan names.

    Raises:
        TaskError: the plan or its task is wrong, or the certified rows are not there any more.
        DataError: rows are wrong, or too few.
        StateError: the record of looks cannot be read.
    """
    refuse_unready(path.parent)
    plan = load_plan(path)
    task = task_of(path, plan, granted, task_file)
    stay_here(task)
    with in_turn(path.parent / KEPT):
        return _looked(path, plan, task, watch, recent, reference, answering)


def _looked(
    path: Path,
    plan: RevalidationPlan,
    task: Task,
    watch: Watch,
    recent: Path,
    reference: Path | None,
    answering: bool,
) -> Drift:
    """Look at recent rows while no other look is under way, and leave its line."""
    before = looks_so_far(path)
    rows = read_recent(task, recent)
    with clear_disk_errors(path.parent / KEPT):
        cache = Cache(path.parent / KEPT / COMPLETIONS)
    try:
        kept = _Kept(path, plan, task, cache, watch)
        certified = read_recent(task, reference) if reference else kept.certified()
        _refuse_few(certified, reference or path)
        _refuse_few(rows, recent)
        if answering:
            refuse_labels(recent, rows, kept.labels)
        compared = some_of(rows)
        sides = kept.side("certified", some_of(certified)), kept.side("recent", compared)
        if not answering:
            sides = replace(sides[0], labels=()), replace(sides[1], labels=())
        new = new_labelled(rows, before) if answering else {}
        scores = kept.scores(new)
    finally:
        cache.close()
    today = datetime.now(UTC)
    spends = error_of_look(day_of(plan.created), today.date(), _spent(before))
    found = shifts(*sides, error=spends) if spends else []
    every = [*(score for look in before for score in look.scores.values()), *scores.values()]
    look = DriftLook(
        at=today.isoformat(timespec="seconds"),
        data=digest_of_each(map(asdict, rows)),
        reference=digest_of_each(map(asdict, certified)),
        embedder=kept.pinned,
        rows=len(rows),
        compared=len(compared),
        reference_rows=len(certified),
        error=spends,
        shifts=tuple(Shift(**asdict(each)) for each in found),
        scores=scores,
        score=_watched(plan, every),
    )
    append_line(path.parent / RECORD, look.model_dump_json())
    note_lines(path.parent, "drift", (RECORD,), (KEPT,), {"alarms": len(look.alarms)})
    return Drift(look, _newest(sides, compared), len(new) - len(scores))


def looks_so_far(path: Path) -> list[DriftLook]:
    """Return the looks that a plan's record holds.

    Raises:
        StateError: a line of it cannot be read.
    """
    fix = "Fix the line or take it out; what it had spent of the error budget is then free."
    return records_in(path.parent / RECORD, DriftLook, "a look at drift", fix)


def _spent(before: Sequence[DriftLook]) -> list[tuple[date, float]]:
    return [(day_of(look.at), look.error) for look in before]


def _refuse_few(rows: Sequence[Sample], file: Path) -> None:
    units = len({row.unit for row in rows})
    if units < LEAST_ROWS:
        got = f"{len(rows)} rows" + (f" of {units} groups" if units < len(rows) else "")
        wanted = f"{LEAST_ROWS} or more, groups counted once"
        raise DataError([Problem(str(file), got, wanted, "Collect more of them before you look.")])


def some_of(rows: Sequence[Sample]) -> Sequence[Sample]:
    """Return rows, or of very many those of MOST_COMPARED units, drawn by their ids or groups."""
    units = {row.unit for row in rows}
    if len(units) <= MOST_COMPARED:
        return rows
    drawn = set(nsmallest(MOST_COMPARED, units, key=digest_of))
    return [row for row in rows if row.unit in drawn]


def refuse_labels(file: Path, rows: Sequence[Sample], labels: Sequence[str]) -> None:
    """Refuse rows whose targets the task does not have: no answer to them could be right.

    Raises:
        DataError: with the labels, and how many rows have them.
    """
    known = frozenset(labels)
    other = [row for row in rows if known and row.target and not known.issuperset(row.targets)]
    if not other:
        return
    counts = Counter(row.target for row in other).most_common()
    named = ", ".join(f"`{harmless(name, 60)}`" for name, _ in counts[:MOST_LABELS])
    more = f" and {len(counts) - MOST_LABELS} more" if len(counts) > MOST_LABELS else ""
    which = f"labels that the task does not have ({named}{more})"
    got = f"{len(other)} rows with {which}, first {other[0].id}"
    fix = "A new label is a new task: assess it. To compare the inputs alone: --inputs-only"
    raise DataError([Problem(str(file), got, "its labels alone", fix)])


def new_labelled(rows: Sequence[Sample], before: Sequence[DriftLook]) -> dict[str, Sample]:
    """Return digest -> row of the labelled rows that no look before has scored."""
    seen = {name for look in before for name in look.scores}
    labelled = {digest_of([row.input, *row.targets]): row for row in rows if row.target}
    return {name: row for name, row in labelled.items() if name not in seen}


@dataclass(frozen=True)
class _Kept:
    """A plan with its task, and what is kept beside it."""

    path: Path
    plan: RevalidationPlan
    task: Task
    cache: Cache
    watch: Watch

    @cached_property
    def pinned(self) -> str | None:
        """Digest of the embedding model's files."""
        return digest_of(folder_digests(self._embedder)) if self._embedder else None

    @cached_property
    def _embedder(self) -> Path | None:
        return embedding_of(self.task)

    @cached_property
    def _data(self) -> Data:
        return with_own_rows(load_data(self.task, self.cache, self.watch), self.path, self.plan)

    @property
    def labels(self) -> Sequence[str]:
        """Return the task's labels; none where answers are no labels."""
        return self._data.labels

    def certified(self) -> tuple[Sample, ...]:
        """Return the eval examples, if they are those that were certified."""
        now = dict(self._data.digests)
        for name, pinned in self.plan.pinned.items():
            kind, _, role = name.partition(": ")
            if kind == "data" and role in ("test", "examples") and now.get(role) != pinned:
                fix = "Name the rows that were certified: --reference FILE"
                where, wanted = f"{self.path}: {name}", "the file that was certified"
                raise TaskError([Problem(where, "another one", wanted, fix)])
        return self._data.gate

    def side(self, title: str, rows: Sequence[Sample]) -> Side:
        """Return one side of the comparison; its vectors are kept."""
        inputs, vectors, folder = tuple(row.input for row in rows), None, self._embedder
        if folder is not None:

            def made() -> Any:
                with self.watch.step(f"embedding {title} rows", len(inputs)) as advance:
                    found = embed(open_embedder(folder), inputs)
                    advance(len(inputs))
                return np.round(found, 5).tolist()

            kept = self.cache.remember("vectors", [self.pinned, digest_of(inputs)], made)
            vectors = np.array(kept)
        labels = tuple(row.target for row in rows) if self.task.answer.type == "label" else ()
        return Side(inputs, labels, vectors, tuple(row.unit for row in rows))

    def scores(self, new: Mapping[str, Sample]) -> dict[str, float]:
        """Return digest -> score of rows, as the certified system answers them now."""
        if not new:
            return {}
        folder, rows = self.path.parent / KEPT, list(new.values())
        artefacts = folder / "artefacts"
        bench = make_bench(self.task, self._data, self.cache, folder, artefacts, self.watch)
        learn_abilities(bench, self.plan)
        candidate = with_secrets(self.plan, self.path, self.task).candidate
        if candidate is None:
            found = scores_of_way(bench.evaluator, self.plan.control, rows)
        else:
            outcomes = answer(bench.evaluator, candidate, rows, "answering labelled rows")
            found = [outcome.score for outcome in outcomes]
        pairs = zip(new, found, strict=True)
        return {name: score for name, score in pairs if score is not None}


def _watched(plan: RevalidationPlan, scores: Sequence[float]) -> ScoreWatch | None:
    limit = plan.gate.get("min_score")
    if not scores or not isinstance(limit, int | float):
        return None
    e_value = e_value_below(scores, float(limit))
    return ScoreWatch(
        mean=float(np.mean(scores)),
        n=len(scores),
        limit=float(limit),
        e_value=round(e_value, 3),
        alarms=e_value >= 1 / BUDGET,
    )


def _newest(sides: tuple[Side, Side], rows: Sequence[Sample]) -> tuple[Sample, ...]:
    scores = newness(*sides)
    return () if scores is None else tuple(rows[at] for at in np.argsort(-scores)[:NEWEST])
