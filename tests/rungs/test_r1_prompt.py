"""Which forms the prompt rung tries: JSON held to its schema, votes and rewrites."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from benches import bench_at, chat, saying, with_data

from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.inference.prompts import request_for
from ladder.rungs import r1_prompt, r2_rag
from ladder.samples.answer_schema import fault_in
from ladder.samples.rows import Sample
from ladder.selection.demonstrations import spread_shots

URL = "http://127.0.0.1:1/v1"
JSON_ROWS = tuple(
    Sample(id=f"t{n}", input=f"in {n}", target=json.dumps({"a": n})) for n in range(9)
)
HALF_EVEN, ALL_EVEN = (
    tuple(Sample(id=f"d{n}", input=str(n * step), target="0") for n in range(24)) for step in (1, 2)
)
"""Dev rows; of the first half the numbers are odd."""
LONG = tuple(Sample(id=f"t{n}", input=f"in {n}", target="many words " * 9) for n in range(9))
SHORT = tuple(Sample(id=f"t{n}", input=f"in {n}", target="few words") for n in range(9))


def test_json_is_tried_free_and_held_to_the_schema_of_the_rows(tmp_path):
    bench = bench_at(URL, tmp_path, (), train=JSON_ROWS, answer={"type": "json"})
    found = r1_prompt.second_stage(bench, chat(bench))
    assert [c.decoding for c in found].count("json") == 3  # without shots, with 4 and with 8
    assert len({c.description for c in found}) == len(found)
    held = next(c for c in found if c.decoding == "json")
    assert held.description.endswith("schema-constrained")
    request = request_for(bench.evaluator, held, JSON_ROWS[0], bench.evaluator.engine(held))
    assert json.loads(request.schema)["properties"] == {"a": {"type": "integer"}}
    free = request_for(bench.evaluator, chat(bench), JSON_ROWS[0], bench.evaluator.engine(held))
    assert free.schema == ""


def test_the_tasks_own_schema_comes_first(tmp_path):
    own = {"type": "object", "properties": {"b": {}, "a": {}}}
    bench = bench_at(URL, tmp_path, (), train=JSON_ROWS, answer={"type": "json", "schema": own})
    [held] = r1_prompt.held_to_schema(bench.evaluator, chat(bench))
    request = request_for(bench.evaluator, held, JSON_ROWS[0], bench.evaluator.engine(held))
    assert list(json.loads(request.schema)["properties"]) == ["b", "a"]


def test_rag_holds_its_winner_to_the_schema(tmp_path):
    bench = bench_at(URL, tmp_path, (), train=JSON_ROWS, answer={"type": "json"})
    leader = next(c for c in r2_rag.first_stage(bench, None) if c.decoding == "free")
    assert "json" in [c.decoding for c in r2_rag.second_stage(bench, leader)]


@pytest.mark.parametrize("kind", ["text", "number"])
def test_nothing_else_is_held_to_a_schema(tmp_path, kind):
    bench = bench_at(URL, tmp_path, (), train=JSON_ROWS, answer={"type": kind})
    assert {c.decoding for c in r1_prompt.second_stage(bench, chat(bench))} == {"free"}


@pytest.mark.parametrize(
    ("kind", "train", "labels", "ways"),
    [
        ("json", JSON_ROWS, (), ["votes", "rewrite"]),
        ("number", SHORT, (), ["votes", "rewrite"]),
        ("label", SHORT, ("few words", "other"), ["votes", "rewrite"]),
        ("text", SHORT, (), ["votes"]),
        ("text", LONG, (), []),
        ("text", (), (), []),
    ],
)
def test_dearer_ways_are_for_answers_that_can_be_equal_or_checked(
    tmp_path, kind, train, labels, ways
):
    with saying(lambda request: str(int(request.question) % 2)) as server:
        made = bench_at(server.url, tmp_path, (), train=train, labels=labels, answer={"type": kind})
        bench = with_data(made, dev=HALF_EVEN)
        found = r1_prompt.variants_stage(bench, chat(bench))
    assert ["votes" if c.votes > 1 else "rewrite" for c in found] == ways
    assert all(c.description != chat(bench).description for c in found)
    for how in ("scored", "constrained", "json"):
        assert r1_prompt.variants_stage(bench, chat(bench, decoding=how)) == []
    assert r1_prompt.variants_stage(bench, None) == []


@pytest.mark.parametrize("says", ["0", "1"])
def test_no_dearer_way_is_tried_where_none_can_decide(tmp_path, says):
    """The leader holds the gate, or is far from it."""
    with saying(lambda _: says) as server:
        made = bench_at(server.url, tmp_path, (), train=SHORT, answer={"type": "number"})
        bench = with_data(made, dev=ALL_EVEN)
        assert r1_prompt.variants_stage(bench, chat(bench)) == []
        assert len(server.seen) == len(ALL_EVEN)


@pytest.mark.long
def test_held_answers_are_json_where_free_ones_are_not_always(tmp_path, public_data, smollm):
    """Real spoken commands, four shots, the bundled model."""
    folder = public_data / "voice_slots_json"
    train, test = (
        tuple(Sample(row["id"], row["input"], row["target"]) for row in map(json.loads, lines))
        for name in ("train", "test")
        if (lines := (folder / f"{name}.jsonl").read_text().splitlines())
    )
    how = {"type": "json", "max_tokens": 96}
    bench = bench_at(URL, tmp_path, (), train=train, score="json_fields", answer=how)
    free = Candidate(
        rung="prompt",
        description="t",
        model="bundled:smollm2-135m",
        wording=("Input", "Output"),
        shots=spread_shots(bench.evaluator, 4),
    )
    [held] = r1_prompt.held_to_schema(bench.evaluator, free)
    given = {c.decoding: answer(bench.evaluator, c, test[:40]) for c in (free, held)}
    faults = {
        way: sum(bool(fault_in(o.text, bench.evaluator.answer_schema)) for o in outcomes)
        for way, outcomes in given.items()
    }
    score = {way: fmean(o.score for o in outcomes) for way, outcomes in given.items()}
    assert faults["json"] == 0
    assert faults["free"] > 20
    assert score["json"] > score["free"]
