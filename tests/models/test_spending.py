"""The spending limit: over all runs, checked before a request is sent. A real server counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benches import bench_at, chat, saying
from conftest import ROOT
from engines.faulty_server import RESET, FaultyServer, Seen, Step, failing
from engines.faulty_server import saying as counting

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


def limited(url: str, folder: Path, limit: float, at_once: int = 8) -> tuple[Bench, Candidate]:
    rules = {"max_spend_usd": limit, "requests_in_flight": at_once}
    bench = bench_at(url, folder, ROWS, rules=rules, answer={"max_tokens": 64})
    return bench, chat(bench)


def answers(bench: Bench, candidate: Candidate, rows=ROWS) -> None:
    answer(bench.evaluator, candidate, rows)


@pytest.mark.parametrize("at_once", [8, 256])
def test_nothing_is_sent_that_the_limit_does_not_allow(tmp_path, at_once):
    limit = 100 * PAID
    with saying(lambda _: "right") as server:
        with pytest.raises(SpendLimitError, match="the next request may cost"):
            answers(*limited(server.url, tmp_path, limit, at_once))
        assert len(server.seen) * PAID <= limit
        assert len(server.seen) * PAID > limit - 8 * MOST, "and hardly less than it allows"


def test_what_costs_more_than_it_may_passes_the_limit_by_what_is_in_flight_at_most(tmp_path):
    """A server that counts ten times the tokens, which its first answer tells."""
    limit, paid = 0.01, 1003 / 1e6
    together = threading.Event()

    def dear(request: Seen) -> bytes:
        if server.most_in_flight >= 32:  # what a first round has of 256
            together.set()
        together.wait(10)
        return counting("right", usage=(1000, 3)).body  # type: ignore[return-value]

    with FaultyServer([Step(body=dear)]) as server, pytest.raises(SpendLimitError):
        answers(*limited(server.url, tmp_path, limit, 256))
    assert together.is_set()
    assert server.most_in_flight * paid > limit, "it is passed"
    assert len(server.seen) * paid <= limit + server.most_in_flight * paid
    account = Cache(tmp_path / "kept.sqlite").accounts.open("spent, USD: asked")
    # What is broken off when the limit is met counts as much as was set aside for it.
    assert limit < account.spent <= limit + server.most_in_flight * (paid + MOST)


@pytest.mark.slow
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


# What nobody tells the cost of


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["hangs", "breaks off", "is cut"])
def test_a_try_whose_answer_never_came_is_charged_what_it_may_have_cost(tmp_path, trouble):
    """The provider may have answered it, and bills it then: 3 tries are lost, 5 rows answered."""
    tries: dict[str, int] = {}

    def script(request: Seen) -> Step:
        tries[request.question] = tries.get(request.question, 0) + 1
        answered = saying(lambda _: "right").script(request)
        if tries[request.question] > 1 or request.question.endswith(("3", "4")):
            return answered
        return {
            "hangs": replace(answered, delay_s=5),
            "breaks off": RESET,
            "is cut": replace(answered, cut=True),
        }[trouble]

    with FaultyServer(script) as server:
        rules = {"max_spend_usd": 1.0, "request_timeout_s": 1}
        bench = bench_at(server.url, tmp_path, ROWS, rules=rules, answer={"max_tokens": 64})
        answers(bench, chat(bench), ROWS[:5])
        assert len(server.seen) == 8
    spending = bench.evaluator.models.spending
    assert 3 * 64 / 1e6 < spending.estimated_here <= 3 * MOST
    assert bench.evaluator.models.asked.usd == pytest.approx(5 * PAID), "what was told"
    account = Cache(tmp_path / "kept.sqlite").accounts.open("spent, USD: asked")
    assert account.spent == pytest.approx(5 * PAID + spending.estimated_here)
    assert (account.estimated, account.under_way) == (spending.estimated_here, 0)
    with pytest.raises(SpendLimitError, match="estimated"):
        Spending(Cache(tmp_path / "kept.sqlite"), "asked", account.spent).reserve(1, 1e-6)


def test_a_server_that_refuses_or_is_not_there_costs_nothing(tmp_path):
    with FaultyServer([failing(400)]) as server:
        bench, candidate = limited(server.url, tmp_path, 1.0)
        answers(bench, candidate, ROWS[:5])
        assert server.seen
    assert bench.evaluator.models.spending.estimated_here == 0
    assert Cache(tmp_path / "kept.sqlite").accounts.open("spent, USD: asked").spent == 0


RUN = """
import sys
from pathlib import Path
from models.test_spending import ROWS, answers, limited
answers(*limited(sys.argv[1], Path(sys.argv[2]), 1.0), ROWS)
"""


@pytest.mark.slow
def test_what_is_under_way_when_a_run_is_killed_counts_as_spent_in_the_next(tmp_path):
    """SIGKILL while requests hang: they were sent, and an answer may be billed."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    with FaultyServer([Step(delay_s=60)]) as server:
        command = [sys.executable, "-P", "-c", RUN, server.url, str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path})
        while len(server.seen) < 2:
            time.sleep(0.05)
            assert process.poll() is None
        time.sleep(0.5)  # whatever else was to be sent at once is sent
        process.send_signal(signal.SIGKILL)
        process.wait()
        sent = len(server.seen)
    spending = Spending(Cache(tmp_path / "kept.sqlite"), "asked", 1.0)
    account = spending._account
    assert sent * 64 / 1e6 < account.spent <= sent * MOST
    assert (account.estimated, account.under_way) == (account.spent, 0)
    again = Spending(Cache(tmp_path / "kept.sqlite"), "asked", 1.0)._account
    assert again == account, "counted once"
    tight = Spending(Cache(tmp_path / "kept.sqlite"), "asked", account.spent + MOST / 2)
    with pytest.raises(SpendLimitError, match="estimated"):
        tight.reserve(1, MOST)


def test_what_another_running_run_has_set_aside_is_not_there_to_be_spent(tmp_path):
    store = tmp_path / "kept.sqlite"
    first, second = (Spending(Cache(store), "t", 1.0) for _ in range(2))
    first.reserve(1, 0.6)
    with pytest.raises(SpendLimitError, match="under way"):
        second.reserve(1, 0.6)
    Spending(Cache(store), "another task", 1.0).reserve(1, 0.9)
    first.settle(1, 0.1)
    second.reserve(1, 0.6)
