"""What a server supports, asked of it: small questions whose right answers are known.

What is documented is not what runs: a server may refuse a field, or take it and do nothing. So each
ability is tried, and none is taken on the word of a name. No question holds anybody's data.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from ladder.engines.base import OWN_KINDS, Completion, Request
from ladder.engines.endpoint.access import Address
from ladder.engines.endpoint.engine import CONTINUED, EndpointEngine
from ladder.engines.endpoint.responses import BROKEN_STREAM
from ladder.engines.endpoint.sending import add
from ladder.engines.endpoint.served_by import served_by
from ladder.engines.endpoint.wire import Wire
from ladder.errors import EngineError
from ladder.json_values import from_json
from ladder.language.tokens import likely_tokens
from ladder.wording import harmless

ALIKE = 1e-6
"""Log-probabilities (nats) that differ by less are the same: nothing was read."""
LIKELIEST = 0.05
"""Nats by which a token that is written at temperature 0 may miss the likeliest, by rounding."""
TOLD = 5
"""Likeliest first tokens that are asked for."""
HELD = ("qorvex", "blimfu")
"""Words that no model writes unless a schema holds it to them."""
SCHEMA = (
    '{"type":"object","properties":{"word":{"type":"string","enum":["qorvex","blimfu"]}},'
    '"required":["word"],"additionalProperties":false}'
)
RIGHT, WRONG = "One, two, three, four, five, six", "One, two, three, paint, five, six"
LONG = "The ferry to the island leaves at nine, at noon and at six. " * 15


class Finding(NamedTuple):
    """What was found of one ability."""

    ability: str
    there: bool | None
    """None: it could not be told."""
    why: str = ""
    wrong: bool = False
    """The server does other than it says, without a word: what follows from it would be wrong."""


class Supports(NamedTuple):
    """What a server supports, and what it took to find that out."""

    findings: tuple[Finding, ...]
    requests: int
    tokens_in: int
    tokens_out: int


class Heard(NamedTuple):
    """An answer, with the response that it was read from."""

    request: Request
    answer: Completion
    data: Any
    refused: frozenset[str]
    """What of the request was refused and left out, by its name in `negotiation.WAYS`."""

    @property
    def unknown(self) -> bool:
        """Whether the lack of an answer says nothing of what was asked for."""
        kind = self.answer.kind
        return self.answer.error is not None and not (
            kind.startswith(("HTTP 4", "HTTP 501")) or kind in OWN_KINDS
        )


@dataclass
class Listening:
    """A form of requests with further fields; responses are kept as they came."""

    wire: Wire
    fields: Mapping[str, Any] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)

    def payload(self, model: str, request: Request, stream: bool) -> dict[str, Any]:
        """Return the JSON of a request."""
        return {**self.wire.payload(model, request, stream), **self.fields}

    def url(self, address: Address, sent: Mapping[str, Any]) -> httpx.URL:
        """Return where a request is sent."""
        return self.wire.url(address, sent)

    def completion(
        self, request: Request, sent: Mapping[str, Any], data: Any
    ) -> tuple[Completion, bool]:
        """Read an answer.

        Raises:
            TryError: there is none.
        """
        self.heard.append(data)
        return self.wire.completion(request, sent, data)


@dataclass
class Asking:
    """Asks one question at a time, and keeps what came."""

    engine: EndpointEngine
    heard: list[Heard] = field(default_factory=list)
    sent: int = 0
    """Requests: what is refused for its form is sent once more."""
    paid: tuple[int, int] = (0, 0)
    """Tokens of prompts and answers."""

    def __post_init__(self) -> None:
        self.engine.ahead = self._count

    def _count(self, request: Request) -> None:
        self.sent += 1

    def ask(
        self, request: Request, *, stream: bool = False, keep: bool = False, **fields: Any
    ) -> Heard:
        """Ask once; an error stands in the answer.

        Args:
            request: the question.
            stream: have the answer streamed.
            keep: put what follows in the form that this was answered in.
            fields: more of the request's JSON.
        """
        wire = Listening(self.engine.wire, fields)
        engine = self.engine.apart(wire)
        if keep:
            self.engine = engine.apart(self.engine.wire)
        engine = engine.streaming(1) if stream else engine
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say is among the findings
            try:
                [(_, answer)] = engine.complete([request])
            except EngineError as error:
                answer = Completion(error=str(error), kind="refused")
        data = wire.heard[-1] if wire.heard else None
        found = Heard(request, answer, data, frozenset(engine.negotiated))
        self.heard.append(found)
        self.paid = add(self.paid, (answer.tokens_in, answer.tokens_out))
        self.paid = add(self.paid, answer.lost_tokens)
        return found

    def supports(self, findings: Sequence[Finding]) -> Supports:
        """Return what was found, with what it took."""
        return Supports(tuple(findings), self.sent, *self.paid)


def supports(model: str, base_url: str, timeout_s: float) -> Supports:
    """Ask a server what it supports: some 17 requests, 1,500 tokens, one at a time.

    Args:
        model: the name that the endpoint knows the model by.
        base_url: of the endpoint.
        timeout_s: of each request.

    Raises:
        EngineError: the URL is not one of an endpoint, or its key cannot be sent.
    """
    asking = Asking(EndpointEngine(model, base_url, concurrency=1, timeout_s=timeout_s, attempts=1))
    return asking.supports([find(asking) for find in FINDERS])


def said(found: Supports) -> Iterator[tuple[bool, str]]:
    """Yield whether a line is a warning, and the line."""
    there = [each for each in found.findings if each.there and not each.wrong]
    told = [each.ability + (f" ({each.why})" if each.why else "") for each in there]
    yield False, f"supports {', '.join(told) or 'none of what was asked'}"
    for each in found.findings:
        if each.wrong or not each.there:
            state = "wrong" if each.wrong else "not known" if each.there is None else "no"
            yield each.wrong, f"{each.ability}: {state}: {each.why}"


def _question(text: str, limit: int = 16, **more: Any) -> Request:
    turns = (("system", "Answer in a few words."), ("user", text))
    return Request(messages=turns, max_tokens=limit, **more)


def lacking(ability: str, heard: Heard) -> Finding:
    """Return what an error in an answer's place says of an ability."""
    words = harmless(heard.answer.error or "", 160)
    return Finding(ability, None if heard.unknown else False, words)


