"""A JSON Schema while an answer is decoded: which tokens may come next (llguidance).

The grammar follows the tokens of each answer, so a token that would leave the schema is never
chosen. Property names come in the schema's own order. Answers stay on one line: between the parts
of a value at most one space is allowed, as the model likes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladder.errors import EngineError, MissingExtraError

ONE_LINE = {"whitespace_flexible": True, "whitespace_pattern": " ?"}


def refusal(schema: str) -> str | None:
    """Return why no answer can be held to a schema, or None. Needs no model.

    Raises:
        MissingExtraError: llguidance is not installed.
    """
    library = _llguidance().LLMatcher
    grammar = library.grammar_from_json_schema(_on_one_line(schema))
    refused, messages = library.validate_grammar_with_warnings(grammar)
    return " ".join(str(messages[0]).split()) if refused else None


class Grammars:
    """The grammars of schemas over one tokenizer's vocabulary, each compiled once."""

    def __init__(self, tokenizer: Any, vocabulary: int, ends: Sequence[int]) -> None:
        """Read the vocabulary.

        Args:
            tokenizer: of transformers, a fast one.
            vocabulary: tokens that the model scores, padding included.
            ends: tokens that end an answer.

        Raises:
            MissingExtraError: llguidance is not installed.
        """
        self._library = _llguidance()
        from llguidance.hf import from_tokenizer

        self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(ends))
        self._compiled: dict[tuple[str, bool], Any] = {}

    def start(self, schema: str, *, after_space: bool) -> Any:
        """Return a matcher that stands before the first token of an answer.

        Args:
            schema: JSON Schema as JSON text.
            after_space: the answer begins with a space, as it does in plain text.

        Raises:
            EngineError: the schema cannot be turned into a grammar.
        """
        key = schema, after_space
        if key not in self._compiled:
            library = self._library.LLMatcher
            grammar = library.grammar_from_lark(_grammar(schema, after_space=after_space))
            matcher = library(self._tokenizer, grammar, log_level=0)
            if matcher.is_error():
                why = " ".join(matcher.get_error().split())
                raise EngineError(f"no answer can be held to this schema: {why}")
            self._compiled[key] = matcher
        return self._compiled[key].deep_copy()


def allowed(matcher: Any) -> NDArray[np.bool_]:
    """Return for each token of the vocabulary whether it may come next."""
    bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little").astype(np.bool_)


def _grammar(schema: str, *, after_space: bool) -> str:
    lead = '" " ' if after_space else ""
    return f"start: {lead}answer\nanswer: %json {_on_one_line(schema)}"


def _on_one_line(schema: str) -> str:
    return json.dumps({**json.loads(schema), "x-guidance": ONE_LINE})


def _llguidance() -> Any:
    try:
        import llguidance
    except ImportError:
        raise MissingExtraError("llguidance", 'pip install "escalation-ladder[local]"') from None
    return llguidance
