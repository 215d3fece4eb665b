"""A server of chats and texts as OpenAI's reference describes it, with a model of a few words.

Written from the reference alone: its answers follow from the request and the seed. A `Fault` makes
it do other than it says.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from engines.faulty_server import Seen, Step, failing, raw

WORDS = ("red", "green", "blue", "boat", "noon", "seven", "tea", "moss", "paint", "north")
NUMBERS = ("One", "two", "three", "four", "five", "six", "seven")


@dataclass
class Specified:
    """What answers; each field is a habit or a fault."""

    fault: str = ""
    asked: int = 0
    kept: set[str] = field(default_factory=set)

    def __call__(self, request: Seen) -> Step:
        self.asked += 1
        asked = request.payload
        refused = {"no echo": "echo", "no schema": "response_format", "no logprobs": "logprobs",
                   "no n": "n", "no seed": "seed"}.get(self.fault)  # fmt: skip
        if refused in asked:
            return failing(400, f"Unsupported parameter: '{refused}'")
        if self.fault == "goes away" and self.asked > 3:
            return Step(reset=True)
        prompt = self._prompt(asked)
        body = self._body(asked, prompt)
        if asked.get("stream") and self.fault != "whole":
            return self._stream(body)
        return raw(body)

    def _prompt(self, asked: dict[str, Any]) -> str:
        turns = asked.get("messages")
        return " ".join(turn["content"] for turn in turns) if turns else str(asked["prompt"])

    def _written(self, asked: dict[str, Any], prompt: str, choice: int) -> list[str]:
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        if schema and self.fault != "ignores schema":
            [(name, kind)] = schema["properties"].items()
            return [json.dumps({name: kind["enum"][0]})]
        seed: object = asked.get("seed") if asked.get("temperature") else "greedy"
        if self.fault == "draws" or (self.fault == "ignores seed" and seed != "greedy"):
            seed = self.asked
        drawn = random.Random(hashlib.sha256(f"{prompt} {seed} {choice}".encode()).digest())
        return [drawn.choice(WORDS) for _ in range(min(4, asked["max_tokens"]))]

    def _body(self, asked: dict[str, Any], prompt: str) -> dict[str, Any]:
        n = 1 if self.fault == "ignores n" else asked.get("n", 1)
        chat = "messages" in asked
        told = asked.get("logprobs") and self.fault != "ignores logprobs"
        choices = []
        for at in range(n):
            words = self._written(asked, prompt, at)
            text = " ".join(words)
            if asked.get("echo") and self.fault != "ignores echo":
                text = f"{prompt} {text}"
            said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            logprobs = self._logprobs(words, prompt, chat, asked) if told else None
            choices.append({"index": at, "finish_reason": "stop", **said, "logprobs": logprobs})
        model = "tiny-2" if self.fault == "another model" and self.asked > 5 else asked["model"]
        body = {"model": model, "system_fingerprint": "fp_1", "choices": choices}
        return (
            body
            if self.fault == "no usage"
            else {**body, "usage": self._usage(prompt, n * min(4, asked["max_tokens"]))}
        )

    def _logprobs(
        self, words: list[str], prompt: str, chat: bool, asked: dict[str, Any]
    ) -> dict[str, Any]:
        flat = self.fault == "chance level"
        likely = [words[0], *(word for word in WORDS if word != words[0])][:5]
        if self.fault == "strange logprobs":
            likely = likely[1:]
        values = [-2.0 if flat else -0.3 - at for at in range(len(likely))]
        written = -4.0 if self.fault == "strange logprobs" else values[0]
        if chat:
            top = [{"token": t, "logprob": v} for t, v in zip(likely, values, strict=True)]
            return {"content": [{"token": words[0], "logprob": written, "top_logprobs": top}]}
        tokens = prompt.replace(",", "").split() if asked.get("echo") else []
        echoed = [None, *(self._of(token, before) for before, token in pairwise(tokens))]
        scores = [*(echoed if tokens and self.fault != "ignores echo" else []), -0.3]
        return {"token_logprobs": scores, "top_logprobs": [dict(zip(likely, values, strict=True))]}

    def _of(self, token: str, before: str) -> float:
        if self.fault == "chance level":
            return -3.0
        known = before in NUMBERS and token in NUMBERS
        return -0.1 if known else -6.0

    def _usage(self, prompt: str, written: int) -> dict[str, Any]:
        tokens, start = len(prompt.split()) * 4 // 3, prompt[:200]
        cached = tokens - 5 if start in self.kept and len(start) == 200 else 0
        self.kept.add(start)
        counts = {"prompt_tokens": tokens, "completion_tokens": written}
        if self.fault == "mixed usage":
            counts = {"prompt_tokens": written, "completion_tokens": tokens}
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        return counts if self.fault == "tells no cache" else {**counts, **details}

    def _stream(self, body: dict[str, Any]) -> Step:
        text = body["choices"][0]["message"]["content"]
        of = {name: body[name] for name in ("model", "system_fingerprint")}
        events: list[dict[str, Any]] = [
            {**of, "choices": [{"index": 0, "delta": {"content": f"{word} "}}]}
            for word in text.split()
        ]
        if self.fault != "cut stream":
            events.append({**of, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            events.append({**of, "choices": [], "usage": body.get("usage")})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        end = "" if self.fault == "cut stream" else "data: [DONE]\n\n"
        sent = ("".join(lines) + end).encode()
        return Step(200, sent, {"Content-Type": "text/event-stream"})


def specified(fault: str = "") -> Callable[[Seen], Step]:
    """Return what a server does with each request."""
    return Specified(fault)