def _chats(asking: Asking) -> Finding:
    heard = asking.ask(_question("Which colour is grass?"), keep=True)
    return lacking("chats", heard) if heard.answer.error else Finding("chats", True)


def _texts(asking: Asking) -> Finding:
    heard = asking.ask(CONTINUED)
    name = "continuing texts"
    return lacking(name, heard) if heard.answer.error else Finding(name, True)


def _repeats(asking: Asking) -> Finding:
    """Ask two questions twice, the second time in the other order."""
    name = "the same answer when asked again"
    asked = [_question("Name three colours of the rainbow."), _question("Count from one to nine.")]
    heard = [asking.ask(request) for request in (*asked, *reversed(asked))]
    failed = next((each for each in heard if each.answer.error), None)
    if failed is not None:
        return lacking(name, failed)
    texts = [each.answer.text for each in heard]
    other = (texts[0] != texts[3]) + (texts[1] != texts[2])
    why = f"{other} of 2 answers at temperature 0 were others in another order" if other else ""
    return Finding(name, not other, why)


def _logprobs(asking: Asking) -> Finding:
    name = "log-probabilities"
    heard = asking.ask(_question("The door is green. Which colour is it?", 4, top_logprobs=TOLD))
    first = heard.answer.first_logprobs
    if not first and heard.answer.error:
        return lacking(name, heard)
    if not first:
        return Finding(name, False, "asked for and not told: the server ignores the field")
    values = [value for _, value in first]
    if len(values) > 1 and max(values) - min(values) < ALIKE:
        return Finding(name, True, "all tokens have the same: chance level", wrong=True)
    written = _written(heard.data)
    if written is not None and written < values[0] - LIKELIEST:
        why = "the token that it wrote at temperature 0 is not the likeliest that it tells"
        return Finding(name, True, why, wrong=True)
    fewer = len(first) < TOLD
    return Finding(name, True, f"{len(first)} of {TOLD} likeliest tokens" if fewer else "")


