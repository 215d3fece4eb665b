"""A model behind an endpoint that is not the certified one any more, and how that is found."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying
from probed import plan_in

from ladder.errors import EngineError, NoVerdictError, SpendLimitError, StateError, TaskError
from ladder.evidence import ProbeLook, ProbeReference
from ladder.lifecycle.alpha_spending import error_of_look
from ladder.lifecycle.probe_endpoint import KINDS, compare
from ladder.lifecycle.probing import KEPT, RECORD, REFERENCE, probe, probes_so_far
from ladder.progress import Quiet

WORDS = ("yes", "no", "red", "blue", "one", "two")
Script = Callable[[Seen], Step]


def telling(drawn: random.Random, shift: float = 0.0, noise: float = 0.02) -> Script:
    """A model that tells its first tokens; by `shift` it is another one."""

    def step(seen: Seen) -> Step:
        if not seen.payload.get("logprobs"):
            return saying("yes")
        centre = random.Random(seen.question)
        logits = [centre.gauss(0, 1) + shift * at + drawn.gauss(0, noise) for at in range(6)]
        total = math.log(sum(map(math.exp, logits)))
        pairs = sorted(zip(logits, WORDS, strict=True), reverse=True)
        top = [{"token": word, "logprob": logit - total} for logit, word in pairs]
        top = top[: seen.payload["top_logprobs"]]
        return saying(top[0]["token"], (9, 1), logprobs={"content": [{"top_logprobs": top}]})

    return step


def drawing(drawn: random.Random, share: float) -> Script:
    """A model that tells no log-probabilities and is undecided about some prompts."""
    return lambda seen: saying("a" if drawn.random() < share and "e" in seen.question else "b")


def always(word: Callable[[str], str]) -> Script:
    """A model without noise that tells no log-probabilities."""
    return lambda seen: saying(word(seen.question))


def plan_at(folder: Path, url: str, **more: object) -> Path:
    return plan_in(folder, f"openai:small@{url}", **more)


def looks(plan: Path, count: int) -> list[ProbeLook]:
    return [probe(plan, Quiet()).look for _ in range(count)]


def test_an_endpoint_that_tells_no_log_probabilities_any_more_is_told(tmp_path: Path) -> None:
    server = FaultyServer(telling(random.Random(1)))
    with server:
        plan = plan_at(tmp_path, server.url)
        looks(plan, 2)
        server.script = always(lambda question: "yes")
        with pytest.raises(NoVerdictError, match="tells no log-probabilities any more"):
            probe(plan, Quiet())
        assert len(probes_so_far(plan)) == 2
        server.script = telling(random.Random(2))
        assert probe(plan, Quiet()).look.verdict == "same"


@pytest.mark.slow
def test_log_probabilities_tell_a_model_replaced_behind_its_name(tmp_path):
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url)
        first = probe(plan, Quiet())
        assert (first.look.probe, first.look.calls) == ("log-probabilities", 1 + 8 * 16)
        assert [look.verdict for look in looks(plan, 3)] == ["same"] * 3
        server.script = telling(random.Random(1), shift=0.2)
        found = probe(plan, Quiet()).look
    assert found.verdict == "revalidate"
    assert [shift.name for shift in found.shifts if shift.alarms] == ["frozen", "trailing"]
    assert found.calls == 8 * 4
    assert found.tokens == 10 * found.calls


@pytest.mark.slow
def test_less_than_the_least_effect_is_no_alarm_however_sure(tmp_path):
    with FaultyServer(telling(random.Random(0), noise=0)) as server:
        plan = plan_at(tmp_path, server.url)
        probe(plan, Quiet())
        server.script = telling(random.Random(0), shift=0.01, noise=0)
        found = probe(plan, Quiet()).look
    assert found.shifts[0].p < found.error
    assert found.shifts[0].effect < 0.05
    assert found.verdict == "same"


@pytest.mark.slow
def test_a_server_that_refuses_log_probabilities_is_asked_for_border_inputs(tmp_path):
    def refusing(script: Script) -> Script:
        refused = failing(400, "logprobs are not supported")
        return lambda seen: refused if seen.payload.get("logprobs") else script(seen)

    with FaultyServer(refusing(drawing(random.Random(0), 0.5))) as server:
        plan = plan_at(tmp_path, server.url)
        first = probe(plan, Quiet())
        assert first.look.probe == "border inputs"
        borders = len(first.taken.requests)
        assert 10 <= borders <= 20
        assert first.look.calls == 1 + 300 * 3 + borders * 40
        assert all("e" in prompt["messages"][0][1] for prompt in first.taken.requests)
        assert [look.verdict for look in looks(plan, 2)] == ["same"] * 2
        server.script = refusing(drawing(random.Random(1), 0.1))
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 8 * borders)


@pytest.mark.slow
def test_outputs_where_nothing_cheaper_is_to_be_had(tmp_path):
    with FaultyServer(always(lambda question: f"It is {question[-9:]}")) as server:
        plan = plan_at(tmp_path, server.url)
        first = probe(plan, Quiet())
        assert first.look.probe == "outputs"
        assert len(first.taken.requests) == 20
        assert looks(plan, 1)[0].verdict == "same"
        server.script = always(lambda question: f"That is {question[-9:]}")
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 40)


@pytest.mark.slow
def test_outputs_hold_rows_and_stay_on_this_machine(tmp_path, monkeypatch):
    """Probes of our own texts need no leave; the eval examples do."""
    elsewhere = "ladder.engines.endpoint.access.Address.local"
    monkeypatch.setattr(elsewhere, property(lambda address: False))
    with FaultyServer(always(lambda question: "b")) as server:
        plan = plan_at(tmp_path, server.url, rules={"data_may_leave": True})
        task = tmp_path / "task.yaml"
        allowed = task.read_text()
        task.write_text(allowed.replace("data_may_leave: true", "data_may_leave: false"))
        with pytest.raises(TaskError, match="data_may_leave"):
            probe(plan, Quiet())
        assert not any("loaves" in question for question in server.questions)
        task.write_text(allowed)
        assert probe(plan, Quiet()).look.probe == "outputs"
        task.write_text(allowed.replace("data_may_leave: true", "data_may_leave: false"))
        asked = len(server.seen)
        with pytest.raises(TaskError, match="data_may_leave"):
            probe(plan, Quiet())
        assert len(server.seen) == asked
    with FaultyServer(telling(random.Random(0))) as server:
        (tmp_path / "told").mkdir()
        plan = plan_at(tmp_path / "told", server.url, rules={"data_may_leave": True})
        task = tmp_path / "told/task.yaml"
        task.write_text(task.read_text().replace("true", "false"))
        assert probe(plan, Quiet()).look.probe == "log-probabilities"


def test_the_spending_limit_ends_a_probe(tmp_path):
    prices = {"input_usd_per_1m": 100, "output_usd_per_1m": 100, "source": "a test"}
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url, prices=prices, rules={"max_spend_usd": 0.05})
        with pytest.raises(SpendLimitError):
            probe(plan, Quiet())
        assert len(server.seen) < 129
    assert not (plan.parent / RECORD).exists()


def test_an_endpoint_that_is_gone_is_no_verdict(tmp_path):
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url)
        probe(plan, Quiet())
        server.script = lambda seen: failing(401, "who are you")
        with pytest.raises(EngineError):
            probe(plan, Quiet())
    assert len(probes_so_far(plan)) == 1


@pytest.mark.parametrize(
    ("entry", "ends", "deprecated"),
    [({"shutdown_date": "2027-03-01"}, "2027-03-01", False),
     ({"deprecation_date": 1803772800}, "2027-02-28", True),
     ({"lifecycle": {"retirement_date": "2027-04-05T00:00:00Z"}}, "2027-04-05", False),
     ({"deprecated": True, "shutdown_date": "soon"}, None, True), ({}, None, False)],
)  # fmt: skip
def test_the_end_of_a_model_is_read_off_the_list(tmp_path, entry, ends, deprecated):
    pages = {"/v1/models": {"data": [{"id": "other", "shutdown_date": "2026-12-01"},
                                     {"id": "small", **entry}]}}  # fmt: skip
    with FaultyServer(telling(random.Random(0)), pages) as server:
        found = probe(plan_at(tmp_path, server.url), Quiet()).look
    assert (found.ends, found.deprecated) == (ends, deprecated)


def test_a_reference_with_requests_that_are_none(tmp_path):
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url)
        probe(plan, Quiet())
        file = plan.parent / KEPT / REFERENCE
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({**kept, "requests": [{"command": "rm"}] * 8}))
        with pytest.raises(StateError, match="requests that are none"):
            probe(plan, Quiet())


@pytest.mark.slow
def test_a_clock_that_went_back(tmp_path, ladder):
    """A look of next year: it is named, and later looks spend no more than a day's share."""
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url)
        probe(plan, Quiet())
        record = plan.parent / RECORD
        look = json.loads(record.read_text())
        record.write_text(json.dumps({**look, "at": "2090-01-01T00:00:00+00:00"}) + "\n")
        found = ladder("probe", plan)
    assert found.code == 0
    assert "2090-01-01 lies in the future" in found.errors
    assert probes_so_far(plan)[-1].error == pytest.approx(0.05 / 730)


