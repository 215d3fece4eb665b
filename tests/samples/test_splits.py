"""The cut into train, dev, gate and sealed: fixed, disjoint, and never through a near-duplicate."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from writing import write_lines, write_task

from ladder.errors import DataError, Problem
from ladder.samples.duplicates import folded, like_pairs
from ladder.samples.rows import read_rows
from ladder.samples.splits import Splits, all_samples, split
from ladder.task import Task

PARTS = ("train", "dev", "gate", "sealed", "reserve")
WORDS = ("ferry", "pier", "bread", "rye", "guest", "hotel", "storm", "wind", "chart", "river")


def texts(count: int, seed: int) -> list[str]:
    """Return texts that are no near-duplicates of each other."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(WORDS, 8)) + f" {draw.random()}" for _ in range(count)]


def labelled(inputs: list[str], labels: tuple[str, ...] = ("good", "bad")) -> list[dict[str, str]]:
    return [{"input": text, "target": labels[at % len(labels)]} for at, text in enumerate(inputs)]


def cut(task: Task) -> Splits:
    rows = read_rows(task)
    return split(task, rows, like_pairs([sample.input for sample in all_samples(rows)]))


def task_of(folder: Path, files: dict[str, list[dict[str, str]]], **more: object) -> Task:
    for role, rows in files.items():
        write_lines(folder / f"{role}.jsonl", rows)
    return write_task(folder, {role: f"{role}.jsonl" for role in files}, **more)


def refusal(task: Task) -> tuple[Problem, ...]:
    with pytest.raises(DataError) as caught:
        cut(task)
    assert all(problem.got and problem.wanted and problem.fix for problem in caught.value.problems)
    return caught.value.problems


def ids(found: Splits) -> dict[str, list[str]]:
    return {part: [sample.id for sample in getattr(found, part)] for part in PARTS}


# Sizes


def test_examples_alone_are_cut_into_four_disjoint_parts(tmp_path):
    found = cut(task_of(tmp_path, {"examples": labelled(texts(200, 1))}))
    sizes = {part: len(names) for part, names in ids(found).items()}
    assert sizes == {"train": 100, "dev": 30, "gate": 40, "sealed": 30, "reserve": 0}
    together = [name for names in ids(found).values() for name in names]
    assert sorted(together) == sorted(f"examples-{at}" for at in range(1, 201))


def test_the_cut_depends_on_the_seed_and_on_nothing_else(tmp_path):
    files = {"examples": labelled(texts(60, 1))}
    first = ids(cut(task_of(tmp_path, files)))
    assert ids(cut(task_of(tmp_path, files))) == first
    assert ids(cut(task_of(tmp_path, files, seed=1))) != first


def test_the_cut_follows_the_id_not_the_place_in_the_file(tmp_path):
    rows = [{**row, "id": f"r{at}"} for at, row in enumerate(labelled(texts(60, 1)))]
    first = ids(cut(task_of(tmp_path, {"examples": rows})))
    assert ids(cut(task_of(tmp_path, {"examples": rows[::-1]}))) == first


def test_given_files_dev_comes_from_train_and_the_judges_from_test(tmp_path):
    files = {"train": labelled(texts(100, 1)), "test": labelled(texts(100, 2))}
    found = ids(cut(task_of(tmp_path, files)))
    assert {part: len(names) for part, names in found.items()} == {
        "train": 60,
        "dev": 40,
        "gate": 60,
        "sealed": 40,
        "reserve": 0,
    }
    assert all(name.startswith("train-") for name in found["train"] + found["dev"])
    assert all(name.startswith("test-") for name in found["gate"] + found["sealed"])


def test_without_training_rows_dev_comes_from_test(tmp_path):
    found = ids(cut(task_of(tmp_path, {"test": labelled(texts(50, 1))})))
    assert {part: len(names) for part, names in found.items()} == {
        "train": 0,
        "dev": 10,
        "gate": 24,
        "sealed": 16,
        "reserve": 0,
    }


def test_rows_beyond_what_a_verdict_needs_are_kept_in_reserve(tmp_path):
    found = ids(cut(task_of(tmp_path, {"test": labelled(texts(1000, 1))})))
    assert [len(found[part]) for part in PARTS] == [0, 120, 400, 200, 280]


# Too few


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_test_rows_are_refused(tmp_path, count):
    (problem,) = refusal(task_of(tmp_path, {"test": labelled(texts(count, 1))}))
    assert problem.where == f"{tmp_path / 'task.yaml'}: data.test"
    assert (problem.got, problem.wanted) == (f"{count} rows", "at least 10")


@pytest.mark.parametrize("count", [0, 1, 29])
def test_too_few_examples_are_refused(tmp_path, count):
    (problem,) = refusal(task_of(tmp_path, {"examples": labelled(texts(count, 1))}))
    assert problem.where == f"{tmp_path / 'task.yaml'}: data.examples"
    assert (problem.got, problem.wanted) == (f"{count} rows", "at least 30")


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_training_row_is_enough_to_cut(tmp_path, count):
    files = {"train": labelled(texts(count, 1)), "test": labelled(texts(20, 2))}
    found = ids(cut(task_of(tmp_path, files)))
    assert len(found["train"]) == count
    assert len(found["gate"]) + len(found["sealed"]) + len(found["dev"]) == 20


