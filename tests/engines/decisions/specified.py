"""A server of typed decisions written from the two formats alone, not from our client.

It chooses the option that stands in the text, takes what the formats name and refuses the rest.
"""

from __future__ import annotations

import json
from typing import Any

from engines.faulty_server import Seen, Step, failing, raw

SYSTEMONE = {"model", "state", "questions"}
DECISIONS = {"model", "input", "questions"}


def specified(seen: Seen) -> Step:
    """Answer as either format says; 422 for what neither does."""
    form = seen.path.split("?")[0].rsplit("/", 1)[-1]
    body = seen.payload
    if form == "systemone" and set(body) == SYSTEMONE:
        answers = {name: _choice(q, body["state"]) for name, q in body["questions"].items()}
        if all(answers.values()):
            return raw({"model": body["model"], "answers": answers, "usage": _usage()})
    if form == "decisions" and set(body) == DECISIONS:
        found = [_decision(question, body["input"]) for question in body["questions"]]
        if all(found):
            return raw({"answers": found, "usage": _usage()})
    return failing(422, "the request is not as the format says")


def _usage() -> dict[str, int]:
    return {"input_tokens": 23, "output_tokens": 0}


def probabilities(options: list[str], about: Any) -> dict[str, float]:
    """Nearly all of it for the first option that the text names."""
    text = about if isinstance(about, str) else json.dumps(about[-1])
    named = next((option for option in options if option in text), options[-1])
    rest = 0.1 / max(1, len(options) - 1)
    return {option: 0.9 if option == named else rest for option in options}


def _choice(question: dict[str, Any], about: Any) -> dict[str, Any] | None:
    if not set(question) <= {"type", "instructions", "criteria"} or question["type"] != "choice":
        return None
    found = probabilities(list(question["criteria"]), about)
    peak = max(found.values())
    sure = (len(found) * peak - 1) / (len(found) - 1)
    choice = max(found, key=found.__getitem__)
    return {"type": "choice", "choice": choice, "probabilities": found, "confidence": sure}


def _decision(question: dict[str, Any], about: Any) -> dict[str, Any] | None:
    if not set(question) <= {"type", "name", "instructions", "choices"}:
        return None
    found = probabilities([choice["value"] for choice in question["choices"]], about)
    pairs = [{"value": option, "probability": value} for option, value in found.items()]
    choice = max(found, key=found.__getitem__)
    return {
        "type": "choice",
        "name": question["name"],
        "choice": choice,
        "probabilities": pairs,
        "confidence": 0.8,
    }
