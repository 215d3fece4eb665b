"""An endpoint with many habits: the first part of the URL's path says which one answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from engines.faulty_server import FaultyServer, Seen, Step, failing, html, raw, saying

LABELS = {"refund": "refund", "parcel": "delivery", "password": "login"}
THOUGHT_TOKENS = 300
TOKENS_PER_WORD = 1.3
WITHOUT_LIMIT = 10**6


def right(request: Seen) -> str:
    """Return the right answer: what stands between 【】, else the label of what is spoken of."""
    marked = re.search("【(.+?)】", request.question)
    named = [label for word, label in LABELS.items() if word in request.question]
    return marked[1] if marked else (named or ["refund"])[0]


def limit(request: Seen) -> int:
    given = request.payload.get("max_tokens", WITHOUT_LIMIT)
    return int(given)


def thinks_apart(request: Seen) -> Step:
    """Think for 300 tokens in a field of its own; the answer comes after them, if at all."""
    if limit(request) < THOUGHT_TOKENS:
        message = {"content": "", "reasoning_content": "The customer writes about " * 20}
        return saying("", (50, limit(request)), message=message, finish_reason="length")
    message = {"content": right(request), "reasoning_content": "…"}
    return saying("", (50, THOUGHT_TOKENS), message=message, finish_reason="stop")


def thinks_in_the_text(request: Seen) -> Step:
    answer = right(request)
    text = f"<think>\nIt is about {answer}.\n</think>\n\n{answer}"
    return saying(text, (50, 15), finish_reason="stop")


def cut_at(request: Seen, parts: list[str], tokens_per_part: float, between: str) -> Step:
    """Answer with as many parts as the limit lets through."""
    most = int(limit(request) / tokens_per_part)
    reason = "length" if len(parts) > most else "stop"
    used = min(limit(request), round(tokens_per_part * len(parts)))
    return saying(between.join(parts[:most]), (50, used), finish_reason=reason)


def new_parameters(request: Seen) -> Step:
    """Refuse what reasoning models refuse, in the words of the service that began with it."""
    for name in ("max_tokens", "stop"):
        if name in request.payload:
            said = (
                f"Unsupported parameter: '{name}' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            )
            return refusing(said, param=name, code="unsupported_parameter")
    if request.payload.get("temperature", 1) != 1:
        said = (
            "Unsupported value: 'temperature' does not support 0 with this model. "
            "Only the default (1) value is supported."
        )
        return refusing(said, code="unsupported_value")
    return saying(right(request))


def refusing(message: str, **more: str) -> Step:
    return Step(400, json.dumps({"error": {"message": message, **more}}).encode())


def reads(request: Seen) -> Step:
    """Give the place that a document in the prompt names, as a model that reads well does."""
    asked = re.match("(.+?)的仓库在哪里", request.question.splitlines()[-1])
    found = asked and re.search(f"{asked[1]}的仓库位于(.+?)，", request.question)
    return saying(found[1] if found else "不知道")


def by_query(request: Seen) -> Step:
    good = parse_qs(urlsplit(request.path).query).get("deployment") == ["good"]
    return saying(right(request) if good else "nothing")


def calls_a_tool(request: Seen) -> Step:
    call = {"name": "answer", "arguments": json.dumps({"label": right(request)})}
    calls: list[Any] = [{"id": "1", "type": "function", "function": call}]
    message = {"content": None, "tool_calls": calls}
    return saying(None, message=message, finish_reason="tool_calls")


HABITS: dict[str, Callable[[Seen], Step]] = {
    "right": lambda request: saying(right(request)),
    "wrong": lambda request: saying("nothing"),
    "reads": reads,
    "cut": lambda request: cut_at(request, list(right(request)), 1, ""),
    "cutw": lambda request: cut_at(request, right(request).split(), TOKENS_PER_WORD, " "),
    "thinkempty": thinks_apart,
    "thinktag": thinks_in_the_text,
    "newparams": new_parameters,
    "query": by_query,
    "html": lambda request: html(),
    "err200": lambda request: raw({"error": {"message": "Rate limit exceeded", "code": 429}}),
    "parts": lambda request: saying([{"type": "text", "text": right(request)}]),
    "nousage": lambda request: saying(right(request), usage=None),
    "tool": calls_a_tool,
    "nomodel": lambda request: failing(404, 'model "fake" not found, try pulling it first'),
}
"""The first part of the path -> what is answered."""


def slow_down_once() -> Callable[[Seen], Step]:
    """Refuse each question once, to be asked again since a date that is long past."""
    asked: set[str] = set()

    def script(request: Seen) -> Step:
        if request.question in asked:
            return saying(right(request))
        asked.add(request.question)
        return failing(429, "slow down", retry_after="Fri, 31 Dec 1999 23:59:59 GMT")

    return script


def endpoint() -> FaultyServer:
    """Return a server on loopback; `/<habit>/v1/chat/completions` answers as the habit does."""
    habits = {**HABITS, "retrydate": slow_down_once()}

    def script(request: Seen) -> Step:
        path = urlsplit(request.path).path
        if not path.endswith("/chat/completions"):
            return failing(404, "404 page not found")
        return habits[path.split("/")[1]](request)

    return FaultyServer(script)


def chats(server: FaultyServer) -> list[Seen]:
    """Return the requests about rows: not the greeting, and not the text to be continued."""
    talks = [request for request in server.seen if "messages" in request.payload]
    return [request for request in talks if request.question != "Hello!"]
