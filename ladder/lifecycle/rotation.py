"""Replace a part of a plan's eval examples by fresh labelled rows, each quarter.

A set of examples that is read again and again is slowly chosen by: whoever mends what it shows is
fitted to it. So the examples that were read most often go out and as many fresh ones come in; their
number stays. The user's files are only read: the fresh rows are kept in rotation/ beside the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from ladder.errors import DataError, Problem
from ladder.evidence import Rotation
from ladder.files import (
    alone_in,
    append_line,
    clear_disk_errors,
    digest_of,
    file_digest,
    private_folder,
    write_json_lines,
)
from ladder.lifecycle.checks import checks_so_far
from ladder.lifecycle.own_rows import kept_rows
from ladder.lifecycle.records import records_in
from ladder.progress import Watch
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.duplicates import like_pairs
from ladder.samples.reading import read_recent
from ladder.samples.rows import Sample

RECORD = "rotations.jsonl"
FOLDER = "rotation"
PART = 0.25
"""Of the eval examples, at once: in a year all of them are new."""


@dataclass(frozen=True)
class Rotated:
    """The eval examples of today."""

    rows: tuple[Sample, ...]
    ages: tuple[int, ...]
    """How many rotations ago each came in; those of the certification are the oldest."""
    known: frozenset[str]
    """Digests of all rows that ever came in."""


def key_of(row: Sample) -> str:
    """Return what tells an example from others, whatever file it stands in."""
    return digest_of([row.input, *row.targets])


def rotations_so_far(path: Path) -> list[Rotation]:
    """Return the rotations of a plan.

    Raises:
        StateError: a line of the record cannot be read.
    """
    fix = "Fix the line: without it, examples that went out would be read again."
    return records_in(path.parent / RECORD, Rotation, "a rotation", fix)


def rotated(path: Path, certified: Sequence[Sample]) -> Rotated:
    """Return the eval examples after all rotations.

    Args:
        path: the plan.
        certified: the eval examples that the task's own files give.

    Raises:
        StateError: the record, or a copy that it names, is not what it was.
    """
    rotations = rotations_so_far(path)
    born = dict.fromkeys(map(key_of, certified), 0)
    rows = {key_of(row): row for row in certified}
    known: set[str] = set()
    for number, rotation in enumerate(rotations, start=1):
        for key in rotation.out:
            rows.pop(key, None)
        for row in _kept(path, rotation):
            rows[key_of(row)], born[key_of(row)] = row, number
            known.add(key_of(row))
    ages = tuple(len(rotations) - born[key] for key in rows)
    return Rotated(tuple(rows.values()), ages, frozenset(known))


def rotate(path: Path, bench: Bench, new: Path, now: datetime) -> Rotation | None:
    """Take fresh labelled rows in, in place of the eval examples that were read most often.

    Args:
        path: the plan.
        bench: the task, and its data as its own files give them.
        new: file of labelled rows, a random sample of what comes in.
        now: when the check began that reads them first.

    Returns:
        what was done; None where all rows of the file came in before, or some did for a check
        that was stopped: this one goes on.

    Raises:
        DataError: the rows are wrong, have no targets, or none of them is fresh.
        StateError: an earlier rotation cannot be read.
    """
    with clear_disk_errors(path.parent), alone_in(private_folder(path.parent / FOLDER)):
        return _rotate(path, bench, new, now)


def _rotate(path: Path, bench: Bench, new: Path, now: datetime) -> Rotation | None:
    task, data, watch = bench.task, bench.data, bench.evaluator.watch
    if _went_on(path, new):
        return None
    today = rotated(path, data.gate)
    given = [row for row in read_recent(task, new) if key_of(row) not in today.known]
    if not given:
        return None
    _refuse_unlabelled(new, given, data.labels)
    fresh = _unlike(given, data, today.rows, watch)
    going, coming = _exchanged(today, fresh, bool(task.use.strata))
    if not coming:
        got = f"{len(given)} rows of which none can replace an eval example"
        wanted = "labelled rows that no example of the task, and no earlier row, says the same as"
        raise DataError([Problem(str(new), got, wanted)])
    counts = {"alike": len(given) - len(fresh), "unused": len(fresh) - len(coming)}
    return _written(path, new, (coming, going), now, counts)


def _went_on(path: Path, new: Path) -> bool:
    """Tell whether this file's rows came in since the last check that measured them."""
    last = max((check.at for check in checks_so_far(path) if check.measured), default="")
    since = [rotation for rotation in rotations_so_far(path) if rotation.at > last]
    return bool(since) and file_digest(new) in {rotation.source for rotation in since}


