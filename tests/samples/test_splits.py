"""Splits: fixed by the seed, disjoint, and never through a near-duplicate."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.errors import DataError, Problem
from ladder.samples.data import Data
from ladder.samples.duplicates import folded, like_pairs
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows, Sample
from ladder.samples.splits import EXAMPLE_SHARES, all_samples, shared_groups, split
from ladder.task import Task, load_task

WORDS = re.findall(
    r"\w+",
    "amber basil cedar delta ember fjord grove heron ivory jasper koala lemon maple nectar "
    "olive pearl quartz raven saffron tulip umber velvet willow xenon yarrow zephyr",
)
PARTS = ("train", "dev", "gate", "sealed", "reserve")


def unlike(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=9)) + f" {seed}-{at}" for at in range(count)]


def row(text: str, target: str = "x", **more: Any) -> dict[str, Any]:
    return {"input": text, "target": target, **more}


def task_of(folder: Path, files: dict[str, Sequence[dict[str, Any]]], **more: Any) -> Task:
    for role, rows in files.items():
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        (folder / f"{role}.jsonl").write_text(lines)
    values = {
        "name": "cut",
        "goal": "Cut the rows.",
        "data": {role: f"{role}.jsonl" for role in files},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
        **more,
    }
    (folder / "task.yaml").write_text(json.dumps(values))
    return load_task(folder / "task.yaml")


def cut(task: Task) -> tuple[Data, Rows]:
    rows = read_rows(task)
    pairs = like_pairs([sample.input for sample in all_samples(rows)])
    return split(task, rows, pairs), rows


def parts_of(splits: Data) -> dict[str, tuple[Sample, ...]]:
    return {name: getattr(splits, name) for name in PARTS}


def ids(samples: Sequence[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def the_problems(task: Task) -> tuple[Problem, ...]:
    with pytest.raises(DataError) as caught:
        cut(task)
    return caught.value.problems


# Examples alone


def test_examples_alone_are_cut_into_disjoint_parts(tmp_path: Path) -> None:
    task = task_of(tmp_path, {"examples": [row(text) for text in unlike(200)]})
    splits, rows = cut(task)
    parts = parts_of(splits)
    found = [name for part in parts.values() for name in ids(part)]
    assert sorted(found) == sorted(ids(rows.examples)), "each row is in one part and in one only"
    for name, share in EXAMPLE_SHARES.items():
        assert len(parts[name]) == round(share * 200)
    assert (splits.duplicates, splits.contaminated) == ((), ())


def test_the_cut_is_fixed_by_the_seed(tmp_path: Path) -> None:
    rows = [row(text) for text in unlike(60)]
    first, _ = cut(task_of(tmp_path, {"examples": rows}))
    again, _ = cut(task_of(tmp_path, {"examples": rows}))
    other, _ = cut(task_of(tmp_path, {"examples": rows}, seed=1))
    assert parts_of(first) == parts_of(again)
    assert set(ids(first.gate)) != set(ids(other.gate))


def test_the_cut_does_not_depend_on_the_order_of_rows_with_ids(tmp_path: Path) -> None:
    rows = [row(text, id=f"n{at}") for at, text in enumerate(unlike(60))]
    first, _ = cut(task_of(tmp_path, {"examples": rows}))
    turned, _ = cut(task_of(tmp_path, {"examples": rows[::-1]}))
    assert parts_of(first) == parts_of(turned)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), copies=st.lists(st.integers(0, 49), max_size=30))
def test_near_duplicates_never_stand_in_two_parts(
    tmp_path_factory: pytest.TempPathFactory, seed: int, copies: list[int]
) -> None:
    texts = unlike(50)
    texts += [f"{texts[at].upper()} !{'?' * turn}" for turn, at in enumerate(copies)]
    folder = tmp_path_factory.mktemp("cut")
    task = task_of(folder, {"examples": [row(text) for text in texts]}, seed=seed)
    splits, rows = cut(task)
    placed = {folded(s.input): name for name, part in parts_of(splits).items() for s in part}
    for one, other in combinations(parts_of(splits).values(), 2):
        shared = {folded(s.input) for s in one} & {folded(s.input) for s in other}
        assert not shared
    assert len(placed) == 50, "one row of each is kept"
    assert len(splits.duplicates) == len(copies)
    kept = [name for part in parts_of(splits).values() for name in ids(part)]
    assert sorted([*kept, *(row for row, _ in splits.duplicates)]) == sorted(ids(rows.examples))


def test_a_typo_does_not_carry_a_row_into_another_part(tmp_path: Path) -> None:
    texts = [f"{one} {other}" for one, other in zip(unlike(60, 3), unlike(60, 4), strict=True)]
    texts += [text[:50] + "q" + text[51:] for text in texts]
    splits, _ = cut(task_of(tmp_path, {"examples": [row(text) for text in texts]}))
    assert sum(map(len, parts_of(splits).values())) == 60
    assert len(splits.duplicates) == 60


# Train and test


def test_given_files_are_never_mixed(tmp_path: Path) -> None:
    task = task_of(
        tmp_path,
        {
            "train": [row(text) for text in unlike(80, 1)],
            "test": [row(text) for text in unlike(100, 2)],
        },
    )
    splits, _ = cut(task)
    assert all(name.startswith("train-") for name in ids((*splits.train, *splits.dev)))
    held = (*splits.gate, *splits.sealed, *splits.reserve)
    assert all(name.startswith("test-") for name in ids(held))
    assert len(splits.train) + len(splits.dev) == 80
    assert (len(held), len(splits.gate), len(splits.sealed)) == (100, 60, 40)
    assert splits.dev


def test_without_training_rows_the_test_rows_choose_too(tmp_path: Path) -> None:
    splits, _ = cut(task_of(tmp_path, {"test": [row(text) for text in unlike(100)]}))
    assert splits.train == ()
    assert len(splits.dev) == 20
    names = ids((*splits.dev, *splits.gate, *splits.sealed, *splits.reserve))
    assert len(set(names)) == len(names) == 100


def test_more_rows_than_a_verdict_needs_stay_in_reserve(tmp_path: Path) -> None:
    rows = [Sample(id=f"t{at}", input=text, target="x") for at, text in enumerate(unlike(900))]
    task = task_of(tmp_path, {"test": [row("a")]})
    splits = split(task, Rows(test=tuple(rows)), [])
    sizes = {name: len(part) for name, part in parts_of(splits).items()}
    assert sizes == {"train": 0, "dev": 120, "gate": 400, "sealed": 200, "reserve": 180}


def test_contaminated_rows_are_listed_and_not_scored(tmp_path: Path) -> None:
    train = [row(text, id=f"train{at}") for at, text in enumerate(unlike(20, 1))]
    test = [row(text, id=f"test{at}") for at, text in enumerate(unlike(30, 2))]
    test[3] = row(train[5]["input"].upper() + "!!", id="copy")
    test[9] = row(train[6]["input"][:-1] + "q", id="typo")
    splits, _ = cut(task_of(tmp_path, {"train": train, "test": test}))
    assert sorted(splits.contaminated) == [("copy", "train5"), ("typo", "train6")]
    assert sorted(sample.id for sample in splits.leaked) == ["copy", "typo"]
    placed = [name for part in parts_of(splits).values() for name in ids(part)]
    assert not {"copy", "typo"} & set(placed)
    assert {"train5", "train6"} <= set(ids((*splits.train, *splits.dev)))
    assert splits.duplicates == ()
    assert len(placed) == 48


def test_duplicates_within_a_file_are_no_contamination(tmp_path: Path) -> None:
    train = [row(text, id=f"train{at}") for at, text in enumerate(unlike(20, 1))]
    test = [row(text, id=f"test{at}") for at, text in enumerate(unlike(20, 2))]
    train.append(row(train[0]["input"], id="train-copy"))
    test.append(row(test[0]["input"], id="test-copy"))
    splits, _ = cut(task_of(tmp_path, {"train": train, "test": test}))
    assert sorted(splits.duplicates) == [("test-copy", "test0"), ("train-copy", "train0")]
    assert splits.contaminated == ()


# Too few


def test_thirty_copies_of_one_row_are_not_enough(tmp_path: Path) -> None:
    task = task_of(tmp_path, {"examples": [row("the same text") for _ in range(30)]})
    (problem,) = the_problems(task)
    assert problem.wanted == "at least 30"


def test_a_test_file_that_repeats_the_training_file_is_not_enough(tmp_path: Path) -> None:
    rows = [row(text) for text in unlike(20)]
    (problem,) = the_problems(task_of(tmp_path, {"train": rows, "test": rows}))
    assert problem.wanted == "at least 10"


@pytest.mark.parametrize(("role", "count"), [("test", 9), ("examples", 29)])
def test_one_row_short_is_refused_and_names_the_least(
    tmp_path: Path, role: str, count: int
) -> None:
    rows = [row(text) for text in unlike(count)]
    (problem,) = the_problems(task_of(tmp_path, {role: rows}))
    assert problem.where == f"{tmp_path / 'task.yaml'}: data.{role}"
    assert (problem.got, problem.wanted) == (f"{count} rows", f"at least {count + 1}")
    assert "200 rows" in problem.fix
    splits, _ = cut(task_of(tmp_path, {role: [row(text) for text in unlike(count + 1)]}))
    assert splits.gate
    assert splits.sealed


def test_one_training_row_is_shown_and_the_test_rows_choose(tmp_path: Path) -> None:
    test = [row(text) for text in unlike(100)]
    splits, _ = cut(task_of(tmp_path, {"train": [row("a lone row", id="lone")], "test": test}))
    assert ids(splits.train) == ["lone"]
    assert len(splits.dev) == 20
    assert not set(ids(splits.dev)) & set(ids(splits.gate))


# Labels


def test_labels_are_taken_from_the_training_rows(tmp_path: Path) -> None:
    rows = [row(text, "no" if at % 2 else "yes") for at, text in enumerate(unlike(60))]
    splits, _ = cut(task_of(tmp_path, {"examples": rows}, answer={"type": "label"}))
    assert splits.labels == ("no", "yes")


def test_given_labels_keep_their_order(tmp_path: Path) -> None:
    rows = [row(text, "no" if at % 2 else "yes") for at, text in enumerate(unlike(60))]
    answer = {"type": "label", "labels": ["yes", "no", "maybe"]}
    splits, _ = cut(task_of(tmp_path, {"examples": rows}, answer=answer))
    assert splits.labels == ("yes", "no", "maybe")


def test_texts_have_no_labels(tmp_path: Path) -> None:
    splits, _ = cut(task_of(tmp_path, {"examples": [row(text) for text in unlike(60)]}))
    assert splits.labels == ()


@pytest.mark.parametrize("answer", [{"type": "label"}, {"type": "label", "labels": ["x"]}])
def test_one_label_leaves_nothing_to_decide(tmp_path: Path, answer: dict[str, Any]) -> None:
    task = task_of(tmp_path, {"examples": [row(text) for text in unlike(40)]}, answer=answer)
    (problem,) = the_problems(task)
    assert problem.where == f"{tmp_path / 'task.yaml'}: answer.labels"
    assert problem.got == "only the label `x`"
    assert problem.wanted == "two or more"
    assert problem.fix == "With one label there is nothing to decide."


def test_a_target_that_is_no_label_is_named_by_its_row(tmp_path: Path) -> None:
    rows = [row(text, "no" if at % 2 else "yes") for at, text in enumerate(unlike(40))]
    rows[7] = row(rows[7]["input"], "perhaps", id="odd")
    answer = {"type": "label", "labels": ["yes", "no"]}
    (problem,) = the_problems(task_of(tmp_path, {"examples": rows}, answer=answer))
    assert problem.where == "examples.jsonl: row odd"
    assert problem.got == "the target `perhaps`"
    assert problem.wanted == "one of answer.labels"
    assert "answer.labels" in problem.fix


def test_a_label_that_a_comma_cut_in_two_is_to_be_quoted(tmp_path: Path) -> None:
    rows = [row(text, "rooms, suites" if at % 2 else "bar") for at, text in enumerate(unlike(40))]
    answer = {"type": "label", "labels": ["rooms", "suites", "bar"]}
    problem = the_problems(task_of(tmp_path, {"examples": rows}, answer=answer))[0]
    assert "write 'rooms, suites' in quotes" in problem.fix


def test_a_test_label_that_training_never_shows_is_named(tmp_path: Path) -> None:
    train = [row(text, "no" if at % 2 else "yes") for at, text in enumerate(unlike(40, 1))]
    test = [row(text, "yes") for text in unlike(20, 2)]
    test[4] = row(test[4]["input"], "perhaps", id="odd")
    files = {"train": train, "test": test}
    (problem,) = the_problems(task_of(tmp_path, files, answer={"type": "label"}))
    assert (problem.where, problem.got) == ("test.jsonl: row odd", "the target `perhaps`")
    assert problem.wanted == "one of the training examples"
    assert "list every allowed answer" in problem.fix


def test_a_rare_label_of_the_training_file_is_known_wherever_the_cut_puts_it(
    tmp_path: Path,
) -> None:
    """Its only row falls into dev for some of these places, into train for the others."""
    parts = set()
    for at in range(12):
        train = [row(text, "no" if n % 2 else "yes") for n, text in enumerate(unlike(20, 1))]
        train[at] = row(train[at]["input"], "rare", id="rare")
        files = {"train": train, "test": [row(text, "yes") for text in unlike(20, 2)]}
        splits, _ = cut(task_of(tmp_path, files, answer={"type": "label"}, seed=at))
        assert splits.labels == ("no", "rare", "yes")
        parts |= {name for name, part in parts_of(splits).items() if "rare" in ids(part)}
    assert parts == {"train", "dev"}


# Groups and kinds of rows


def test_no_split_parts_a_group(tmp_path):
    texts = unlike(240)
    rows = [row(text, group=f"g{at // 7}") for at, text in enumerate(texts)]
    task = task_of(tmp_path, {"examples": rows})
    found = split(task, read_rows(task), [])
    homes = [{sample.group for sample in getattr(found, part)} for part in PARTS]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 35
    assert shared_groups(found) == 0


def test_groups_in_train_and_in_held_out_rows_are_counted(tmp_path):
    texts = unlike(300)
    train = [row(text, group=f"g{at % 10}") for at, text in enumerate(texts[:200])]
    test = [row(text, group=f"g{at % 20}") for at, text in enumerate(texts[200:])]
    task = task_of(tmp_path, {"train": train, "test": test})
    assert 0 < shared_groups(split(task, read_rows(task), [])) <= 10


@pytest.mark.parametrize(
    ("strata", "message"),
    [({"chat": 1}, "no share for the kind `mail`"), ({"chat": 1, "mail": 1, "fax": 1}, "`fax`")],
)
def test_shares_that_do_not_fit_the_rows_are_refused(tmp_path, strata, message):
    texts = unlike(120)
    rows = [row(text, stratum=("chat", "mail")[at % 2]) for at, text in enumerate(texts)]
    task = task_of(tmp_path, {"examples": rows}, use={"strata": strata})
    with pytest.raises(DataError, match=message):
        split(task, read_rows(task), [])
