"""A certified system answers typed decisions over HTTP, and our own client understands it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from assessments import estimate
from benches import saying
from lifecycle.test_release_control import plan_of_control, task_in
from lifecycle.two_systems import KINDS, LABELS, knows, row
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.commands import serve as serving
from ladder.commands.serve import BODY_LIMIT_BYTES, Inbox, open_server
from ladder.commands.typed_questions import FORMS, Question, chosen
from ladder.engines.base import Request
from ladder.engines.decisions import WIRES, DecisionEngine
from ladder.engines.decisions.supports import supports
from ladder.errors import EngineError, StateError, TaskError
from ladder.evaluation.control import measure_control
from ladder.evaluation.measure import measure
from ladder.evidence import Abstention, Calibration, Candidate, Reliability, Retrieval
from ladder.lifecycle.own_rows import FILE
from ladder.lifecycle.plan import make_control_plan
from ladder.lifecycle.served import Decided, Deciding, as_calibrated, deciding
from ladder.progress import Quiet
from ladder.task import load_task

NOWHERE = "http://127.0.0.1:9/v1"


@contextmanager
def serving_by(
    decide: Callable[[Sequence[str]], list[Decided]], labels: tuple[str, ...] = ("a", "b")
) -> Iterator[str]:
    """Serve a system on a free port; yield the base URL."""
    system = Deciding("small", labels, "a system", (), decide)
    inbox = Inbox(decide)
    with open_server(system, inbox, list(FORMS), "127.0.0.1", 0) as server:
        Thread(target=inbox.work, daemon=True).start()
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def certain(inputs: Sequence[str]) -> list[Decided]:
    return [Decided("a", 0.75, {"a": 0.75, "b": 0.25}, tokens=4) for _ in inputs]


def body(about: str = "hello") -> dict[str, Any]:
    question = {"type": "choice", "criteria": {"a": None, "b": None}}
    return {"model": "m", "state": about, "questions": {"q": question}}


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan of a task whose answer is the control: no model is asked."""
    return plan_of_control(task_in(tmp_path_factory.mktemp("control") / "task", NOWHERE), "runs")


@pytest.mark.parametrize("form", list(WIRES))
def test_our_client_is_answered_what_the_system_decides(form: str, control: Path) -> None:
    examples = [row(number) for number in range(400, 440)]
    with deciding(control, Quiet()) as system:
        assert (system.labels, system.changed) == (tuple(sorted(LABELS)), ())
        assert "TF-IDF" in system.what
        own = [one.label for one in system.decide([example["input"] for example in examples])]
        with serving_by(system.decide, system.labels) as url:
            engine = DecisionEngine(system.task, url, wire=WIRES[form])
            requests = [
                Request(messages=(("user", example["input"]),), choices=system.labels)
                for example in examples
            ]
            with pytest.warns(UserWarning, match="no token usage"):  # no model reads anything
                found = dict(engine.complete(requests))
    assert [found[at].text for at in range(len(examples))] == own
    assert all(found[at].error is None for at in found)
    right = [example["target"] for example in examples]
    assert sum(a == b for a, b in zip(own, right, strict=True)) > len(own) / len(KINDS)


@pytest.mark.parametrize("form", list(WIRES))
def test_what_it_supports_is_found_by_asking_it(form: str, control: Path) -> None:
    with deciding(control, Quiet()) as system, serving_by(system.decide, system.labels) as url:
        found = supports(system.task, url, 20, WIRES[form], system.labels)
        strange = supports(system.task, url, 20, WIRES[form])
    there = {each.ability: each.there for each in found.findings}
    assert there == {
        "typed questions": True,
        "probabilities": False,  # a certified control answers as it was certified
        "the same answer when asked again": True,
        "the same answer for options in another order": True,
        "usage": False,  # no model reads anything
        "one model": True,
    }
    assert not any(each.wrong for each in found.findings)
    [other] = strange.findings
    assert other.there is False
    assert "HTTP 422" in other.why