def test_rows_that_all_say_the_same_are_too_few(tmp_path):
    (problem,) = refusal(task_of(tmp_path, {"test": labelled(["the same text again"] * 50)}))
    assert "1 rows once 49 near-duplicates are set aside" in problem.got


# Near-duplicates


def test_a_near_duplicate_never_stands_in_two_parts(tmp_path):
    base = texts(120, 1)
    variants = [text.upper() + "!" for text in base] + [f"{text} x" for text in base]
    rows = labelled(base + variants, ("good",) * 120 + ("bad",) * 240)
    random.Random(0).shuffle(rows)
    found = cut(task_of(tmp_path, {"examples": rows}))
    kept = [sample.input for part in PARTS for sample in getattr(found, part)]
    assert len(kept) == 120
    assert len({folded(text).removesuffix(" x") for text in kept}) == 120
    assert like_pairs(kept) == []
    assert len(found.duplicates) == 240
    assert found.contaminated == ()


def test_a_test_row_that_repeats_a_training_row_is_listed_and_not_scored(tmp_path):
    train, test = texts(30, 1), texts(30, 2)
    test[3] = train[5].upper()
    test[4] = train[6] + "!"
    files = {"train": labelled(train), "test": labelled(test)}
    found = cut(task_of(tmp_path, files))
    assert set(found.contaminated) == {("test-4", "train-6"), ("test-5", "train-7")}
    everywhere = [name for names in ids(found).values() for name in names]
    assert "test-4" not in everywhere
    assert "test-5" not in everywhere
    assert {"train-6", "train-7"} <= set(everywhere)
    assert found.duplicates == ()


def test_repeats_within_one_file_are_duplicates_not_contamination(tmp_path):
    train, test = texts(30, 1), texts(30, 2)
    train[1], test[1] = train[0], test[0]
    found = cut(task_of(tmp_path, {"train": labelled(train), "test": labelled(test)}))
    assert set(found.duplicates) == {"train-2", "test-2"}
    assert found.contaminated == ()


def test_a_test_file_that_repeats_the_training_file_is_refused(tmp_path):
    same = labelled(texts(40, 1))
    (problem,) = refusal(task_of(tmp_path, {"train": same, "test": same}))
    assert problem.where.endswith("data.test")
    assert "0 rows once 40 near-duplicates are set aside" in problem.got


# Labels

LABEL = {"answer": {"type": "label"}}


def test_labels_are_taken_from_the_training_rows(tmp_path):
    files = {"train": labelled(texts(20, 1)), "test": labelled(texts(20, 2))}
    assert cut(task_of(tmp_path, files, **LABEL)).labels == ("bad", "good")


def test_given_labels_keep_their_order(tmp_path):
    answer = {"type": "label", "labels": ["good", "bad", "never seen"]}
    found = cut(task_of(tmp_path, {"test": labelled(texts(20, 1))}, answer=answer))
    assert found.labels == ("good", "bad", "never seen")


def test_other_answers_have_no_labels(tmp_path):
    assert cut(task_of(tmp_path, {"test": labelled(texts(20, 1))})).labels == ()


@pytest.mark.parametrize("answer", [{"type": "label"}, {"type": "label", "labels": ["good"]}])
def test_one_label_only_is_refused(tmp_path, answer):
    files = {"test": labelled(texts(20, 1), ("good",))}
    (problem,) = refusal(task_of(tmp_path, files, answer=answer))
    assert problem.where == f"{tmp_path / 'task.yaml'}: answer.labels"
    assert (problem.got, problem.wanted) == ("only the label `good`", "two or more")
    assert "nothing to decide" in problem.fix


def test_a_target_that_no_training_row_has_is_refused(tmp_path):
    test = labelled(texts(20, 2))
    test[7]["target"] = "unheard of"
    files = {"train": labelled(texts(20, 1)), "test": test}
    (problem,) = refusal(task_of(tmp_path, files, **LABEL))
    assert problem.where == "row test-8"
    assert problem.got == "the target `unheard of`"
    assert problem.wanted == "one of the training rows"
    assert "answer.labels" in problem.fix


def test_a_target_outside_the_given_labels_is_refused_in_any_file(tmp_path):
    train = labelled(texts(20, 1))
    train[0]["target"] = "gut"
    files = {"train": train, "test": labelled(texts(20, 2))}
    answer = {"type": "label", "labels": ["good", "bad"]}
    (problem,) = refusal(task_of(tmp_path, files, answer=answer))
    assert problem.where == "row train-1"
    assert problem.wanted == "one of answer.labels"


def test_a_rare_label_of_the_training_file_is_known_wherever_the_cut_puts_it(tmp_path):
    """Its only row may fall into dev."""
    for at in range(20):
        train = labelled(texts(20, 1))
        train[at]["target"] = "rare"
        files = {"train": train, "test": labelled(texts(20, 2))}
        assert "rare" in cut(task_of(tmp_path, files, **LABEL)).labels
