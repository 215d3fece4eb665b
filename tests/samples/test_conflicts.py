"""Like inputs: one question, two questions, or a contradiction, by what is answered."""

from __future__ import annotations

import random
import time
from itertools import combinations
from pathlib import Path

import pytest
from samples.test_splits import cut, ids, row, task_of, unlike

from ladder.samples.conflicts import Conflicts, find_conflicts
from ladder.samples.describe import describe_data, headline
from ladder.samples.rows import Sample


def judged(kind: str, *rows: tuple[str, str | tuple[str, ...]], train: int = 1) -> Conflicts:
    """Judge every pair of rows, as if all were near-duplicates."""
    samples = []
    for at, (text, target) in enumerate(rows):
        first, *others = (target,) if isinstance(target, str) else target
        samples.append(Sample(str(at), text, first, tuple(others)))
    return find_conflicts(kind, samples, list(combinations(range(len(samples)), 2)), train)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("number", ("What is 397 km/h in metres per second?", "110.3"),
                   ("What is 410 km/h in metres per second?", "113.9")),
        ("text", ("What is 397 km/h in metres per second?", "It is 110.3 m/s."),
                 ("What is 410 km/h in metres per second?", "It is 113.9 m/s.")),
        ("text", ("Which is the capital city of Austria today?", "Vienna"),
                 ("Which is the capital city of Australia today?", "Canberra")),
        ("label", ("I would watch this film again with friends", "good"),
                  ("I would not watch this film again with friends", "bad")),
        ("json", ("Order 12 boxes of the blue paint for the shop", '{"n": 12}'),
                 ("Order 13 boxes of the blue paint for the shop", '{"n": 13}')),
        ("number", ("Is the temperature of -5 degrees below zero?", "1"),
                   ("Is the temperature of 5 degrees below zero?", "0")),
        ("number", ("Round the number 1.5 to a whole number, please", "2"),
                   ("Round the number 1,5 to a whole number, please", "15")),
    ],
)  # fmt: skip
def test_another_slot_and_another_answer_are_two_rows(
    kind: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert judged(kind, one, other).same == ()
    assert judged(kind, one, other).contradictions == ()


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("label", ("Where is my parcel number 7368886 right now?", "delivery"),
                  ("Where is my parcel number 6798958 right now?", "delivery")),
        ("number", ("What is 397 km/h in metres per second??", "110.30"),
                   ("what is 397 km/h in metres per second", "110.3")),
        ("json", ("Order the blue paint for the shop, please", '{"n": 1, "a": 2}'),
                 ("Order the blue paint for the shops, please", '{"a": 2, "n": 1}')),
        ("text", ("How do I reset the password of my account?", "Click on forgot password."),
                 ("How do I reset the passwords of my account?", "Click forgot password!")),
        ("text", ("Where is the head office of the company?", "Vienna"),
                 ("Where is the head offices of the company?", "Vienna, Austria")),
        ("text", ("How do I reset the password of my account?",
                  "Open the settings, choose security, then click on the link that says reset it."),
                 ("How do I reset the passwords of my account?",
                  "You will find a button for that under your profile; follow the mail we send.")),
    ],
)  # fmt: skip
def test_the_same_answer_or_a_reworded_free_one_is_one_question(
    kind: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert judged(kind, one, other).same == ((0, 1),)
    assert judged(kind, one, other).contradictions == ()


def test_one_shared_right_answer_is_enough() -> None:
    first = ("Where is the head office of the company?", ("Vienna", "Wien"))
    other = ("Where is the head offices of the company?", ("Wien", "Beč"))
    assert judged("text", first, other).same == ((0, 1),)


def test_rows_that_contradict_are_counted_beyond_the_majority() -> None:
    rows = [("Is this mail spam?", a) for a in ("yes", "no", "no", "no")]
    found = judged("label", *rows, ("is this mail SPAM", "maybe"), train=5)
    assert found.same == ((0, 1), (0, 2), (0, 3), (0, 4))
    assert sorted(found.contradictions) == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert found.beyond == 2, "of five rows three say no"


def test_free_texts_with_one_input_are_no_contradiction() -> None:
    poems = [" ".join(unlike(3, seed)) for seed in range(3)]
    found = judged("text", *(("Write a poem about the sea.", poem) for poem in poems))
    assert (found.contradictions, found.beyond) == ((), 0)
    assert len(found.same) == 2


def test_scripts_without_spaces_are_judged_by_their_characters() -> None:
    one = ("请问北京到上海的火车需要多长时间？", "四个半小时")
    assert judged("text", one, ("请问北京到广州的火车需要多长时间？", "八个小时")).same == ()
    assert judged("text", one, ("请问北京到上海的火车要多长时间？", "四个半小时左右")).same == (
        (0, 1),
    )
    poems = [
        "海上生明月，天涯共此时。情人怨遥夜，竟夕起相思。",
        "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
    ]
    found = judged("text", *(("写一首关于大海的诗。", poem) for poem in poems))
    assert (found.same, found.contradictions) == (((0, 1),), ())


def test_a_held_out_row_that_rewords_with_another_answer_is_kept_and_listed() -> None:
    one, other = "I would watch this film again", "I would not watch this film again"
    assert judged("label", (one, "good"), (other, "bad")).reworded == ((0, 1),)
    assert judged("label", (one, "good"), (other, "bad"), train=2).reworded == ()


def test_numbers_that_decide_the_answer_make_rows_of_their_own() -> None:
    primes = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29}
    rows = [
        (f"Is the whole number {n} a prime number, yes or no?", "yes" if n in primes else "no")
        for n in range(2, 32)
    ]
    assert judged("label", *rows).same == ()
    parcels = [(f"Where is the parcel number {n} of mine?", "delivery") for n in range(2, 32)]
    wrong = [("Where is the parcel number 99 of mine?", "refund")]
    assert len(judged("label", *parcels, *wrong).same) == 30 * 29 / 2, (
        "one wrong label decides nothing"
    )


