"""Endpoints of typed decisions, asked over HTTP: what they choose, and what may be wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from engines.decisions.specified import specified
from engines.faulty_server import RESET, FaultyServer, Seen, Step, failing, raw
from small_tasks import write_task

from ladder.climb.preflight import preflight
from ladder.commands.assess import assess
from ladder.commands.endpoints import greeted
from ladder.engines.base import CHANCE_LEVEL, NO_ANSWER, Request
from ladder.engines.decisions import WIRES, DecisionEngine
from ladder.engines.decisions.engine import CHECK
from ladder.engines.decisions.supports import supports
from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.supports import said
from ladder.errors import EndpointDownError
from ladder.progress import Quiet
from ladder.task import load_task

FORMS = list(WIRES)
PATIENCE = Patience(first_wait_s=0.01, longest_wait_s=0.1, first_probe_s=0.02, outage_s=0.3)
LABELS = ("bread", "cake", "pie")
OF_LABELS = {"answer": {"type": "label"}, "score": "exact_match"}


def engine_of(form: str, url: str) -> DecisionEngine:
    engine = DecisionEngine("m", url, wire=WIRES[form], patience=PATIENCE, attempts=2)
    engine.timeout_s = 5.0
    return engine


def ask(text: str = "two slices of cake", **more: Any) -> Request:
    turns = (("system", "What was ordered?"), ("user", text))
    return Request(**{"messages": turns, "choices": LABELS, **more})


def answer(form: str, step: Step | Callable[..., Step], request: Request | None = None) -> Any:
    with FaultyServer([step] if isinstance(step, Step) else step) as server:
        [(_, found)] = engine_of(form, server.url).complete([request or ask()])
        return found, server.seen


@pytest.mark.parametrize("form", FORMS)
def test_a_label_is_chosen_with_a_probability_for_each(form: str) -> None:
    found, [seen] = answer(form, specified)
    assert (found.text, found.greedy_choice, found.error) == ("cake", 1, None)
    assert [round(math.exp(value), 3) for value in found.choice_logprobs] == [0.05, 0.9, 0.05]
    assert (found.tokens_in, found.tokens_out) == (23, 0)
    about = seen.payload["state" if form == "systemone" else "input"]
    assert about == "two slices of cake", "neither the options nor the question stand in it"


@pytest.mark.parametrize("form", FORMS)
def test_examples_are_turns_of_what_the_question_is_about(form: str) -> None:
    turns = (("system", "What?"), ("user", "a loaf"), ("assistant", "bread"), ("user", "a pie"))
    found, [seen] = answer(form, specified, ask(messages=turns))
    about = seen.payload["state" if form == "systemone" else "input"]
    assert [turn["role"] for turn in about] == ["user", "assistant", "user"]
    assert found.text == "pie"


@pytest.mark.parametrize("form", FORMS)
def test_there_is_nothing_to_learn_and_nothing_is_asked(form: str) -> None:
    with FaultyServer(specified) as server:
        assert engine_of(form, server.url).learn() == {}
    assert server.seen == []


def of(answer: Any, usage: Any = None) -> Step:
    """A response of the systemone form."""
    return raw({"answers": {"answer": answer} if answer else {}, "usage": usage})


def chose(choice: Any, **probabilities: Any) -> dict[str, Any]:
    return {"type": "choice", "choice": choice, "probabilities": probabilities or None}


STRANGE = {
    "no answer": (of(None), NO_ANSWER, True),
    "a choice nobody offered": (of(chose("tart")), "strange choice", False),
    "a choice that is no text": (of(chose(["cake"])), "strange choice", False),
    "at chance": (of(chose("cake", bread=1 / 3, cake=1 / 3, pie=1 / 3)), CHANCE_LEVEL, False),
    "not a whole": (of(chose("cake", cake=0.4)), "strange probabilities", False),
    "above one": (of(chose("cake", cake=1.4, pie=-0.4)), "strange probabilities", False),
    "not a number": (of(chose("cake", cake="1")), "strange probabilities", False),
    "an error in 200": (raw({"error": {"message": "busy", "code": 422}}), "HTTP 422", True),
    "a chat": (raw({"choices": [{"message": {"content": "cake"}}]}), "error in the reply", False),
    "a list": (raw([1]), "error in the reply", False),
    "refused": (failing(422, "too many options"), "HTTP 422", True),
}


@pytest.mark.parametrize(("step", "kind", "own"), STRANGE.values(), ids=STRANGE)
def test_what_is_no_answer_is_an_error_and_never_a_label(step: Step, kind: str, own: bool) -> None:
    found, _ = answer("systemone", step)
    assert found.text == ""
    assert found.error is not None
    assert found.kind.startswith(kind)
    assert found.is_own_fault is own


def test_a_refusal_of_the_other_form_is_no_answer() -> None:
    body = {"answers": [{"type": "refusal", "refusal": "not that"}]}
    found, _ = answer("decisions", raw(body))
    assert (found.kind, found.is_own_fault) == (NO_ANSWER, True)
    assert "not that" in str(found.error)


def test_without_probabilities_the_choice_stands_alone_and_tokens_are_estimated() -> None:
    with pytest.warns(UserWarning, match="reports no token usage"):
        found, _ = answer("systemone", of(chose("cake")))
    assert (found.text, found.choice_logprobs, found.greedy_choice) == ("cake", (), 1)
    assert found.tokens_in > 5


def test_a_probability_that_was_rounded_away_can_be_written_down() -> None:
    found, _ = answer("systemone", of(chose("cake", cake=1.0, bread=0.0)))
    assert all(math.isfinite(value) for value in found.choice_logprobs)


def test_a_server_that_is_always_at_chance_ends_the_run_by_name() -> None:
    """lm-eval scores such a server at exact chance (llama.cpp #27174): here no row is scored."""
    alike = dict.fromkeys(LABELS, 1 / 3)
    with (
        FaultyServer([of(chose("cake", **alike))]) as server,
        pytest.raises(EndpointDownError, match="every option has the same probability"),
    ):
        list(engine_of("systemone", server.url).complete([ask(str(n)) for n in range(40)]))


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_that_breaks_is_tried_again(form: str) -> None:
    broken = iter([RESET])
    found, seen = answer(form, lambda request: next(broken, None) or specified(request))
    assert (found.text, len(seen)) == ("cake", 2)


def row(split: str, number: int) -> dict[str, str]:
    return {"input": f"{split} order {number}: {LABELS[number % 3]}", "target": LABELS[number % 3]}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_task_of_labels_is_assessed_by_decisions(form: str, tmp_path: Any) -> None:
    gate = {"min_score": 0.8, "when_control_passes": "climb"}
    with FaultyServer(specified) as server:
        models = {"base": f"{form}:m@{server.url}"}
        path = write_task(tmp_path, row, 90, 200, gate=gate, models=models, **OF_LABELS)
        found, _ = assess(load_task(path), tmp_path / "runs", Quiet(), until="prompt")
        known = {request.path.split("?")[0] for request in server.seen}
    assert (found.recommendation.rung, found.recommendation.confirmed_verdict) == ("prompt", "pass")
    assert known == {f"/v1/{form}"}, "nothing is asked that it has no form for"


def test_check_says_what_such_an_endpoint_can(tmp_path: Any) -> None:
    with FaultyServer(specified) as server:
        models = {"base": f"systemone:m@{server.url}"}
        path = write_task(tmp_path, row, 30, 30, models=models, **OF_LABELS)
        [(role, _, words)] = greeted(load_task(path), "known")
    assert role == "base"
    assert "it tells a probability for each option" in words


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"answer": {"type": "text"}}, "models.base"),
        ({"teacher": "systemone:m@http://127.0.0.1:9/v1"}, "teacher"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_is_asked(
    fields: dict[str, Any], where: str, tmp_path: Any
) -> None:
    models = {"base": "systemone:m@http://127.0.0.1:9/v1"}
    if teacher := fields.pop("teacher", None):
        models["teacher"] = teacher
    path = write_task(tmp_path, row, 30, 30, models=models, **{**OF_LABELS, **fields})
    problems = [p for p in preflight(load_task(path)) if "only chooses among options" in str(p)]
    assert len(problems) == 1
    assert where in str(problems[0])


def test_an_address_is_wanted_by_its_own_name(tmp_path: Any) -> None:
    models = {"base": "decisions:m"}
    path = write_task(tmp_path, row, 30, 30, models=models, **OF_LABELS)
    [problem] = preflight(load_task(path))
    assert "decisions:MODEL@https://HOST/v1" in str(problem)


def test_the_check_holds_nobodys_data() -> None:
    assert CHECK.choices == ("green", "red", "yellow")


def flipping(seen: Seen) -> Step:
    """Choose the first option, whatever it is: the order of the options is the answer."""
    options = list(seen.payload["questions"]["answer"]["criteria"])
    chances = {option: 0.9 if at == 0 else 0.1 / (len(options) - 1)
               for at, option in enumerate(options)}  # fmt: skip
    answer = {"type": "choice", "choice": options[0], "probabilities": chances}
    usage = {"input_tokens": 23, "output_tokens": 0}
    return raw({"model": "m", "answers": {"answer": answer}, "usage": usage})


def at_chance(seen: Seen) -> Step:
    options = list(seen.payload["questions"]["answer"]["criteria"])
    chances = dict.fromkeys(options, 1 / len(options))
    answer = {"type": "choice", "choice": options[0], "probabilities": chances}
    return raw({"model": "m", "answers": {"answer": answer}})


@pytest.mark.parametrize("form", FORMS)
def test_what_a_server_of_decisions_supports(form: str) -> None:
    with FaultyServer(specified) as server:
        found = supports("m", server.url, 5, WIRES[form])
    known = {each.ability: each for each in found.findings}
    assert known["typed questions"].there
    assert known["probabilities"].there
    assert known["the same answer when asked again"].there
    assert known["the same answer for options in another order"].there
    assert known["usage"].there
    assert found.requests == len(server.seen) == 10
    assert found.tokens_in == 230


def test_an_order_of_options_that_decides_is_named() -> None:
    with FaultyServer(flipping) as server:
        found = supports("m", server.url, 5, WIRES["systemone"])
    [order] = [each for each in found.findings if each.ability.endswith("another order")]
    assert order.there is False
    assert order.why == "3 of 3 choices were others"


def test_a_server_at_chance_level_is_a_warning() -> None:
    with FaultyServer(at_chance) as server:
        found = supports("m", server.url, 5, WIRES["systemone"])
    [(first_warns, _), (warns, line)] = said(found)
    assert (first_warns, warns) == (False, True)
    assert "nothing was read" in line


def test_a_server_with_labels_of_its_own_is_asked_by_them_where_they_may_be_sent() -> None:
    def own(seen: Seen) -> Step:
        options = set(seen.payload["questions"]["answer"]["criteria"])
        return specified(seen) if options == {"parcel", "refund"} else failing(422, "other labels")

    with FaultyServer(own) as server:
        found = supports("m", server.url, 5, WIRES["systemone"], ("parcel", "refund"))
        unsent = supports("m", server.url, 5, WIRES["systemone"])
    assert found.findings[0].there
    assert unsent.findings[0].there is False
    assert unsent.requests == 1
