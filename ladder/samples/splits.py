"""Cut rows into train, dev, gate and sealed: fixed by the seed, never through a near-duplicate.

`dev` chooses, `gate` judges, `sealed` confirms once. Rows beyond what a verdict needs stay in
`reserve`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from unicodedata import category

from ladder.errors import DataError, Problem
from ladder.language.words import comparable, composed
from ladder.samples.conflicts import find_conflicts
from ladder.samples.data import Data
from ladder.samples.duplicates import clusters
from ladder.samples.passages import passages
from ladder.samples.rows import Document, Rows, Sample
from ladder.samples.values import nfc
from ladder.task import Task
from ladder.wording import harmless

LEAST_HELD_OUT = 10
MOST_DEV, MOST_GATE, MOST_SEALED = 120, 400, 200
DEV_SHARE_OF_TRAIN = 0.25
DEV_SHARE_OF_FEW, FEW_DEV = 0.4, 80
"""With few training examples a larger share chooses: a choice on a handful of rows is a lottery."""
DEV_SHARE_OF_TEST = 0.2
GATE_SHARE_OF_TEST = 0.6
EXAMPLE_SHARES = {"train": 0.5, "dev": 0.15, "gate": 0.2, "sealed": 0.15}


def all_samples(rows: Rows) -> tuple[Sample, ...]:
    """Return the labelled rows in the order in which `split` expects their pairs."""
    return (*rows.examples, *rows.train, *rows.dev, *rows.test)


def split(task: Task, rows: Rows, pairs: Sequence[tuple[int, int]]) -> Data:
    """Split the rows.

    Args:
        task: gives the seed and the answer form.
        rows: everything that was read.
        pairs: near-duplicates among `all_samples(rows)`.

    Raises:
        DataError: too few rows, or labels that do not fit.
    """
    samples = all_samples(rows)
    train_size = len(rows.examples) + len(rows.train) + len(rows.dev)
    conflicts = find_conflicts(task.answer.type, samples, pairs, train_size)
    cluster = clusters(len(samples), conflicts.same)
    first_of: dict[int, int] = {}
    kept, duplicates, contaminated, leaked = [], [], [], []
    for at, sample in enumerate(samples):
        first = first_of.setdefault(cluster[at], at)
        if first == at:
            kept.append(at)
        elif at >= train_size > first:
            contaminated.append((sample.id, samples[first].id))
            leaked.append(sample)
        else:
            duplicates.append((sample.id, samples[first].id))
    mixed = sorted(kept, key=lambda at: _draw(task.seed, samples[at].group or samples[at].id))
    learn = [samples[at] for at in mixed if at < train_size]
    held = [samples[at] for at in mixed if at >= train_size]
    _enough(task, rows, left=len(learn if rows.examples else held))
    given = {sample.id for sample in rows.dev}
    parts = _cut_examples(learn) if rows.examples else _cut_given(learn, held, given)
    _check_strata(task, (*parts["gate"], *parts["sealed"]))
    labels = _labels(task, rows, samples[:train_size], samples)
    return Data(
        train=tuple(parts["train"]),
        dev=tuple(parts["dev"]),
        gate=tuple(parts["gate"]),
        sealed=tuple(parts["sealed"]),
        reserve=tuple(parts.get("reserve", ())),
        documents=tuple(part for document in rows.documents for part in _parts(document)),
        unlabeled=rows.unlabeled,
        labels=labels,
        duplicates=tuple(duplicates),
        contaminated=tuple(contaminated),
        leaked=tuple(leaked),
        contradictions=tuple((samples[b], samples[a]) for a, b in conflicts.contradictions),
        mislabelled=conflicts.beyond,
        reworded=tuple((samples[b].id, samples[a].id) for a, b in conflicts.reworded),
        labelled=len(samples),
    )


def _parts(document: Document) -> Iterator[Document]:
    """Yield a document, or its passages where it is too long to be read whole."""
    places = list(passages(document.text))
    if len(places) == 1:
        yield document
        return
    for number, (start, end) in enumerate(places, start=1):
        yield replace(
            document,
            id=f"{document.id}#{number}",
            text=document.text[start:end],
            start=start,
            cut_from=document.id,
        )


def _draw(seed: int, sample_id: str) -> bytes:
    """Return a place in a shuffle that depends on the seed and the id (or group) alone."""
    return hashlib.sha256(f"{seed}:{sample_id}".encode()).digest()


def _enough(task: Task, rows: Rows, left: int) -> None:
    """Refuse a set of which too few rows are left once near-duplicates are set aside."""
    role = "examples" if task.data.examples else "test"
    held = rows.examples or rows.test
    cut = role == "examples" and "split" not in task.data.columns
    least = LEAST_HELD_OUT * (3 if cut else 1)
    if left < least:
        where = f"{task.source}: data.{role}"
        fix = "A verdict needs about 200 rows; fewer can tell only large differences."
        got = f"{left} rows"
        if left < len(held):
            got += f" once {len(held) - left} near-duplicates are set aside"
        raise DataError([Problem(where, got, f"at least {least}", fix)])


def _cut_examples(rows: list[Sample]) -> dict[str, list[Sample]]:
    ends, total = [], 0.0
    for share in EXAMPLE_SHARES.values():
        total += share
        ends.append(group_end(rows, round(total * len(rows))))
    starts = [0, *ends[:-1]]
    return {name: rows[a:b] for name, a, b in zip(EXAMPLE_SHARES, starts, ends, strict=True)}


def _cut_given(
    learn: list[Sample], held: list[Sample], given: Collection[str]
) -> dict[str, list[Sample]]:
    """Cut rows whose parts the user knows.

    Args:
        learn: rows for training, and those that choose where they are given.
        held: rows that judge.
        given: ids of the rows that choose; none: they are cut from the others.
    """
    if given:
        chosen = [sample for sample in learn if sample.id in given]
        train = [sample for sample in learn if sample.id not in given]
        end = group_end(chosen, min(MOST_DEV, len(chosen)))
        return {"train": train, "dev": chosen[:end], **_cut_held(held, spare=chosen[end:])}
    few = min(FEW_DEV, round(DEV_SHARE_OF_FEW * len(learn)))
    dev_size = min(MOST_DEV, max(few, round(DEV_SHARE_OF_TRAIN * len(learn))))
    if dev_size:
        dev_size = group_end(learn, dev_size)
        dev, train = learn[:dev_size], learn[dev_size:]
    else:
        dev_size = group_end(held, min(MOST_DEV, round(DEV_SHARE_OF_TEST * len(held))))
        dev, train, held = held[:dev_size], learn, held[dev_size:]
    return {"train": train, "dev": dev, **_cut_held(held, spare=[])}


def _cut_held(held: list[Sample], spare: list[Sample]) -> dict[str, list[Sample]]:
    gate_size = group_end(held, min(MOST_GATE, round(GATE_SHARE_OF_TEST * len(held))))
    sealed_end = group_end(held, gate_size + min(MOST_SEALED, len(held) - gate_size))
    return {
        "gate": held[:gate_size],
        "sealed": held[gate_size:sealed_end],
        "reserve": [*held[sealed_end:], *spare],
    }


def group_end(rows: Sequence[Sample], cut: int) -> int:
    """Move a cut behind the group that it would part; rows of one group stand together."""
    while 0 < cut < len(rows) and rows[cut].group and rows[cut].group == rows[cut - 1].group:
        cut += 1
    return cut


def _check_strata(task: Task, held: Sequence[Sample]) -> None:
    """Refuse shares that do not fit the rows: a kind without rows has no score to weigh."""
    shares = task.use.strata
    if not shares:
        return
    where = f"{task.source}: use.strata"
    fix = "Give every kind a share in use.strata, and every share rows with that `stratum`."
    there = {sample.stratum for sample in held}
    problems = [
        Problem(where, f"no share for the kind `{kind}`", "a share for every kind of row", fix)
        for kind in sorted(there - shares.keys())
    ]
    problems += [
        Problem(where, f"the kind `{kind}` without a held-out example", "rows of every kind", fix)
        for kind in sorted(shares.keys() - there)
    ]
    if problems:
        raise DataError(problems)


def shared_groups(splits: Data) -> int:
    """Return how many groups stand among the training examples and among the held-out examples."""
    learnt = {sample.group for sample in splits.train if sample.group}
    return len(learnt & {sample.group for sample in (*splits.gate, *splits.sealed)})


def _file_of(task: Task, rows: Rows, sample: Sample) -> str:
    files = task.data.files()
    roles = {"train": rows.train, "dev": rows.dev, "test": rows.test, "examples": rows.examples}
    role = next(role for role, found in roles.items() if sample in found)
    return files.get(role) or files.get("examples", role)


def _labels(
    task: Task, rows: Rows, train: Iterable[Sample], samples: Iterable[Sample]
) -> tuple[str, ...]:
    """Return the closed answer set, checked against every target."""
    if task.answer.type != "label":
        return ()
    given = task.answer.labels
    learnt = {target for sample in train for target in sample.targets}
    labels = given or tuple(sorted(learnt or {t for s in samples for t in s.targets}))
    where = f"{task.source}: answer.labels"
    if len(labels) < 2:
        fix = "With one label there is nothing to decide."
        raise DataError([Problem(where, f"only the label `{labels[0]}`", "two or more", fix)])
    source = "answer.labels" if given else "the training examples"
    known = set(labels)
    unknown = [(s, target) for s in samples for target in s.targets if target not in known]
    if unknown:
        raise DataError(
            [
                Problem(
                    f"{_file_of(task, rows, sample)}: row {sample.id}",
                    f"the target `{target[:60]}`",
                    f"one of {source}",
                    _fix_of_label(target, labels),
                )
                for sample, target in unknown[:5]
            ]
        )
    return labels


def _fix_of_label(target: str, labels: Sequence[str]) -> str:
    """Say how a target becomes a label: by the one that it nearly is, or by a longer list."""
    near = next((label for label in labels if same_label(label, target)), None)
    if near is not None and composed(near) == composed(target):  # no reader tells them apart
        shown = near.encode("unicode_escape").decode("ascii")
        return f"Did you mean `{shown}`? They differ in spaces or unseen signs alone."
    if near is not None:
        return f"Did you mean `{near}`? Write it alike in every file."
    if target == ", ".join(label for label in labels if label in target.split(", ")):
        return f"YAML reads an unquoted comma as the end of a label: write {target!r} in quotes."
    return "Fix the rows, or list every allowed answer under answer.labels."


def same_label(one: str, other: str) -> bool:
    """Tell whether two labels differ only in capitals, spaces, unseen signs, or as 1 and 1.0."""
    return _bare(one) == _bare(other)


def alike_labels(labels: Sequence[str]) -> Iterator[str]:
    """Yield a warning for labels that are one label, with other spaces or unseen signs."""
    alike: dict[str, dict[str, str]] = {}
    for label in labels:
        alike.setdefault(_bare(label), {}).setdefault(comparable(label), label)
    for same in alike.values():
        if len(same) > 1:  # those that differ in case alone are told by their rows
            written = " and ".join(f"`{harmless(label, 60)}`" for label in [*same.values()][:4])
            yield (
                f"warning: the labels {written} differ in spaces, marks or unseen signs alone and "
                "count as different: write one label in one way"
            )


def _bare(label: str) -> str:
    try:
        return str(float(label))
    except ValueError:
        plain = re.sub(r"[\s_.\'\"“”„‘’«»]+|(?<=\w)-(?=\w)", "", nfc(label).casefold())
        return "".join(sign for sign in plain if category(sign)[0] != "C") or label
