"""One greeting to an endpoint, before anything is spent on it: what answers there, and how."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from ladder.engines.base import CUT_BEFORE_TEXT, Completion, Request
from ladder.engines.endpoint.access import address_of, client_options
from ladder.engines.endpoint.engine import GREETING, EndpointEngine
from ladder.engines.endpoint.listing import entries_of, got, names_of
from ladder.engines.endpoint.wire import Wire
from ladder.errors import EngineError
from ladder.wording import harmless

CONTEXT_FIELDS = (
    "n_ctx",  # llama.cpp: of one slot
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio
    "context_window",  # Groq
    "context_length",  # OpenRouter, Together, Ollama
    "max_context_length",  # Mistral
    "n_ctx_train",  # llama.cpp, where nothing is loaded
)
"""Where servers tell how many tokens fit into prompt and answer, the surest first."""
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Probe:
    """What a greeting brought to light."""

    answer: Completion
    """With the error, where none came."""
    listed: tuple[str, ...] = ()
    """The models that the server lists; empty: it lists none."""
    context: int | None = None
    """Tokens that fit into prompt and answer together, as the server tells."""
    negotiated: tuple[str, ...] = ()
    """What it refuses of how requests are put, and what is sent instead."""
    typed: bool = False
    """It was greeted with a typed question."""

    @property
    def there(self) -> bool:
        """Whether the model answers, if only with thoughts for which the greeting has no room."""
        cut = self.answer.kind == CUT_BEFORE_TEXT
        return self.answer.error is None or cut or self.has_own_labels

    @property
    def has_own_labels(self) -> bool:
        """Whether it refuses a typed question for its options: it was made for others."""
        return self.typed and self.answer.kind == "HTTP 422"


def probe(
    model: str,
    base_url: str,
    timeout_s: float,
    *,
    wire: Wire | None = None,
    greeting: Request = GREETING,
) -> Probe:
    """Greet a model, and ask its server what it lists.

    The greeting costs some 40 tokens. A server that lists nothing, or is not there, is no error.

    Args:
        model: the name that the endpoint knows the model by.
        base_url: of the endpoint.
        timeout_s: of each request.
        wire: the form of requests and answers; default: OpenAI's chats.
        greeting: what is asked.

    Raises:
        EngineError: the URL is not one of an endpoint, or its key cannot be sent.
    """
    engine = EndpointEngine(
        model, base_url, concurrency=1, timeout_s=timeout_s, attempts=1, wire=wire
    )
    address = address_of(model, base_url)
    options = client_options(address, address.headers(), timeout_s)
    answer = _greeted(engine, greeting)
    if answer.kind == "no connection":
        return Probe(answer)
    with httpx.Client(**options) as client:
        entries = entries_of(got(client, address.beside("models")), "data", "models")
        listed = {name: entry for entry in entries for name in names_of(entry)}
        entry = listed.get(model, entries[0] if len(entries) == 1 else {})
        context = _context(entry)
        if context is None and entry.get("owned_by") == "library":  # Ollama
            loaded = entries_of(got(client, address.at_root("/api/ps")), "models")
            running = [each for each in loaded if model in names_of(each)]
            context = _context(running[0]) if running else None
    negotiated = tuple(engine.negotiated.values())
    return Probe(answer, tuple(listed), context, negotiated, typed=bool(greeting.choices))


def said(found: Probe, model: str) -> str:
    """Say on one line what a probe has found."""
    answer, parts = found.answer, []
    if found.has_own_labels:
        parts.append(f"it is there, and knows labels of its own alone: {answer.error}")
    elif found.there:
        tokens = f"{answer.tokens_in} + {answer.tokens_out} tokens"
        parts.append(f"answered a greeting in {answer.seconds:.1f} s ({tokens})")
        if answer.kind == CUT_BEFORE_TEXT:
            parts.append("it thinks first: all of these were used before its answer began")
        elif answer.greedy_choice is not None:
            known = "a" if answer.choice_logprobs else "no"
            parts.append(f"it tells {known} probability for each option")
        elif answer.thought_tokens:
            parts.append(f"it thinks first ({answer.thought_tokens} of these)")
    else:
        parts.append(f"no answer to a greeting: {answer.error}")
        parts += _others(found.listed, model)
    if found.context:
        parts.append(f"context of {found.context:,} tokens")
    return "; ".join([*parts, *found.negotiated])


def _greeted(engine: EndpointEngine, greeting: Request) -> Completion:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in the probe
        try:
            [(_, answer)] = engine.complete([greeting])
        except EngineError as error:
            return Completion(error=str(error), kind="refused")
    return answer


def _others(listed: Sequence[str], model: str) -> Iterator[str]:
    """Say which models there are, where this is none of them."""
    if listed and model not in listed:
        near = difflib.get_close_matches(model, listed, NAMES_SHOWN, 0.0)
        more = f" and {len(listed) - len(near)} more" if len(listed) > len(near) else ""
        yield f"it lists {', '.join(harmless(name, 80) for name in near)}{more}"


def _context(entry: Mapping[str, Any]) -> int | None:
    about = entry.get("meta")
    places = (about if isinstance(about, dict) else {}, entry)
    told = (place.get(name) for name in CONTEXT_FIELDS for place in places)
    return next((each for each in told if type(each) is int and each > 0), None)
