"""What benchmarks/sizing.py predicts from requests alone, and the server that it loads."""

from __future__ import annotations

import importlib.util
import sys
from random import Random
from threading import Thread

import pytest
from benches import saying
from conftest import ROOT
from lifecycle.test_release_control import WAY, plan_of_control, task_in
from lifecycle.two_systems import knows, plan_of, write_task

from ladder.economy.load import waits
from ladder.economy.queueing import p95
from ladder.errors import TaskError

NOWHERE = "http://127.0.0.1:9/v1"


def module(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, found)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def sizing(monkeypatch):
    return module("sizing", monkeypatch)


@pytest.fixture
def run_server(monkeypatch):
    return module("run_server", monkeypatch)


@pytest.mark.parametrize("clients", [1, 2, 4])
def test_without_a_delay_it_is_the_queue_that_a_runs_p95_counts(sizing, clients):
    draw = Random(clients)
    service = tuple(draw.uniform(0.1, 3) for _ in range(50))
    found = sizing.closed_times(sizing.Alone(service, (0.0,) * 50), clients)
    counted = zip(waits(service, clients), service[clients - 1 :], strict=True)
    assert found[clients - 1 :] == pytest.approx([waited + own for waited, own in counted])


@pytest.mark.parametrize(
    ("clients", "rest", "wanted"),
    [
        (1, 3.0, 5.0),  # nobody else: the round trip
        (2, 3.0, 5.0),  # while one is under way the server has done the other: nobody waits
        (4, 3.0, 8.0),  # the server never rests: four services
        (4, 6.0, 8.0),  # just as many as it can do meanwhile
    ],
)
def test_what_is_no_work_of_the_server_goes_on_side_by_side(sizing, clients, rest, wanted):
    found = sizing.closed_times(sizing.Alone((2.0,) * 40, (rest,) * 40), clients)
    assert len(found) == 40
    assert found[clients:] == pytest.approx([wanted] * (40 - clients))


def test_in_an_open_loop_the_delay_is_beside_the_queue(sizing):
    service = tuple(Random(1).uniform(0.1, 3) for _ in range(50))
    queued = p95(service, 0.4, 1)
    assert sizing.open_p95(sizing.Alone(service, (0.0,) * 50), 0.4) == queued
    assert sizing.open_p95(sizing.Alone(service, (2.5,) * 50), 0.4) == pytest.approx(queued + 2.5)


def test_a_run_without_a_model_is_answered_over_http_and_says_its_own_time(
    sizing, run_server, tmp_path
):
    plan = plan_of_control(task_in(tmp_path / "task", NOWHERE), "runs")
    assert WAY in plan.read_text()
    with run_server.opened(plan.parent) as (answer, inputs):
        handler = run_server.handler_of(answer, inputs)
        with run_server.OneAtATime(("127.0.0.1", 0), handler) as server:
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                address = f"http://127.0.0.1:{server.server_port}"
                alone = sizing.one_at_a_time(lambda text: sizing.ask(address, text), inputs[:5])
            finally:
                server.shutdown()
        right = [knows(text) for text in inputs]
        assert sum(map(str.__eq__, map(answer, inputs), right)) > len(inputs) / 2
    assert all(own > 0 and rest >= 0 for own, rest in zip(alone.own, alone.rest, strict=True))


def test_every_request_asks_the_model_and_none_is_answered_from_before(run_server, tmp_path):
    with saying(lambda seen: knows(seen.question)) as server:
        task = write_task(tmp_path, server.url, 60)
        plan = plan_of(task, f"openai:old@{server.url}", "runs")
        with run_server.opened(plan) as (answer, inputs):
            first = server.seen[-1].question  # it was asked when the system was opened
            known = len(server.seen)
            assert [answer(text) for text in [inputs[0]] * 3] == [knows(inputs[0])] * 3
            assert len(server.seen) == known + 3
            with pytest.raises(RuntimeError, match="kept from before"):
                answer(first)


def test_a_run_that_certified_nothing_is_refused(run_server, tmp_path):
    with pytest.raises(TaskError, match="no such file"), run_server.opened(tmp_path):
        pass
