"""What a model has unlearned: the fixed prompts before and after, paired."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.engines.base import Completion, Request
from ladder.evidence import Forgetting, LostPrompt
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.gate.paired import losses_by_chance
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import require_answers
from ladder.inference.prompts import THINKING_TOKENS
from ladder.lifecycle.plain_prompts import DIGEST, PROMPTS, PlainPrompt
from ladder.models.cache import CachedEngine

FORGETTING_MARGIN = 0.15
"""Of the prompts: with forty of them the least that equal models show in 80 of 100 cases, where
they disagree on a tenth."""
ERROR = 0.05
ANSWER_TOKENS = 32


def plain_answers(evaluator: Evaluator, engine: CachedEngine, title: str) -> list[str] | None:
    """Return what a model says to the fixed prompts; None where it follows no instructions.

    Raises:
        NoVerdictError: too many requests failed.
    """
    if not engine.abilities.instructed or engine.abilities.decides:
        return None
    requests = [_request(engine, prompt) for prompt in PROMPTS]
    found: dict[int, Completion] = {}
    with evaluator.watch.step(title, len(requests)) as advance:
        for at, completion in engine.complete(requests):
            found[at] = completion
            advance(len(found))
    completions = [found[at] for at in range(len(requests))]
    require_answers(completions, evaluator.task.gate, title)
    return [completion.text for completion in completions]


def _request(engine: CachedEngine, prompt: PlainPrompt) -> Request:
    limit = THINKING_TOKENS if engine.abilities.thinks else ANSWER_TOKENS
    if engine.abilities.chat:
        return Request(messages=(("user", prompt.text),), max_tokens=limit)
    text = f"Question: {prompt.text}\nAnswer:"
    return Request(text=text, max_tokens=limit, stop=("\n",))


def forgotten(
    before: Sequence[str],
    after: Sequence[str],
    *,
    of_base: bool,
    margin: float = FORGETTING_MARGIN,
    decides: bool = True,
) -> Forgetting:
    """Compare the answers of two models to the fixed prompts. Pure.

    Args:
        before: the champion's, or the base's.
        after: the candidate's.
        of_base: whether `before` is the base's.
        margin: share of the prompts that would be too much to lose.
        decides: whether a release hangs on it.
    """
    known = [prompt.is_right(text) for prompt, text in zip(PROMPTS, before, strict=True)]
    knows = [prompt.is_right(text) for prompt, text in zip(PROMPTS, after, strict=True)]
    check = not_worse_by("forgetting", Pairs(knows, known), margin, ERROR)
    return Forgetting(
        against="base" if of_base else "champion",
        prompts=DIGEST,
        before=sum(known),
        after=sum(knows),
        check=check.but(decides=decides),
        p_worse=losses_by_chance(check.won, check.lost),
        lost=tuple(
            LostPrompt(
                name=prompt.name, skill=prompt.skill, prompt=prompt.text, wanted=prompt.wanted,
                before=before[at], after=after[at],
            )
            for at, prompt in enumerate(PROMPTS)
            if known[at] and not knows[at]
        ),
    )  # fmt: skip
