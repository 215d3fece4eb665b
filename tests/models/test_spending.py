"""The spending limit: over all runs, checked before a request is sent. A real server counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benches import bench_at, chat, saying
from engines.faulty_server import FaultyServer, Seen, Step, failing

from ladder.errors import SpendLimitError
from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.models.cache import Cache
from ladder.models.spending import Spending
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample

ROWS = tuple(Sample(id=f"r{at}", input=f"number {at:04}", target="right") for at in range(400))
PAID = 14 / 1e6
"""USD of one answer: 11 tokens in and 3 out, at 1 USD a million."""
MOST = 1.5e-4
"""USD that one request may cost at most: its prompt, and 64 tokens of answer."""


def limited(url: str, folder: Path, limit: float) -> tuple[Bench, Candidate]:
    form = {"max_tokens": 64}
    bench = bench_at(url, folder, ROWS, rules={"max_spend_usd": limit}, answer=form)
    return bench, chat(bench)


def answers(bench: Bench, candidate: Candidate, rows=ROWS) -> None:
    answer(bench.evaluator, candidate, rows)


def test_nothing_is_sent_that_the_limit_does_not_allow(tmp_path):
    limit = 100 * PAID
    with saying(lambda _: "right") as server:
        with pytest.raises(SpendLimitError, match="the next request may cost"):
            answers(*limited(server.url, tmp_path, limit))
        assert len(server.seen) * PAID <= limit
        assert len(server.seen) * PAID > limit - 8 * MOST, "and hardly less than it allows"


def test_the_limit_holds_over_all_runs_until_it_is_raised(tmp_path):
    limit = 100 * PAID
    with saying(lambda _: "right") as server:
        for _ in range(4):
            with pytest.raises(SpendLimitError, match="over all runs"):
                answers(*limited(server.url, tmp_path, limit))
        assert len(server.seen) * PAID <= limit
        asked = len(server.seen)
        answers(*limited(server.url, tmp_path, 2 * 400 * PAID))
        assert len(server.seen) == 400, f"{asked} were kept"


def test_replies_that_are_billed_without_text_count(tmp_path):
    """They are errors, and paid all the same."""
    usage = {"prompt_tokens": 11, "completion_tokens": 3}
    empty = {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}], "usage": usage}

    def script(request: Seen) -> Step:
        if int(request.question.split()[-1]) % 2:
            return Step(body=json.dumps(empty).encode())
        return saying(lambda _: "right").script(request)

    limit = 48 * PAID
    with FaultyServer(script) as server:
        with pytest.raises(SpendLimitError):
            answers(*limited(server.url, tmp_path, limit))
        assert len(server.seen) * PAID <= limit


def test_tries_that_fail_unbilled_cost_nothing(tmp_path):
    tries: dict[str, int] = {}

    def script(request: Seen) -> Step:
        tries[request.question] = tries.get(request.question, 0) + 1
        first = tries[request.question] == 1 and int(request.question.split()[-1]) % 3 == 0
        return failing(500) if first else saying(lambda _: "right").script(request)

    with FaultyServer(script) as server:
        bench, candidate = limited(server.url, tmp_path, 50 * PAID + 8 * MOST)
        answers(bench, candidate, ROWS[:50])
    assert bench.evaluator.models.asked.usd == pytest.approx(50 * PAID)


def test_two_runs_at_once_share_the_limit(tmp_path):
    store = tmp_path / "kept.sqlite"
    first, second = (Spending(Cache(store), "t", 1.0) for _ in range(2))
    first.add(0.6)
    second.add(0.3)
    with pytest.raises(SpendLimitError):
        first.add(0.2)
    with pytest.raises(SpendLimitError):
        Spending(Cache(store), "t", 1.0).reserve(1, 0.01)
    Spending(Cache(store), "another task", 1.0).reserve(1, 0.9)


def test_what_is_under_way_is_set_aside(tmp_path):
    spending = Spending(Cache(tmp_path / "kept.sqlite"), "t", 1.0)
    spending.reserve(1, 0.6)
    with pytest.raises(SpendLimitError):
        spending.reserve(2, 0.6)
    spending.settle(1, 0.1)
    spending.reserve(2, 0.6)
    spending.add(0.1)
    spending.reserve(3, 0.29)
    with pytest.raises(SpendLimitError):
        spending.reserve(4, 0.02)
