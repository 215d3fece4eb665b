"""The token counts of a response."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as a response counts them; None: it does not."""

    prompt: int | None = None
    answer: int | None = None
    """All that the model wrote and that is billed, its thoughts included."""
    thoughts: int | None = None

    @property
    def paid(self) -> tuple[int, int]:
        """Tokens of prompt and answer, 0 where they are not counted."""
        return self.prompt or 0, self.answer or 0


def usage_of(told: object) -> Usage:
    """Read the `usage` of a response.

    Most servers count thoughts among `completion_tokens`. xAI and Gemini count them beside, where
    only `total_tokens` holds them; they are paid all the same.
    """
    # No prompt has no tokens: a proxy that fills in zeros has not counted.
    prompt = _count(told, "prompt_tokens", "input_tokens") or None
    answer = _count(told, "completion_tokens", "output_tokens")
    thoughts = _thoughts(told)
    if prompt is None or answer is None:
        return Usage(prompt, answer, thoughts)
    total = _count(told, "total_tokens") or 0
    beside = max(0, total - prompt - answer)
    if not beside and thoughts is not None and thoughts > answer:
        beside = thoughts
    return Usage(prompt, answer + beside, beside or None if thoughts is None else thoughts)


def _thoughts(told: object) -> int | None:
    if not isinstance(told, dict):
        return None
    found = _count(told.get("completion_tokens_details"), "reasoning_tokens")
    return _count(told, "reasoning_tokens") if found is None else found


def _count(told: object, *names: str) -> int | None:
    """Return the first of some fields that holds a whole number."""
    values = [told.get(name) for name in names] if isinstance(told, dict) else []
    whole = (int(each) if type(each) is float and each.is_integer() else each for each in values)
    return next((each for each in whole if type(each) is int and each >= 0), None)
