"""Is the model behind an endpoint the one that was certified? The cheapest probe it allows.

First-token log-probabilities where the endpoint tells them (the idea of Log Probability Tracking,
arXiv 2512.03816); of one that decides, those of the task's labels. Else border inputs: one-token
prompts whose answer at temperature 0 is not always the same, since two answers are nearly as likely
(the idea of B3IT, arXiv 2602.11083). Else the outputs on eval prompts (Model Equality Testing,
arXiv 2410.20247).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ladder.engines.base import Completion, Engine, Request
from ladder.errors import GO_ON, NoVerdictError
from ladder.evidence import Asked, ProbeLook, ProbeName, ProbeReference, Samples, Shift
from ladder.gate.paired import holm
from ladder.gate.repeats import Distance, logprob_distance, text_distance
from ladder.lifecycle.probe_prompts import (
    as_record,
    one_token,
    request_of,
    told_labels,
    told_tokens,
)
from ladder.models.models import Models
from ladder.progress import Watch
from ladder.task import ModelRef

TOP = 5
"""Tokens that are asked for: more are refused by some."""
SCANNED = 300
"""Prompts among which border inputs are looked for."""
SCANS = 3
FEWEST_BORDERS, MOST_BORDERS = 5, 20
OUTPUTS = 20
"""Eval prompts."""
MOST_TOKENS = 48
"""Of an output: a longer one tells little more."""
TRAILING = 7
"""Looks of late that the next one is set beside."""
MOST_FAILED = 0.2


@dataclass(frozen=True)
class Kind:
    """How often a probe asks each prompt, and what it alarms from."""

    for_reference: int
    for_look: int
    least: float
    """Smaller effects are no alarm, however sure they are."""
    distance: Callable[[Any, Any, float], Distance]


KINDS: dict[ProbeName, Kind] = {
    "log-probabilities": Kind(16, 4, 0.05, logprob_distance),
    "border inputs": Kind(40, 8, 0.02, text_distance),
    "outputs": Kind(8, 2, 0.02, text_distance),
}


@dataclass(frozen=True)
class Asking:
    """An endpoint, and what was asked of it so far."""

    models: Models
    model: ModelRef
    engine: Engine
    watch: Watch

    @property
    def asked(self) -> Asked:
        """Calls, tokens and money of this probe."""
        return self.models.asked

    def ask(self, requests: Sequence[Request], times: int, title: str) -> list[list[Completion]]:
        """Return prompt -> completions; the prompts are gone through so many times.

        What failed for the endpoint's sake is left out.

        Raises:
            NoVerdictError: too much failed.
            SpendLimitError: the limit is reached.
        """
        found: list[list[Completion]] = [[] for _ in requests]
        every = [*requests] * times
        with self.watch.step(title, len(every)) as advance, self.models.asking("greeting"):
            for done, (at, completion) in enumerate(self.engine.complete(every), start=1):
                self.models.count(self.model, completion)
                if completion.error is None or completion.is_own_fault:
                    found[at % len(requests)].append(completion)
                advance(done)
        if sum(map(len, found)) < (1 - MOST_FAILED) * len(every):
            raise NoVerdictError(
                f"No verdict: {len(every) - sum(map(len, found)):,} of {len(every):,} requests "
                f"failed. This does not count as a look. {GO_ON}"
            )
        return found


def take_reference(
    asking: Asking, at: str, labels: Sequence[str], outputs: Callable[[], Sequence[Request]]
) -> ProbeReference:
    """Find the cheapest probe that an endpoint allows, and ask it often enough to compare with.

    Args:
        asking: the endpoint.
        at: now.
        labels: of the task, where the endpoint does nothing but decide between them.
        outputs: the certified system's requests for eval examples. It refuses where the examples
            may not be sent; it is called where no probe of our own texts is to be had.
    """
    name, requests = _cheapest(asking, labels, outputs)
    times = KINDS[name].for_reference
    answers = asking.ask(requests, times, f"taking a reference: {name}")
    return ProbeReference(
        at=at,
        model=asking.model.label,
        probe=name,
        requests=tuple(as_record(each) for each in requests),
        samples=_samples(name, requests, answers),
        **_paid(asking),
    )


def _cheapest(
    asking: Asking, labels: Sequence[str], outputs: Callable[[], Sequence[Request]]
) -> tuple[ProbeName, list[Request]]:
    """Return the cheapest probe that there is, and its requests."""
    if requests := _weighed(asking, labels) if labels else _told(asking):
        return "log-probabilities", requests
    if not labels and (requests := _borders(asking)):
        return "border inputs", requests
    shorter = (replace(each, max_tokens=min(each.max_tokens, MOST_TOKENS)) for each in outputs())
    return "outputs", list(shorter)[:OUTPUTS]


def _told(asking: Asking) -> list[Request]:
    """Return requests for first tokens, where the endpoint tells them."""
    requests = told_tokens(TOP)
    [[*said]] = asking.ask(requests[:1], 1, "asking for log-probabilities")
    return requests if said and len(said[0].first_logprobs) > 1 else []


def _weighed(asking: Asking, labels: Sequence[str]) -> list[Request]:
    """Return requests for a label that are answered with the probability of each."""
    requests = told_labels(labels)
    answers = asking.ask(requests, 1, "asking for probabilities of labels")
    pairs = zip(requests, answers, strict=True)
    return [asked for asked, said in pairs if said and len(said[0].choice_logprobs) > 1]


def _borders(asking: Asking) -> list[Request]:
    """Return the prompts whose one-token answer changes most from time to time."""
    requests = list(one_token(SCANNED))
    answers = asking.ask(requests, SCANS, "looking for border inputs")
    shares = [_commonest([_text(each) for each in said]) for said in answers]
    order = sorted(range(len(requests)), key=lambda at: shares[at])
    found = [requests[at] for at in order if shares[at] < 1][:MOST_BORDERS]
    return found if len(found) >= FEWEST_BORDERS else []


def _commonest(texts: Sequence[str]) -> float:
    """Return the share of the commonest answer."""
    return max(Counter(texts).values(), default=1) / max(1, len(texts))


def look_again(asking: Asking, reference: ProbeReference) -> Samples:
    """Ask what the reference was asked.

    Raises:
        NoVerdictError: too much failed, or the endpoint tells no log-probabilities any more.
    """
    requests = [request_of(each) for each in reference.requests]
    times = KINDS[reference.probe].for_look
    answers = asking.ask(requests, times, f"probing: {reference.probe}")
    samples = _samples(reference.probe, requests, answers)
    if sum(map(len, samples)) < (1 - MOST_FAILED) * sum(map(len, answers)):
        raise NoVerdictError(
            f"No verdict: {asking.model.label} tells no log-probabilities any more, which the "
            "reference has: another server answers, or it is set up otherwise. This does not count "
            "as a look. Measure the answer itself: ladder revalidate PLAN"
        )
    return samples


def compare(
    reference: ProbeReference, before: Sequence[ProbeLook], now: Samples, error: float
) -> tuple[Shift, ...]:
    """Set what a model answers now beside the frozen reference, and beside the looks of late.

    An alarm needs an effect of a size and a p-value within what the look may spend (Holm over
    both). Pure.

    Args:
        reference: taken at the certification.
        before: the looks so far, the oldest first.
        now: the answers of this look.
        error: that the look may spend.
    """
    kind = KINDS[reference.probe]
    sides: dict[str, Samples] = {"frozen": reference.samples}
    late = [
        look.samples
        for look in before
        if len(look.samples) == len(now) and look.reference == reference.at
    ][-TRAILING:]
    if late:
        sides["trailing"] = tuple(
            tuple(each for look in late for each in look[at]) for at in range(len(now))
        )
    found = {name: kind.distance(side, now, error / len(sides)) for name, side in sides.items()}
    adjusted = holm([each.p for each in found.values()])
    return tuple(
        Shift(
            name=name,
            effect=each.effect,
            least=kind.least,
            p=each.p,
            p_holm=p,
            alarms=each.effect >= kind.least and p <= error,
        )
        for (name, each), p in zip(found.items(), adjusted, strict=True)
    )


def _samples(
    name: ProbeName, requests: Sequence[Request], answers: Sequence[Sequence[Completion]]
) -> Samples:
    """Return what was observed; an answer that tells no log-probabilities is no draw of any."""
    if name != "log-probabilities":
        return tuple(tuple(map(_text, said)) for said in answers)
    pairs = zip(requests, answers, strict=True)
    told = (tuple(_logprobs(asked, each) for each in said) for asked, said in pairs)
    return tuple(tuple(each for each in said if each) for said in told)


def _logprobs(asked: Request, answer: Completion) -> dict[str, float]:
    """Return token or label -> log-probability; empty: the answer tells none."""
    labels = zip(asked.choices, answer.choice_logprobs, strict=bool(answer.choice_logprobs))
    return {name: round(value, 4) for name, value in (*answer.first_logprobs, *labels)}


def _text(answer: Completion) -> str:
    """Return an answer; of none the kind of error, which is a way to answer too."""
    return answer.text if answer.error is None else f"<{answer.kind}>"


def _paid(asking: Asking) -> dict[str, Any]:
    asked = asking.asked
    return {"calls": asked.calls, "tokens": asked.tokens, "usd": asked.usd}