def test_each_request_reads_what_was_found_for_it(tmp_path: Path) -> None:
    """Also when it comes after another: what that one found is not its own."""
    with saying(lambda seen: knows(seen.question)) as server:
        plan = plan_of_search(task_in(tmp_path / "task", server.url))
        kept = (plan.parent / FILE).read_text().splitlines()
        examples = [json.loads(line) for line in kept[:4]]
        with deciding(plan, Quiet()) as system:
            known = len(server.seen)
            for example in examples:
                system.decide([example["input"]])
            system.decide([example["input"] for example in reversed(examples)])
        told = [
            [turn["content"] for turn in seen.payload["messages"]] for seen in server.seen[known:]
        ]
    assert len(told) == 2 * len(examples)
    # A training example is the nearest to itself: it stands before the question.
    assert all(turns[1] == turns[-1] for turns in told)


def plan_of_search(task: Path) -> Path:
    """The plan of a prompt that shows the one training example that is nearest."""
    bench = open_bench(load_task(task), task.parent / "runs", Quiet())
    candidate = Candidate(
        rung="rag",
        description="nearest",
        model=load_task(task).models.base,
        form="chat",
        retrieval=Retrieval(source="examples", k=1),
    )
    measurement, _, _ = measure(bench.evaluator, candidate, bench.data.gate[:40], all_rows=True)
    return write_plan(bench, candidate, measurement)


def test_a_task_of_text_is_not_served(tmp_path: Path) -> None:
    task = task_in(tmp_path / "task", NOWHERE, answer={"type": "text"}, gate={"min_score": 0.5})
    plan = plan_of_control_of_text(task)
    with pytest.raises(TaskError, match=r"answer\.type is label"), deciding(plan, Quiet()):
        pass


def plan_of_control_of_text(task: Path) -> Path:
    bench = open_bench(load_task(task), task.parent / "runs", Quiet())
    found, _ = measure_control(bench.evaluator)
    assert found is not None
    bench.folder.mkdir(parents=True)
    path = bench.folder / "revalidation.yaml"
    path.write_text(make_control_plan(bench, found.lines[0], found.lines[0].score))
    bench.evaluator.models.cache.close()
    return path


WORTH = Calibration(
    method="platt",
    dev_rows=100,
    curve=((0.0, 0.0), (0.5, 0.6), (1.0, 0.9)),
    before=Reliability(n=1, brier=estimate(0.1, 9), ece=0.1, ece_by_chance=0.1),
    after=Reliability(n=1, brier=estimate(0.1, 9), ece=0.1, ece_by_chance=0.1),
    abstention=Abstention(error=0.05, confidence=0.95, dev_rows=100, threshold=0.7),
)


def decided(**probabilities: float) -> Decided:
    return Decided("a", probabilities["a"], probabilities)


def test_probabilities_are_told_as_they_were_calibrated() -> None:
    told = as_calibrated(decided(a=0.75, b=0.2, c=0.05), WORTH, None)
    assert told.probabilities == pytest.approx({"a": 0.75, "b": 0.2, "c": 0.05})
    told = as_calibrated(decided(a=0.5, b=0.4, c=0.1), WORTH, None)
    assert told.probabilities == pytest.approx({"a": 0.6, "b": 0.32, "c": 0.08})
    told = as_calibrated(decided(a=1.0, b=0.0, c=0.0), WORTH, None)
    assert told.probabilities == pytest.approx({"a": 0.9, "b": 0.05, "c": 0.05}), "it was rounded"
    assert told.chance == pytest.approx(0.9)
    assert as_calibrated(Decided("a"), WORTH, None) == Decided("a"), "there is nothing to tell"


def test_below_the_certified_threshold_nothing_is_answered() -> None:
    sure, unsure = decided(a=0.8, b=0.2), decided(a=0.69, b=0.31)
    assert as_calibrated(sure, WORTH, 0.7).label == "a"
    found = as_calibrated(unsure, WORTH, 0.7)
    assert (found.label, found.is_no_answer) == ("", True)
    assert "a probability of 0.690, and 0.700 is certified" in found.error
    assert as_calibrated(Decided("a"), WORTH, 0.7).is_no_answer, "no probability is above none"
    assert as_calibrated(Decided("a", 0.8), WORTH, 0.7).label == "a", "a classifier tells its own"
    others = Question("q", ("b",))
    assert chosen(others, as_calibrated(sure, WORTH, 0.7)) is None, "no other label was certified"
    assert chosen(others, sure) == "b"