def test_words_that_decide_the_answer_make_rows_of_their_own() -> None:
    kinds = {"animal": "yes", "tool": "no"}
    draw = random.Random(0)
    names = {"".join(draw.choices("bdfgklmnprst", k=7)): draw.choice([*kinds]) for _ in range(40)}
    rows = [
        (f"Is the {name} an animal that lives in the woods?", kinds[k]) for name, k in names.items()
    ]
    assert judged("label", *rows).same == ()
    few = judged("label", *rows[:8])
    assert few.same, "eight rows do not tell whether the word decides"


def test_400_conversions_are_400_rows(tmp_path: Path) -> None:
    draw = random.Random(0)
    speeds = draw.sample(range(10, 9000), 400)
    rows = [
        row(
            f"Convert {n} kilometres per hour into metres per second, one decimal.",
            f"{n / 3.6:.1f}",
        )
        for n in speeds
    ]
    task = task_of(tmp_path, {"train": rows[:200], "test": rows[200:]}, answer={"type": "number"})
    started = time.perf_counter()
    data, _ = cut(task)
    assert time.perf_counter() - started < 20
    assert (data.duplicates, data.contaminated, data.contradictions) == ((), (), ())
    assert len(data.train) + len(data.dev) == 200
    assert len(data.gate) + len(data.sealed) == 200


def test_contradictions_reach_the_report_and_the_headline(tmp_path: Path) -> None:
    texts = unlike(60)
    train = [row(text, "x") for text in texts[:30]] + [row(texts[0].upper(), "y")]
    test = [row(text, "y") for text in texts[30:]] + [row(texts[1], "y")]
    task = task_of(tmp_path, {"train": train, "test": test}, answer={"type": "label"})
    data, _ = cut(task)
    report = describe_data(task, data)
    assert report.contradictions == ("train-31 ~ train-1: y / x", "test-31 ~ train-2: y / x")
    assert (report.contradicting, report.labelled) == (2, 62)
    assert report.label_noise == pytest.approx(2 / 62)
    assert (
        "2 rows contradict an earlier one: at least 3.2% of 62 targets are wrong or incomplete"
        in headline(task, report)
    )
    assert "test-31" not in ids([*data.gate, *data.sealed])


def test_rows_without_contradiction_say_nothing_of_it(tmp_path: Path) -> None:
    task = task_of(tmp_path, {"examples": [row(text) for text in unlike(60)]})
    report = describe_data(task, cut(task)[0])
    assert (report.contradictions, report.label_noise) == ((), 0)
    assert "contradict" not in headline(task, report)
