"""`ladder synth`: a teacher writes training examples; they are filtered, their gain measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ladder.climb.opening import open_bench
from ladder.errors import DataError, Problem, TaskError
from ladder.evidence import SyntheticCounts, SyntheticRecord
from ladder.files import (
    digest_of,
    file_digest,
    refuse_unwritable_file,
    write_json_lines,
    write_whole,
)
from ladder.models.cache import CachedEngine
from ladder.progress import Watch
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample
from ladder.samples.synthetic import record_path
from ladder.synthesis.filters import agreed, ask, away_from_held_out, describe_check, unlike
from ladder.synthesis.gain import Gain, measure_gain, refuse_way
from ladder.synthesis.writing import Draft, drafts, read_input
from ladder.task import ModelRef, Task
from ladder.wording import in_json

LEAST_ROWS = 8
"""Training examples without which there is nothing to show."""
REFUSED = ".refused.jsonl"


def synthesise(
    task: Task, count: int, out: Path, runs: Path, watch: Watch, way: str = ""
) -> tuple[SyntheticRecord, Path]:
    """Let the task's teacher write training examples, and keep a record of what they are worth.

    The task's own synthetic rows, if it names any, take no part: examples and the measurement
    come from the rows that no model wrote.

    Args:
        task: `models.teacher` writes, or the base where none is named.
        count: rows to ask for.
        out: a .jsonl file; refused rows go to a name that says so.
        runs: folder of all runs, with the completions: what was answered is not asked again.
        watch: sees progress.
        way: how the gain is measured, a key of `gain.WAYS`; empty: the usual way of the task.

    Returns:
        the record, and the file that was written; the record stands beside it.

    Raises:
        DataError: too few training examples.
        TaskError: the gain cannot be measured in this way, or `out` is a file of the user's.
    """
    for path in (out, record_path(_refused(out))):  # the longest name of them
        refuse_unwritable_file(path)
    _refuse_strangers(out, _refused(out))
    bench = open_bench(task.with_data(synthetic=None), runs, watch)
    if len(bench.data.observed) < LEAST_ROWS:
        got = f"{len(bench.data.observed)} training examples"
        fix = "The teacher is shown training examples: give some under data.train."
        raise DataError([Problem(f"{task.source}: data", got, f"at least {LEAST_ROWS}", fix)])
    refuse_way(bench, way)
    teacher = task.models.teacher or task.models.base
    rows, asked, counts = _written(bench, teacher, count)
    gain = measure_gain(bench, rows, way) if rows else None
    path = out if gain and gain.proven else _refused(out)
    write_json_lines(path, _as_lines(bench, teacher, rows, asked))
    record = _record(bench, teacher, counts, gain, file_digest(path))
    write_whole(record_path(path), in_json(record.model_dump_json(indent=2)) + "\n")
    bench.evaluator.models.cache.close()
    return record, path


def _refused(out: Path) -> Path:
    return out.with_name(out.stem + REFUSED)


def _refuse_strangers(*paths: Path) -> None:
    """Refuse to write over what another program or a person has written."""
    for path in paths:
        if path.exists() and not record_path(path).is_file():
            got = "a file that `ladder synth` did not write"
            raise TaskError([Problem(f"--out {path}", got, "a new file", "Name another one.")])


def _written(
    bench: Bench, teacher: ModelRef, count: int
) -> tuple[list[Sample], dict[str, Draft], SyntheticCounts]:
    """Return the rows that are left, the drafts by row, and what became of the others."""
    engine = bench.evaluator.models.engine(teacher)
    asked = {f"synth-{draft.number}": draft for draft in drafts(bench, engine, count)}
    requests = [draft.request for draft in asked.values()]
    replies = ask(bench, engine, requests, "writing inputs")
    given = [(*one, reply) for one, reply in zip(asked.items(), replies, strict=True)]
    whole = [one for one in given if one[-1].error is None]
    rows = []
    for name, draft, reply in whole:
        text = read_input(bench, draft, reply)
        if text and bench.data.labels:
            rows.append(Sample(name, text, draft.kind))
        elif text:
            rows.append(Sample(name, text, "", stratum=draft.kind))
    # What costs nothing comes first: only what is left is answered.
    new = unlike(rows, bench.data.observed)
    away = away_from_held_out(bench, new)
    sure = agreed(bench, teacher, away)
    kept = away_from_held_out(bench, sure.rows)  # the answers are texts too
    counts = SyntheticCounts(
        asked=count,
        unanswered=count - len(whole) + sure.unanswered,
        form=len(whole) - len(rows) + sure.form,
        duplicates=len(rows) - len(new),
        held_out=len(new) - len(away) + len(sure.rows) - len(kept),
        disagreed=sure.disagreed,
        kept=len(kept),
    )
    return kept, asked, counts


def _as_lines(
    bench: Bench, teacher: ModelRef, rows: Sequence[Sample], asked: dict[str, Draft]
) -> list[dict[str, Any]]:
    """Return the rows as lines of a training file of this task, with where they come from."""
    columns: dict[str, str] = dict(bench.task.data.columns.items())
    engine = bench.evaluator.models.engine(teacher)
    lines = []
    for row in rows:
        values = {"id": row.id, "input": row.input, "target": row.target}
        values |= {"stratum": row.stratum} if row.stratum else {}
        named = {columns.get(name, name): value for name, value in values.items()}
        meta = {
            "teacher": f"{teacher.label} {engine.identity[:16]}",
            "prompt_digest": digest_of(replace(asked[row.id].request, sample=0).as_json()),
            "seed": bench.task.seed,
            "draw": asked[row.id].number,
        }
        lines.append({**named, "meta": meta})
    return lines


def _record(
    bench: Bench, teacher: ModelRef, counts: SyntheticCounts, gain: Gain | None, digest: str
) -> SyntheticRecord:
    engine: CachedEngine = bench.evaluator.models.engine(teacher)
    return SyntheticRecord(
        task=bench.task.name,
        teacher=teacher.label,
        fingerprint=engine.fingerprint(),
        seed=bench.task.seed,
        counts=counts,
        check=describe_check(bench),
        measured=gain.measured if gain else "",
        scores=gain.scores if gain else None,
        gain=gain.comparison if gain else None,
        accepted=bool(gain and gain.proven),
        reason=_reason(gain),
        digest=digest,
    )


def _reason(gain: Gain | None) -> str:
    if gain is None:
        return "no row was left"
    found, (new, old) = gain.comparison, gain.scores
    claim = "a gain" if gain.proven else "a loss" if found.high < 0 else "no gain proven"
    return (
        f"{claim}: {gain.measured} scores {new:.3f} with them and {old:.3f} without on {found.n} "
        f"dev examples, {found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
    )


def describe(record: SyntheticRecord, path: Path, task: Task) -> list[str]:
    """Return what to tell the user, line by line."""
    c = record.counts
    lost = (
        (c.unanswered, "not answered"),
        (c.form, "empty or of a broken form"),
        (c.duplicates, "near-duplicates of training examples or of each other"),
        (c.held_out, "too near held-out examples"),
        (c.disagreed, "whose answer was not agreed upon"),
    )
    said = ", ".join(f"{count} {why}" for count, why in lost if count) or "none lost"
    word = "accepted" if record.accepted else "refused"
    lines = [
        f"asked for {c.asked} rows, kept {c.kept}: {said}",
        f"check: {record.check}",
        record.reason,
        f"{word}: {path} (record: {record_path(path).name})",
    ]
    if record.accepted:
        lines.append(f"Use them: data: {{synthetic: {_beside(task, path)}}}")
    return lines


def _beside(task: Task, path: Path) -> str:
    """Return the path as the task file would name it."""
    folder, whole = task.folder.resolve(), path.resolve()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(path)