def _exchanged(
    today: Rotated, fresh: Sequence[Sample], by_stratum: bool
) -> tuple[list[Sample], list[Sample]]:
    """Return the rows that go out, the oldest first, and as many that come in; pure.

    Within an age, and among more fresh rows than are wanted, the digest decides, which knows
    nothing of how an answer scored. Strata keep their numbers.
    """
    strata = sorted({row.stratum for row in today.rows}) if by_stratum else [None]
    going: list[Sample] = []
    coming: list[Sample] = []
    for stratum in strata:
        ages = zip(today.rows, today.ages, strict=True)
        here = [(row, age) for row, age in ages if stratum in (None, row.stratum)]
        most = max(1, round(PART * len(here)))
        new = sorted((row for row in fresh if stratum in (None, row.stratum)), key=key_of)[:most]
        oldest = sorted(here, key=lambda pair: (-pair[1], key_of(pair[0])))
        going += [row for row, _ in oldest[: len(new)]]
        coming += new
    return going, coming


def _unlike(
    given: Sequence[Sample], data: Data, eval_rows: Sequence[Sample], watch: Watch
) -> list[Sample]:
    """Return the rows that say something else than every example of the task and every other."""
    own = (data.train, data.dev, data.gate, data.sealed, data.reserve, data.leaked, eval_rows)
    before = [row.input for rows in own for row in rows]
    texts = [*before, *(row.input for row in given)]
    with watch.step("looking for rows that are known", len(texts)) as advance:
        alike = {later - len(before) for _, later in like_pairs(texts, advance)}
    return [row for at, row in enumerate(given) if at not in alike]


def _refuse_unlabelled(file: Path, rows: Iterable[Sample], labels: Sequence[str]) -> None:
    problems = list(_unlabelled(file, rows, frozenset(labels)))
    if problems:
        raise DataError(problems[:20])


def _unlabelled(file: Path, rows: Iterable[Sample], labels: frozenset[str]) -> Iterator[Problem]:
    for row in rows:
        if not row.target:
            yield Problem(f"{file}: {row.id}", "no target", "a labelled row")
        elif labels and not labels.issuperset(row.targets):
            wanted, fix = "one of the task's labels", "A new label is a new task: assess it."
            yield Problem(f"{file}: {row.id}", f"the label `{row.target}`", wanted, fix)


def _written(
    path: Path,
    new: Path,
    exchanged: tuple[list[Sample], list[Sample]],
    now: datetime,
    counts: dict[str, int],
) -> Rotation:
    """Keep the rows that come in, then note the exchange: stopped in between, nothing is done."""
    coming, going = exchanged
    folder = path.parent / FOLDER
    name = f"{digest_of([key_of(row) for row in coming])[:16]}.jsonl"
    named = (replace(row, id=f"fresh {key_of(row)[:16]}") for row in coming)
    write_json_lines(folder / name, (asdict(row) for row in named))
    done = Rotation(
        at=now.isoformat(timespec="seconds"),
        source=file_digest(new),
        file=name,
        digest=file_digest(folder / name),
        fresh=len(coming),
        out=tuple(map(key_of, going)),
        **counts,
    )
    append_line(path.parent / RECORD, done.model_dump_json())
    return done


def _kept(path: Path, rotation: Rotation) -> tuple[Sample, ...]:
    file = path.parent / FOLDER / Path(rotation.file).name
    fix = "Put the original file back: the plan's eval examples lie in it."
    changed = f"not the rows that came in on {rotation.at[:10]}. {fix}"
    return kept_rows(file, rotation.digest, "eval examples that came in by a rotation", changed)
