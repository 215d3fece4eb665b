"""Three ways to score a label: by its text, by its text for each byte, by an option's letter."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.inference.chances import chance
from ladder.inference.forms import describe, lettered, scored
from ladder.inference.prompts import labels_of, request_for
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.rungs.r1_prompt import letters_stage
from ladder.task import load_task

ROWS = 6


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    task = load_task(ROOT / "evalsets/r1_guest_feedback/task.yaml")
    return open_bench(task, tmp_path_factory.mktemp("runs"), Quiet())


@pytest.fixture
def plain() -> Candidate:
    return Candidate(
        rung="prompt",
        description="t",
        model="bundled:smollm2-135m",
        wording=("Text", "Label"),
        decoding="scored",
    )


def raw(bench: Bench, candidate: Candidate) -> list[tuple[float, ...]]:
    """Return what the engine itself says of each choice."""
    engine = bench.evaluator.engine(candidate)
    requests = [
        request_for(bench.evaluator, candidate, sample, engine) for sample in bench.data.dev[:ROWS]
    ]
    found = dict(engine.complete(requests))
    return [found[at].choice_logprobs for at in range(ROWS)]


def test_by_the_byte_the_same_requests_are_read_anew(bench, plain, smollm):
    by_byte = plain.but(scoring="mean")
    values = raw(bench, plain)
    assert raw(bench, by_byte) == values
    found = answer(bench.evaluator, by_byte, bench.data.dev[:ROWS])
    for outcome, row in zip(found, values, strict=True):
        each = [v / len(label.encode()) for v, label in zip(row, bench.data.labels, strict=True)]
        assert outcome.text == bench.data.labels[each.index(max(each))]
        assert 0 < (chance(by_byte, outcome.completion) or 0) <= 1


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_a_letter_stands_for_its_label_whatever_the_order(bench, plain, smollm, form):
    labels = bench.data.labels
    first, turned = (
        plain.but(scoring="letter", form=form, no_op=no_op, shots=(bench.data.train[0].id,))
        for no_op in (False, True)
    )
    engine = bench.evaluator.engine(first)
    for candidate, order in ((first, labels), (turned, labels[::-1])):
        request = request_for(bench.evaluator, candidate, bench.data.dev[0], engine)
        assert labels_of(bench.evaluator, candidate, request) == order
        assert request.choices == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(order)])
        prompt = request.text or "\n".join(text for _, text in request.messages)
        for letter, label in zip(request.choices, order, strict=True):
            assert f"\n{letter}. {label}" in prompt
        said = request.choices[order.index(bench.data.train[0].target)]
        assert ("assistant", said) in request.messages or f"\nLabel: {said}\n" in prompt
        for outcome, row in zip(
            answer(bench.evaluator, candidate, bench.data.dev[:ROWS]),
            raw(bench, candidate),
            strict=True,
        ):
            assert outcome.text == order[row.index(max(row))]


def test_letters_are_raced_where_each_label_has_one(bench, plain):
    found = lettered(bench.evaluator, plain)
    assert [each.calibration for each in found] == ["batch", "none"]
    assert "option-letter log-likelihood" in describe(found[0])
    means = [each for each in scored(found[0]) if each.scoring == "mean"]
    assert ["label log-likelihood by the byte" in describe(each) for each in means] == [True]


def test_a_digest_of_before_stays(plain):
    former = plain.model_dump(mode="json", exclude={"description", "build", "scoring"})
    assert plain.digest != plain.but(scoring="mean").digest
    assert Candidate.model_validate({**former, "description": "t"}).digest == plain.digest


@pytest.mark.slow
@pytest.mark.parametrize(("least", "raced"), [(0.99, 2), (0.5, 0)])
def test_letters_challenge_where_the_gate_is_near(tmp_path, plain, smollm, least, raced):
    folder = ROOT / "evalsets/r1_guest_feedback"
    text = (folder / "task.yaml").read_text(encoding="utf-8")
    text = re.sub(r"min_score: [0-9.]+", f"min_score: {least}", text)
    (tmp_path / "task.yaml").write_text(text, encoding="utf-8")
    task = load_task(tmp_path / "task.yaml", folder)
    bench = open_bench(task, tmp_path / "runs", Quiet())
    assert len(letters_stage(bench, plain.but(with_goal=False, calibration="batch"))) == raced
    assert letters_stage(bench, plain.but(decoding="free")) == []
