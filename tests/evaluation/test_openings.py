"""The held-out test set is counted as read for each system, and the report says so."""

from __future__ import annotations

from benches import bench_over, chat, task_with
from engines.faulty_server import FaultyServer, Step
from report.test_older import OLDER

from ladder.evaluation.confirm import confirm
from ladder.report.reading import read_assessment
from ladder.report.reasons import openings_sentence
from ladder.samples.data import Data
from ladder.samples.rows import Sample

SEALED = tuple(Sample(id=f"s{at}", input=f"question {at}", target="question") for at in range(5))


def confirmed(url, folder, goal="Answer.", sealed=SEALED):
    task = task_with(goal=goal, score="contains", models={"base": f"openai:tiny@{url}"})
    bench = bench_over(task, Data((), (), (), sealed), folder)
    found, _ = confirm(bench.evaluator, chat(bench))
    bench.evaluator.models.cache.close()
    return found.openings


def test_each_system_counts_once_whatever_the_order_of_the_rows(tmp_path):
    with FaultyServer([Step(words_s=0)]) as server:
        assert confirmed(server.url, tmp_path) == 1
        assert confirmed(server.url, tmp_path) == 1, "the same system, again"
        assert confirmed(server.url, tmp_path, "Answer briefly.") == 2
        assert confirmed(server.url, tmp_path, "Answer at length.", SEALED[::-1]) == 3
        assert confirmed(server.url, tmp_path, sealed=SEALED[1:]) == 1, "another test set"
        assert confirmed(server.url, tmp_path) == 3


def test_a_second_reading_is_said():
    found = read_assessment(OLDER)[0].recommendation
    assert openings_sentence(found) == ""
    assert openings_sentence(found.but(openings=1)) == ""
    assert "used for 3 systems so far" in openings_sentence(found.but(openings=3))