def test_a_run_that_certifies_nothing_is_not_served_so(control: Path) -> None:
    refused = pytest.raises(TaskError, match="certifies no threshold")
    with refused, deciding(control, Quiet(), certified_only=True):
        pass


def test_both_forms_a_list_of_models_and_a_health_check() -> None:
    with serving_by(certain) as url, httpx.Client() as client:
        [model] = client.get(f"{url}/models").json()["data"]
        assert model["id"] == "small"
        assert client.get(url.replace("/v1", "/health")).json() == {"status": "ok"}
        found = client.post(f"{url}/systemone", json=body()).json()
        assert found["answers"]["q"]["probabilities"] == {"a": 0.75, "b": 0.25}
        assert found["usage"] == {"input_tokens": 4, "output_tokens": 0}


REFUSED: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "no such place": ("chat/completions", b"{}", {}, 404),
    "no JSON": ("systemone", b"x", {}, 400),
    "no such label": (
        "systemone",
        json.dumps(
            body() | {"questions": {"q": {"type": "choice", "criteria": {"c": 1}}}}
        ).encode(),
        {},
        422,
    ),
    "a page elsewhere": ("systemone", b"{}", {"Origin": "http://evil.example"}, 403),
    "too much": ("systemone", b"x" * (BODY_LIMIT_BYTES + 1), {}, 413),
}


@pytest.mark.parametrize(("path", "content", "headers", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_has_its_status_and_words(
    path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    with serving_by(certain) as url, httpx.Client() as client:
        try:
            got = client.post(f"{url}/{path}", content=content, headers=headers)
        except httpx.WriteError:  # it hung up on what it would not read
            assert status == 413
            return
    assert got.status_code == status
    assert got.json()["error"]["message"]


def test_one_strange_input_does_not_end_the_others_answers() -> None:
    def picky(inputs: Sequence[str]) -> list[Decided]:
        if "odd" in inputs:
            raise ZeroDivisionError("odd")
        return certain(inputs)

    with serving_by(picky) as url:
        got = httpx.post(f"{url}/systemone", json=body("odd"))
        assert (got.status_code, "ZeroDivisionError" in got.text) == (502, True)
        assert httpx.post(f"{url}/systemone", json=body("even")).status_code == 200
        half = json.dumps(body("\ud800")).encode()
        assert httpx.post(f"{url}/systemone", content=half).status_code == 400


def test_a_system_that_fails_is_an_error_and_one_that_cannot_answer_is_not() -> None:
    def failing(inputs: Sequence[str]) -> list[Decided]:
        raise EngineError("the base is gone")

    with serving_by(failing) as url:
        got = httpx.post(f"{url}/systemone", json=body())
    assert (got.status_code, got.json()["error"]["message"]) == (502, "the base is gone")
    with serving_by(lambda _: [Decided(error="too long", kind="too long")]) as url:
        got = httpx.post(f"{url}/systemone", json=body())
    assert (got.status_code, got.json()["answers"]) == (200, {})


def test_what_waits_is_asked_together_and_too_much_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", 4)
    asked: list[int] = []
    begun, go = Event(), Event()

    def slowly(inputs: Sequence[str]) -> list[Decided]:
        asked.append(len(inputs))
        begun.set()
        go.wait(10)
        return certain(inputs)

    statuses: list[int] = []

    def ask() -> None:
        statuses.append(httpx.post(f"{url}/systemone", json=body(), timeout=20).status_code)

    with serving_by(slowly) as url:
        first = Thread(target=ask)
        first.start()
        assert begun.wait(10)
        others = [Thread(target=ask) for _ in range(6)]
        for each in others:
            each.start()
        while len(statuses) < 2:  # two find no room
            others[0].join(0.01)
        go.set()
        for each in [first, *others]:
            each.join(10)
    assert sorted(statuses) == [200] * 5 + [503] * 2
    assert asked == [1, 4]


def test_a_port_that_is_taken_is_said() -> None:
    system = Deciding("small", ("a",), "a system", (), certain)
    with open_server(system, Inbox(certain), ["systemone"], "127.0.0.1", 0) as server:
        taken = server.server_port
        with pytest.raises(StateError, match="--port"):
            open_server(system, Inbox(certain), ["systemone"], "127.0.0.1", taken)
