"""The server's side of typed decisions: questions in, answers out, in either wire format. Pure.

Written from the formats alone: `POST /v1/systemone` and OpenAI's `POST /v1/decisions`. A question
that the system cannot be asked is refused (422); one that it could not answer has no answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ladder.json_values import from_json
from ladder.lifecycle.served import Decided
from ladder.wording import harmless

MOST_QUESTIONS = 64
"""Of one request."""


class RefusedError(Exception):
    """A request that this system cannot be asked: the status says why, the words say more."""

    def __init__(self, words: str, status: int = 422) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Question:
    """One choice among labels of the task."""

    name: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class TypedRequest:
    """A request that can be answered: all its questions are about one input."""

    model: str
    about: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Form:
    """A wire format: how its body is read, and how answers are put."""

    read: Callable[[Mapping[str, Any], Sequence[str]], TypedRequest]
    """(body, labels of the task) -> what is asked."""
    put: Callable[[TypedRequest, Decided], dict[str, Any]]


def body_of(content: bytes) -> Mapping[str, Any]:
    """Read a request's body.

    Raises:
        RefusedError: it is no JSON object.
    """
    try:
        body = from_json(content)
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair can be in no file
    except (ValueError, RecursionError):
        raise RefusedError("the body is no JSON in UTF-8", 400) from None
    if not isinstance(body, dict):
        raise RefusedError("the body is no JSON object", 400)
    return body


def _read_systemone(body: Mapping[str, Any], labels: Sequence[str]) -> TypedRequest:
    questions = body.get("questions")
    if not isinstance(questions, dict):
        raise RefusedError("`questions` is no object of questions by name")
    found = []
    for name, question in questions.items():
        criteria = question.get("criteria") if isinstance(question, dict) else None
        options = list(criteria) if isinstance(criteria, dict) else criteria
        found.append(_question(name, question, options, labels))
    return _asked(body, body.get("state"), "state", found)


def _read_decisions(body: Mapping[str, Any], labels: Sequence[str]) -> TypedRequest:
    questions = body.get("questions")
    if not isinstance(questions, list):
        raise RefusedError("`questions` is no list of questions")
    found = []
    for at, question in enumerate(questions):
        known = question if isinstance(question, dict) else {}
        choices = known.get("choices")
        options = choices
        if isinstance(choices, list):
            options = [one.get("value") if isinstance(one, dict) else one for one in choices]
        found.append(_question(str(known.get("name", at)), question, options, labels))
    return _asked(body, body.get("input"), "input", found)


def _question(name: str, question: Any, options: Any, labels: Sequence[str]) -> Question:
    where = f"question `{harmless(name, 80)}`"
    kind = question.get("type") if isinstance(question, dict) else None
    if kind != "choice":
        said = harmless(str(kind), 40)
        raise RefusedError(f"{where}: its type is `{said}`; this system answers `choice` alone")
    if options is None:
        return Question(name, tuple(labels))
    if not isinstance(options, list) or not options:
        raise RefusedError(f"{where}: it has no options")
    strange = [option for option in options if option not in labels]
    if strange:
        known = harmless(", ".join(labels), 400)
        said = harmless(str(strange[0]), 80)
        raise RefusedError(f"{where}: `{said}` is no label of this task; its labels are {known}")
    return Question(name, tuple(dict.fromkeys(options)))


def _asked(
    body: Mapping[str, Any], about: Any, field: str, questions: Sequence[Question]
) -> TypedRequest:
    if about is None or about in ("", [], {}):
        raise RefusedError(f"`{field}` is missing: it holds what the questions are about")
    if not 0 < len(questions) <= MOST_QUESTIONS:
        raise RefusedError(
            f"{len(questions)} questions: 1 to {MOST_QUESTIONS} can be asked at once"
        )
    return TypedRequest(str(body.get("model") or ""), _as_text(about), tuple(questions))


def _as_text(about: Any) -> str:
    """Return what is asked about as the text of one input; of a chat, its last user turn."""
    if isinstance(about, str):
        return about
    if isinstance(about, list):
        turns = [turn for turn in about if isinstance(turn, dict) and turn.get("role") == "user"]
        content = turns[-1].get("content") if turns else None
        if isinstance(content, str):
            return content
    return json.dumps(about, ensure_ascii=False)


def chances(question: Question, decided: Decided) -> dict[str, float]:
    """Return the probabilities of a question's options: those of the labels, made to add up to 1.

    Nothing where the system tells none, or gives none of the options any.
    """
    found = {option: decided.probabilities.get(option, 0.0) for option in question.options}
    total = sum(found.values())
    return {option: value / total for option, value in found.items()} if total > 0 else {}


def chosen(question: Question, decided: Decided) -> str | None:
    """Return the option that is chosen; None: the system could not answer.

    Of options that do not hold the system's own label, the likeliest is chosen, unless the
    label is a certified one: another was never certified.
    """
    if decided.error:
        return None
    if decided.label in question.options:
        return decided.label
    if decided.certified:
        return None
    found = chances(question, decided)
    return max(found, key=found.__getitem__) if found else None


def confidence(chance: float, options: int) -> float:
    """Return how far the chosen option's probability is above an even split, 0 to 1.

    The formats take the likeliest option, which is the chosen one unless the system decides
    otherwise (a label written token by token); one that is below the split has none.
    """
    return 1.0 if options < 2 else max(0.0, (options * chance - 1) / (options - 1))


def _put_systemone(asked: TypedRequest, decided: Decided) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for question in asked.questions:
        option = chosen(question, decided)
        if option is None:
            continue
        answers[question.name] = {"type": "choice", "choice": option}
        if found := chances(question, decided):
            sure = {"probabilities": found, "confidence": confidence(found[option], len(found))}
            answers[question.name] |= sure
    return {"model": asked.model, "answers": answers, "usage": _usage(decided)}


def _put_decisions(asked: TypedRequest, decided: Decided) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    for question in asked.questions:
        option = chosen(question, decided)
        if option is None:
            answers.append({"type": "refusal", "name": question.name})
            continue
        answer: dict[str, Any] = {"type": "choice", "name": question.name, "choice": option}
        if found := chances(question, decided):
            pairs = [{"value": each, "probability": value} for each, value in found.items()]
            answer |= {"probabilities": pairs, "confidence": confidence(found[option], len(found))}
        answers.append(answer)
    return {"model": asked.model, "answers": answers, "usage": _usage(decided)}


def _usage(decided: Decided) -> dict[str, int]:
    return {"input_tokens": decided.tokens, "output_tokens": 0}


FORMS: dict[str, Form] = {
    "systemone": Form(_read_systemone, _put_systemone),
    "decisions": Form(_read_decisions, _put_decisions),
}
"""Last part of the address -> the format that is spoken there."""