def _written(data: Any) -> float | None:
    """Return the log-probability of the first token that was written, where a chat tells it."""
    try:
        told = data["choices"][0]["logprobs"]["content"][0]["logprob"]
    except (TypeError, KeyError, IndexError):
        return None
    return float(told) if isinstance(told, int | float) else None


def _schema(asking: Asking) -> Finding:
    name = "JSON schema"
    heard = asking.ask(_question("Which word comes to mind?", 48, schema=SCHEMA))
    if heard.answer.error:
        return lacking(name, heard)
    if "response_format" in heard.refused:
        return Finding(name, False, "response_format is refused")
    try:
        value = from_json(heard.answer.text.encode())
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and set(value) == {"word"} and value["word"] in HELD:
        return Finding(name, True)
    why = f"taken, and not kept to: {harmless(heard.answer.text, 60)}"
    return Finding(name, False, why, wrong=True)


def _several(asking: Asking) -> Finding:
    name = "n"
    heard = asking.ask(_question("Invent a name for a ferry.", 8, temperature=1.0, sample=1), n=2)
    choices = heard.data.get("choices") if isinstance(heard.data, dict) else None
    many = len(choices) if isinstance(choices, list) else 0
    if heard.answer.error and many < 2:
        return lacking(name, heard)
    return Finding(name, many == 2, "" if many == 2 else f"2 asked for, {many} came")


def _seed(asking: Asking) -> Finding:
    name = "seed"
    text = "Invent a name for a ferry, and say what it looks like."
    heard = [asking.ask(_question(text, temperature=1.3, sample=seed)) for seed in (7, 7, 8)]
    failed = next((each for each in heard if each.answer.error), None)
    if failed is not None:
        return lacking(name, failed)
    if any("seed" in each.refused for each in heard):
        return Finding(name, False, "refused: draws are not repeatable")
    one, again, other = (each.answer.text for each in heard)
    if one != again:
        return Finding(name, False, "the same seed drew two answers: draws are not repeatable")
    if one == other:
        return Finding(name, None, "two seeds drew the same answer: draws may not be drawn at all")
    return Finding(name, True)


def _echo(asking: Asking) -> Finding:
    """Have two texts scored, one of which is likelier to anybody who has read it."""
    name = "echo"
    heard = [
        asking.ask(Request(text=text, max_tokens=1, top_logprobs=1), echo=True)
        for text in (RIGHT, WRONG)
    ]
    failed = next((each for each in heard if each.answer.error), None)
    if failed is not None:
        return lacking(name, failed)
    sums = [_echoed(each.data, each.request.text) for each in heard]
    if sums[0] is None or sums[1] is None:
        return Finding(name, False, "the prompt's log-probabilities are asked for and not told")
    if sums[0] - sums[1] < ALIKE:
        level = "chance level" if abs(sums[0] - sums[1]) < ALIKE else "below chance"
        why = f"a text that makes sense scores {sums[0]:.1f}, one that does not {sums[1]:.1f}"
        return Finding(name, True, f"{why}: {level}", wrong=True)
    return Finding(name, True)


def _echoed(data: Any, text: str) -> float | None:
    """Return the sum of the log-probabilities of a prompt's tokens; None: they are not told."""
    try:
        choice = data["choices"][0]
        logprobs, written = choice["logprobs"]["token_logprobs"], choice["text"]
    except (TypeError, KeyError, IndexError):
        return None
    if not isinstance(logprobs, list) or not str(written).lstrip().startswith(text):
        return None
    known = [
        float(value)
        for value in logprobs[:-1]  # the last is of the one token that was written
        if isinstance(value, int | float) and math.isfinite(value)
    ]
    return math.fsum(known) if len(known) > 1 else None


def _streaming(asking: Asking) -> Finding:
    name = "streaming"
    request = _question("Count from one to nine.")
    heard = asking.ask(request, stream=True)
    if heard.answer.error:
        broken = heard.answer.kind == BROKEN_STREAM
        return lacking(name, heard)._replace(wrong=broken)
    if heard.answer.first_s is None:
        return Finding(name, False, "answers come whole: no time to the first token")
    usage = heard.data.get("usage") if isinstance(heard.data, dict) else None
    return Finding(name, True, "" if usage else "without token counts")