@pytest.mark.slow
def test_what_is_said_names_the_next_step(tmp_path, ladder):
    with FaultyServer(telling(random.Random(0))) as server:
        plan = plan_at(tmp_path, server.url)
        assert "reference taken: log-probabilities" in ladder("probe", plan).out
        server.script = telling(random.Random(1), shift=0.3)
        found = ladder("probe", plan)
    assert found.code == 1
    assert "ALARM log-probabilities beside the reference of" in found.out
    assert "Confirm it: ladder revalidate PLAN" in found.out
    assert "asked: 32 calls, 320 tokens" in found.out


def of_day(drawn: random.Random, times: int) -> tuple:
    """Eight prompts of one model whose log-probabilities have noise."""
    answers = []
    for prompt in range(8):
        centre = random.Random(prompt)
        means = {word: centre.uniform(-5, -1) for word in WORDS}
        told = [{w: m + drawn.gauss(0, 0.15) for w, m in means.items()} for _ in range(times)]
        answers.append(tuple(dict(sorted(d.items(), key=lambda p: -p[1])[:5]) for d in told))
    return tuple(answers)


@pytest.mark.slow
def test_two_hundred_days_of_the_same_model_raise_no_alarm():
    created, drawn = date(2026, 1, 1), random.Random(7)
    kind = KINDS["log-probabilities"]
    reference = ProbeReference(at="then", model="m", probe="log-probabilities",
                               samples=of_day(drawn, kind.for_reference))  # fmt: skip
    before: list[ProbeLook] = []
    spent: list[tuple[date, float]] = []
    for day in range(1, 201):
        today = created + timedelta(days=day)
        error = error_of_look(created, today, spent)
        spent.append((today, error))
        samples = of_day(drawn, kind.for_look)
        shifts = compare(reference, before[-7:], samples, error)
        assert not any(shift.alarms for shift in shifts), day
        before.append(ProbeLook(at=today.isoformat(), model="m", probe="log-probabilities",
                                verdict="same", reference="then", samples=samples))  # fmt: skip
    assert sum(error for _, error in spent) == pytest.approx(0.05 * 200 / 730)
