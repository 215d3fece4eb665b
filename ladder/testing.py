"""Contract tests for those who extend ladder: one call shows that a module fits.

Each raises AssertionError with the sentence that was broken.
"""

from __future__ import annotations

from ladder.engines.base import Engine, Request
from ladder.files import canonical
from ladder.rungs import LADDER
from ladder.rungs.protocol import Bench, Rung
from ladder.scorers.base import ModelScorer, Scorer

ODD_TEXTS = ("", " ", "\n", "{}", "{0}", "%s", "é\u0000\U0001f600", "a" * 10_000)


def check_scorer(scorer: Scorer, right: tuple[str, str], wrong: tuple[str, str]) -> None:
    """Check a scorer on (answer, target) pairs, one right and one wrong, and on odd texts."""
    good, bad = scorer(*right).value, scorer(*wrong).value
    assert good == 1, f"a right answer scores {good}, not 1"
    assert bad < good, f"a wrong answer scores {bad}, not less than a right one"
    for answer in ODD_TEXTS:
        for target in (*ODD_TEXTS, right[1]):
            value = scorer(answer, target).value
            assert 0 <= value <= 1, f"{answer[:9]!r} against {target[:9]!r} scores {value}"
            assert scorer(answer, target).value == value, "the same pair scores differently"


def check_model_scorer(scorer: ModelScorer, good: str, bad: str) -> None:
    """Check a scorer that asks a model, on a reply that praises, one that does not, and odd ones.

    Args:
        scorer: what is checked.
        good: a reply that gives full marks.
        bad: a reply that gives fewer.
    """
    for question, target, answer in (("q", "t", "a"), ("q", "", "a"), ("", "t", "")):
        messages = scorer.messages(question, target, answer)
        assert messages, "nothing is asked"
        roles = {role for role, _ in messages}
        assert roles <= {"system", "user", "assistant"}, f"unknown roles: {sorted(roles)}"
    assert scorer.max_tokens > 0, "a reply may have no tokens"
    best, worse = scorer.read(good), scorer.read(bad)
    assert best, f"{good!r} gives no score"
    assert best.value == 1, f"{good!r} is read as {best}, not as full marks"
    assert worse, f"{bad!r} gives no score"
    assert worse.value < 1, f"{bad!r} is read as {worse}, not as fewer"
    for choice in scorer.choices:
        assert scorer.read(choice) is not None, f"the choice {choice!r} gives no score"
    for reply in ODD_TEXTS:
        found = scorer.read(reply)
        assert found is None or 0 <= found.value <= 1, f"{reply[:9]!r} is read as {found}"


def check_engine(engine: Engine) -> None:
    """Check an engine: every request answered once, tokens counted, nothing empty for an error."""
    assert engine.fingerprint() == engine.fingerprint(), "the fingerprint is not stable"
    canonical(engine.fingerprint())
    assert engine.count_tokens("two words") > 0, "a text has no tokens"
    asked = [f"Say the number {number}." for number in range(3)]
    requests = [
        Request(messages=(("user", text),), max_tokens=8)
        if engine.abilities.chat
        else Request(text=text, max_tokens=8)
        for text in asked
    ]
    answers = list(engine.complete(requests))
    assert sorted(at for at, _ in answers) == [0, 1, 2], "not every request is answered once"
    for at, completion in answers:
        if completion.error is None:
            assert completion.tokens_in > 0, f"request {at} counts no prompt tokens"
            assert completion.seconds > 0, f"request {at} took no time"
        else:
            assert not completion.text, f"request {at} has both an error and an answer"
    assert list(engine.complete([])) == [], "no request gives an answer"
    if engine.abilities.scores_choices:
        choices = ("yes", "no")
        request = Request(text="Is water wet?\nAnswer:", choices=choices)
        _, scored = next(iter(engine.complete([request])))
        assert scored.error or len(scored.choice_logprobs) == len(choices), "choices not scored"


def check_rung(rung: Rung, bench: Bench) -> None:
    """Check a rung on an open climb: its name, and that its first stage gives whole candidates."""
    assert rung.NAME in [each.NAME for each in LADDER], f"{rung.NAME} is not in rungs.LADDER"
    if rung.unavailable(bench) is not None:
        return
    candidates = rung.STAGES[0](bench, None)
    assert candidates, "the first stage is empty although the rung is available"
    for candidate in candidates:
        assert candidate.rung == rung.NAME, "a candidate names another rung"
        assert candidate.description, "a candidate is not described"
        assert type(candidate).model_validate_json(candidate.model_dump_json()) == candidate