def _prefix_cache(asking: Asking) -> Finding:
    name = "prefix cache"
    heard = [asking.ask(_question(LONG + end, 4)) for end in ("When is noon?", "Which island?")]
    if heard[1].answer.error:
        return lacking(name, heard[1])
    cached = _cached(heard[1].data)
    if cached is None:
        return Finding(name, None, "the server does not tell what it has kept of a prompt")
    of = heard[1].answer.tokens_in
    if not cached:
        why = f"none of {of} tokens was kept; some providers keep prompts from 1,024 tokens on"
        return Finding(name, False, why)
    return Finding(name, True, f"{cached} of {of} tokens kept")


def _cached(data: Any) -> int | None:
    """Return how many tokens of a prompt were kept, as servers tell it."""
    told = data if isinstance(data, dict) else {}
    usage, timings = (told.get(name) or {} for name in ("usage", "timings"))
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    places = (
        (details, "cached_tokens"),  # OpenAI, vLLM, SGLang, llama.cpp
        (usage, "prompt_cache_hit_tokens"),  # DeepSeek
        (usage, "cache_read_input_tokens"),  # Anthropic
        (timings, "cache_n"),  # llama.cpp, older
    )
    values = [place.get(name) for place, name in places if isinstance(place, dict)]
    return next((value for value in values if type(value) is int), None)


def counted(
    asking: Asking, prompt: str = "prompt_tokens", written: str = "completion_tokens"
) -> Finding:
    """Hold the token counts of all answers so far against what was asked.

    Args:
        asking: what was heard.
        prompt: the field of the prompt's tokens.
        written: that of the answer's.
    """
    name = "usage"
    answered = [each for each in asking.heard if each.answer.error is None]
    if not answered:
        return Finding(name, None, "nothing was answered")
    told = [(each, _counts(each.data, prompt, written)) for each in answered]
    known = [(each, counts) for each, counts in told if counts is not None]
    if len(known) < len(answered):
        few = f"{len(answered) - len(known)} of {len(answered)} answers"
        return Finding(name, False, f"{few} came without: tokens and costs are estimates")
    odd = next(filter(None, (_odd_count(each, *counts) for each, counts in known)), "")
    return Finding(name, True, odd, wrong=bool(odd))


def _counts(data: Any, *names: str) -> tuple[int, int] | None:
    usage = data.get("usage") if isinstance(data, dict) else None
    told = usage if isinstance(usage, dict) else {}
    one, other = map(told.get, names)
    # No prompt has no tokens: a server that fills in zeros has not counted.
    return (one, other) if one and type(one) is int and type(other) is int else None


def _odd_count(heard: Heard, told_in: int, told_out: int) -> str:
    """Say what is wrong with the token counts of an answer; empty: nothing is."""
    choices = heard.data.get("choices") or [None]
    written = told_out - heard.answer.thought_tokens
    if written > heard.request.max_tokens * len(choices):
        return (
            f"{told_out} tokens are counted of an answer that may have {heard.request.max_tokens}"
        )
    words = [text for _, text in heard.request.messages] or [heard.request.text]
    likely = sum(map(likely_tokens, words))
    if told_in < likely / 3:
        return f"{told_in} tokens are counted of a prompt of some {likely}"
    return ""


def one_model(asking: Asking) -> Finding:
    """Read off all responses which model, and which build of the server, has answered."""
    name = "one model"
    names = list(dict.fromkeys(filter(None, (served_by(each.data) for each in asking.heard))))
    if not names:
        return Finding(name, None, "responses do not name what answers")
    if len(names) > 1:
        why = f"answers came from {', then '.join(names)}: the model or its build changed"
        return Finding(name, False, why, wrong=True)
    return Finding(name, True, names[0])


FINDERS: Sequence[Callable[[Asking], Finding]] = (
    _chats,
    _texts,
    _repeats,
    _logprobs,
    _echo,
    _schema,
    _several,
    _seed,
    _streaming,
    _prefix_cache,
    counted,
    one_model,
)
"""In the order in which they are asked; the last two read what the others have heard."""
