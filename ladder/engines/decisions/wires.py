"""The two wire formats of typed decisions, and how their answers are read.

`POST /v1/systemone` (vLLM from 0.32 on, transformers' serve, llama.cpp for decision models) and
OpenAI's `POST /v1/decisions` (SGLang as well). Both take what the question is about apart from the
question and its options, so that the options are not repeated in the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ladder.engines.base import CHANCE_LEVEL, NO_ANSWER, Completion, Request
from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.chat_completions import error_told
from ladder.engines.endpoint.failure import IN_REPLY, TryError, excerpt
from ladder.engines.endpoint.usage import usage_of
from ladder.language.tokens import likely_tokens

NAME = "answer"
"""Of the one question in a request."""
YES_NO = ("yes", "no")
"""The options of a greeting, which has none of its own."""
LEAST = 1e-12
"""The probability that stands for one that was rounded to 0: its logarithm can be written."""
ALIKE = 1e-9
"""Probabilities that differ by less are at chance: nothing was read."""
SUM_MAY_BE_OFF = 0.05
"""By rounding: probabilities of many options are told with few digits."""


class SystemOne:
    """`POST /v1/systemone`."""

    def payload(self, model: str, request: Request, stream: bool) -> dict[str, Any]:
        """Return the JSON of a request; a decision is never streamed."""
        instructions, about = _parted(request)
        criteria = dict.fromkeys(_options(request))
        question = {"type": "choice", "instructions": instructions, "criteria": criteria}
        return {"model": model, "state": about, "questions": {NAME: question}}

    def url(self, address: Address, sent: Mapping[str, Any]) -> httpx.URL:
        """Return where a request is sent."""
        return address.beside("systemone")

    def completion(
        self, request: Request, sent: Mapping[str, Any], data: Any
    ) -> tuple[Completion, bool]:
        """Read an answer.

        Raises:
            TryError: there is none, or it is not about the options.
        """
        answers = _answers(data, dict)
        answer = answers.get(NAME)
        by_option = answer.get("probabilities") if isinstance(answer, dict) else None
        return _completion(request, sent, data, answer, by_option)


class OpenAIDecisions:
    """OpenAI's `POST /v1/decisions`."""

    def payload(self, model: str, request: Request, stream: bool) -> dict[str, Any]:
        """Return the JSON of a request; a decision is never streamed."""
        instructions, about = _parted(request)
        question = {
            "type": "choice",
            "name": NAME,
            "instructions": instructions,
            "choices": [{"value": option} for option in _options(request)],
        }
        return {"model": model, "input": about, "questions": [question]}

    def url(self, address: Address, sent: Mapping[str, Any]) -> httpx.URL:
        """Return where a request is sent."""
        return address.beside("decisions")

    def completion(
        self, request: Request, sent: Mapping[str, Any], data: Any
    ) -> tuple[Completion, bool]:
        """Read an answer.

        Raises:
            TryError: there is none, or it is not about the options.
        """
        known = [each for each in _answers(data, list) if isinstance(each, dict)]
        answer = next((each for each in known if each.get("name", NAME) == NAME), None)
        pairs = answer.get("probabilities") if answer else None
        by_option = None
        if isinstance(pairs, list):
            known = [pair for pair in pairs if isinstance(pair, dict)]
            by_option = {pair.get("value"): pair.get("probability") for pair in known}
        return _completion(request, sent, data, answer, by_option)


def _options(request: Request) -> tuple[str, ...]:
    return request.choices or YES_NO


def _parted(request: Request) -> tuple[str, Any]:
    """Return the instructions, and what the question is about: a text, or the turns of a chat."""
    instructions = "\n".join(text for role, text in request.messages if role == "system")
    turns = [{"role": role, "content": text} for role, text in request.messages if role != "system"]
    if len(turns) == 1:
        return instructions, turns[0]["content"]
    return instructions, turns or request.text


def _answers(data: Any, kind: type) -> Any:
    """Return the answers of a response.

    Raises:
        TryError: an error stands in their place, or nothing does.
    """
    if isinstance(data, dict) and data.get("error"):
        raise error_told(data["error"])
    answers = data.get("answers") if isinstance(data, dict) else None
    if not isinstance(answers, kind):
        words = f"no typed decision: {excerpt(data)}"
        raise TryError(f"error{IN_REPLY}", words)
    return answers


def _completion(
    request: Request, sent: Mapping[str, Any], data: Any, answer: Any, by_option: object
) -> tuple[Completion, bool]:
    """Return an answer with the log-probability of each option, where they are told.

    Raises:
        TryError: the model gave no answer, or what it gave is not one of the options.
    """
    usage = usage_of(data.get("usage"))
    # Nothing is written: a server that counts no output has counted all the same.
    tokens_in = usage.prompt or sum(map(likely_tokens, _texts(sent)))
    tokens_out = usage.answer or 0
    try:
        at, chances = _chosen(_options(request), answer, by_option)
    except TryError as failure:
        failure.tokens = (tokens_in, tokens_out)
        raise
    completion = Completion(
        text=_options(request)[at],
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        choice_logprobs=tuple(math.log(max(chance, LEAST)) for chance in chances),
        greedy_choice=at,
    )
    return completion, usage.prompt is not None


def _chosen(
    options: Sequence[str], answer: Any, by_option: object
) -> tuple[int, tuple[float, ...]]:
    """Return the position of the chosen option and the options' probabilities, if they are told.

    Raises:
        TryError: it is no answer.
    """
    if not isinstance(answer, dict) or answer.get("type") == "refusal":
        said = answer.get("refusal") if isinstance(answer, dict) else None
        words = f": {excerpt(said)}" if said else ""
        raise TryError(NO_ANSWER, f"the model could not answer{words}")
    choice = answer.get("choice")
    if choice not in options:
        raise TryError("strange choice", f"{excerpt(choice)} is none of the {len(options)} options")
    return options.index(choice), _chances(options, by_option)


def _chances(options: Sequence[str], by_option: object) -> tuple[float, ...]:
    """Return the probability of each option; none where the server tells none.

    Raises:
        TryError: they are no probabilities of these options, or all the same.
    """
    if by_option is None:
        return ()
    known = by_option if isinstance(by_option, dict) else {}
    values = [known.get(option, 0.0) for option in options]
    good = [
        type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1 for value in values
    ]
    if not all(good) or abs(math.fsum(values) - 1) > SUM_MAY_BE_OFF:
        raise TryError(
            "strange probabilities", f"they are none of the options': {excerpt(by_option)}"
        )
    if len(values) > 1 and max(values) - min(values) < ALIKE:
        raise TryError(CHANCE_LEVEL, "every option has the same probability: nothing was read")
    return tuple(map(float, values))


def _texts(sent: Mapping[str, Any]) -> list[str]:
    """Return all that a request has the model read."""
    return [str(value) for name, value in sent.items() if name != "model"]
