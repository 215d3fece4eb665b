"""Rows for the preference programs: the user's own, or pairs made of wrong answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches import bench_at, chat, saying
from engines.faulty_server import Seen

from ladder.errors import DataError
from ladder.samples.preferences import Preference
from ladder.samples.rows import Sample
from ladder.training.preferences import made_pairs, preference_rows

TRAIN = tuple(Sample(id=f"t{at}", input=f"question {at}", target=f"right {at}") for at in range(4))
HELD = (Sample(id="g", input="held", target="x"),)
PAIR = Preference("q", "good", "bad")


def speaks(request: Seen) -> str:
    """Answer 0 wrongly at once, 1 wrongly when drawn, 2 always rightly, 3 with nothing."""
    number = request.question.split()[-1]
    if number == "3":
        return " "
    drawn = request.payload["temperature"] > 0
    wrong = number == "0" or (number == "1" and drawn)
    return f"wrong {number}" if wrong else f"right {number}"


def test_a_wrong_answer_of_the_base_makes_a_pair(tmp_path: Path) -> None:
    with saying(speaks) as server:
        bench = bench_at(server.url, tmp_path, HELD, train=TRAIN)
        rows, told = preference_rows(bench.evaluator, chat(bench), (), "pairs")
        asked = len(server.seen)
        again, _ = preference_rows(bench.evaluator, chat(bench), (), "pairs")
        graded, _ = preference_rows(bench.evaluator, chat(bench), (), "graded")
        later = {request.question for request in server.seen[asked:]}
        assert later == {"question 3"}  # answers are kept, and nothing is none
    assert told.startswith("pairs: 2 of 4 training examples; rejected is a wrong answer of openai:")
    said = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]
    assert said == [("right 0", "wrong 0"), ("right 1", "wrong 1")]
    assert rows[0]["prompt"][-1] == {"role": "user", "content": "question 0"}
    assert again == rows
    assert [row["label"] for row in graded] == [True, False, True, False]
    assert asked == 4 + 3 + 2  # what has a wrong answer is not asked again


def test_a_base_that_is_always_right_gives_no_pair(tmp_path: Path) -> None:
    with saying(lambda seen: f"right {seen.question.split()[-1]}") as server:
        bench = bench_at(server.url, tmp_path, HELD, train=TRAIN)
        with pytest.raises(
            DataError, match=r"no wrong answer .* to 4 training examples.*preferences"
        ):
            made_pairs(bench.evaluator, chat(bench))


@pytest.mark.parametrize(
    ("given", "kind", "why"),
    [
        ((Preference("q", "good"),), "pairs", "1 of 1 rows without a `rejected`.*the kto recipe"),
        ((PAIR, Preference("q", "", "b")), "pairs", "1 of 2 rows without"),
        ((Preference("q", "good"),), "graded", "1 wanted answers and 0 unwanted ones"),
        ((Preference("q", "", "bad"),), "graded", "0 wanted answers and 1 unwanted ones"),
        ((Preference("held", "good", "bad"),), "pairs", "0 of 0 rows"),
    ],
)
def test_what_a_program_cannot_learn_from_is_refused_and_nothing_else_taken(
    given: tuple[Preference, ...], kind: str, why: str, tmp_path: Path
) -> None:
    with saying(speaks) as server:
        bench = bench_at(server.url, tmp_path, HELD, train=TRAIN)
        with pytest.raises(DataError, match=why):
            preference_rows(bench.evaluator, chat(bench), given, kind)
        assert not server.seen


def test_given_pairs_are_put_as_the_model_will_be_asked(tmp_path: Path) -> None:
    given = (PAIR, Preference("held", "a", "b"))
    with saying(speaks) as server:
        bench = bench_at(server.url, tmp_path, HELD, train=TRAIN)
        candidate = chat(bench, form="plain", wording=("Input", "Output"), with_goal=False)
        rows, told = preference_rows(bench.evaluator, candidate, given, "pairs")
        graded, _ = preference_rows(bench.evaluator, candidate, given, "graded")
    prompt = "Input: q\nOutput:"
    assert rows == [{"prompt": prompt, "chosen": " good\n", "rejected": " bad\n"}]
    assert "1 left out: 0 ask what dev examples ask, 1 what eval examples ask" in told
    assert graded == [
        {"prompt": prompt, "completion": " good\n", "label": True},
        {"prompt": prompt, "completion": " bad\n", "label": False},
    ]
