"""The first screen of a report: the answer in a few words, how sure, what it costs, what is next.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ladder.economy.cost import usd_per_month
from ladder.evidence import Assessment, Attempt, Estimate, Measurement, Recommendation
from ladder.figures import Mark
from ladder.report.causes import diagnosis_sentence
from ladder.report.control import control_leads, control_sentence, shown_line, take_control
from ladder.report.cost import built_words, month_sum
from ladder.report.effort import in_all_of
from ladder.report.isolation import isolation_line
from ladder.report.reasons import advice_lines, attempt_reason, why_withheld
from ladder.report.summary import answer_sentence, price_words, usd
from ladder.task import RUNGS, RungName
from ladder.wording import span

CONFIRMED = {
    "pass": "confirmed",
    "fail": "not confirmed",
    "undecided": "neither confirmed nor refuted",
    "none": "not confirmed: too many requests failed",
}
LONGEST_NOTE = 320
"""Characters on a step of the ladder."""


@dataclass(frozen=True)
class Fact:
    """One figure of the first screen."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class NextCheck:
    """When the answer is measured again, by its plan."""

    day: str
    """ISO 8601."""
    every_days: int
    triggers: tuple[str, ...] = ()
    """What calls for a check before that day."""


State = Literal["passed", "failed", "undecided", "skipped", "no verdict", "reference", "left"]
"""Of a step: as of an attempt; `reference`: the control; `left`: not climbed to."""


@dataclass(frozen=True)
class Step:
    """One step of the ladder as it is drawn."""

    name: str
    state: State
    word: str
    score: str
    note: str
    chosen: bool = False
    of: str = ""
    """The set that the score is of, and its size."""
    more: bool = False
    """The note is the beginning of one that is too long: the whole stands by the rung."""


def verdict_words(a: Assessment) -> str:
    """Return the answer to `Do we need to fine-tune?` in a few words."""
    found = a.recommendation
    if found.withheld:
        return "No verdict"
    unsure = _unsure(found)
    if found.control:
        return f"No training, and no language model{unsure}"
    if found.rung is None:
        return "Nothing measured so far passes" if found.not_measured else "Nothing here passes"
    leans = ", by the estimate" if found.leans_to_pass else ""
    way = next((way.name for way in found.training_methods if way.chosen), None)
    said = f"{found.rung} passes{leans}"
    if way is not None:
        said = f"No training: {said}" if way == "none" else f"Train{leans}: {way}"
    return f"{said}{unsure}"


def _unsure(found: Recommendation) -> str:
    """Say that the held-out test set leaves an answer open; nothing where it confirms it."""
    if found.confirmed_verdict != "undecided":
        return ""
    return ", but the held-out test set neither confirms nor refutes it"


def answer_words(a: Assessment) -> str:
    """Return the sentence under those words: the answer, or why there is none."""
    found = a.recommendation
    if found.withheld:
        why = why_withheld(a)
        return f"{why[:1].upper()}{why[1:]}"
    if found.rung is None and not found.control and not found.confirmed:
        advice = next(advice_lines(found, a.attempts), None) or answer_sentence(a)
        return f"{advice} {control_sentence(a)}" if control_leads(a) else advice
    return answer_sentence(a)


def stands(a: Assessment) -> bool:
    """Tell whether there is an answer to act on: a rung, or the control."""
    found = a.recommendation
    return not found.withheld and (found.control or found.rung is not None)


def facts(a: Assessment, check: NextCheck | None) -> Iterator[Fact]:
    """Yield the figures of the first screen; one that the run has not measured is left out.

    Args:
        a: the assessment.
        check: the next one; None: there is no plan.
    """
    yield from _how_sure(a)
    yield from _costs(a)
    if stands(a):
        yield from _saved(a)
    if a.isolation:
        held, line = a.isolation.had_no_route, isolation_line(a.isolation)
        said = line.partition(": ")[2].partition(" (")[0] if held else line
        yield Fact("Network", "no route" if held else "a way out", said)
    if check:
        yield Fact("Next check", check.day, f"and every {check.every_days} days")
    elif not stands(a):
        yield Fact("Next check", "none planned", "nothing is certified that could be checked")


def _how_sure(a: Assessment) -> Iterator[Fact]:
    found, gate = a.recommendation, f"the gate asks for {a.task.gate['min_score'] or 0:g}"
    sure = f"in brackets the {100 * float(a.task.gate['confidence'] or 0.95):g} % interval"
    if found.confirmed:
        word = CONFIRMED.get(found.confirmed_verdict or "", "measured")
        note = (
            f"held-out test set, n = {found.confirmed.n}: {word}; {_on_eval_set(a)}{gate}; {sure}"
        )
        if found.openings > 1:
            note += f"; they have been used for {found.openings} systems so far"
        yield Fact("Score, how sure", span(found.confirmed), note)
        return
    best = _best_measured(a)
    if best and best.measurement:
        score = best.measurement.score
        if score.n:
            note = f"eval set, n = {score.n}: {best.rung}, the best rung measured; {gate}; {sure}"
            yield Fact("Score, how sure", span(score), note)


def _best_measured(a: Assessment) -> Attempt | None:
    measured = [(x.measurement.score.mean, x) for x in a.attempts if x.measurement]
    return max(measured, key=lambda each: each[0])[1] if measured else None


def _on_eval_set(a: Assessment) -> str:
    """Say what was measured before the held-out test set was read: another set, another figure."""
    score = None
    if a.recommendation.control and a.control:
        score = a.control.judged_line.score
    tested = a.recommendation.tested or a.recommendation.rung
    for attempt in a.attempts:
        if attempt.rung == tested and attempt.measurement:
            score = attempt.measurement.score
    return f"eval set, n = {score.n}: {span(score)}; " if score else ""


def _costs(a: Assessment) -> Iterator[Fact]:
    cost = a.recommendation.cost
    per_1k = cost.get("usd_per_1k")
    if per_1k is not None:
        month, requests = cost["usd_per_month"] or 0.0, cost["requests_per_month"] or 0.0
        told = f"at {requests:,.0f} requests: {month_sum(a)}"
        yield Fact("A month", f"{month:,.2f} USD", told)
        yield Fact("Per 1,000", f"{usd(per_1k)} USD", built_words(cost["build_usd"]))
    elif a.recommendation.control and a.control:
        line = a.control.judged_line
        yield Fact("Per 1,000", f"{usd(line.cost_usd_per_1k)} USD", "nothing to build")
    elif (one := a.chosen or _best_measured(a)) and one.measurement:
        yield from _cost_of(one, one.measurement)


def _cost_of(attempt: Attempt, measured: Measurement) -> Iterator[Fact]:
    """Yield what a rung costs that is no answer, or that it is not known, and why."""
    basis, cost = measured.cost_basis, measured.cost_usd_per_1k
    said = f"{attempt.rung}: {price_words(basis)}" if basis else attempt.rung
    if cost is None:
        said += "; `prices:` in the task names them" if basis and basis.kind == "no prices" else ""
        yield Fact("Per 1,000", "not known", said)
        return
    if basis and basis.requests_per_month:
        month = usd_per_month(cost, basis.requests_per_month)
        yield Fact("A month", f"{month:,.2f} USD", said)
        said = attempt.rung
    yield Fact("Per 1,000", f"{usd(cost)} USD", said)


def _saved(a: Assessment) -> Iterator[Fact]:
    made, plan = in_all_of(a.effort).tokens, a.effort.plans.get("every rung")
    avoided = a.effort.training_avoided
    untrained = f"not trained: {', '.join(avoided)}" if avoided else ""
    percent = round(100 * (1 - made / plan.tokens)) if made and plan and plan.tokens else 0
    if plan and percent > 0:
        least = f"{made:,} instead of {plan.tokens:,} or more for every rung"
        note = f"{least}; {untrained}" if untrained else least
        yield Fact("Saved", f"{percent} % of tokens", note)
    elif avoided:
        yield Fact("Not trained", ", ".join(avoided), "the answer came before them")


def steps(a: Assessment) -> Iterator[Step]:
    """Yield the steps of the ladder, lowest first: the control, the rungs, what was left out."""
    found = a.recommendation
    if line := shown_line(a):
        state: State = "passed" if found.control else "reference"
        word = "passes" if found.control else "reference"
        of = _eval_set(line.score)
        yield Step("control", state, word, span(line.score), line.name, found.control, of)
    made = {x.rung: _step(x, a.attempts, x.rung == found.rung) for x in a.attempts}
    for rung in (*RUNGS, *(rung for rung in made if rung not in RUNGS)):
        yield made.get(rung) or Step(rung, "left", "not climbed", "", _why_left(a, rung))


def _step(attempt: Attempt, attempts: Sequence[Attempt], chosen: bool) -> Step:
    m, candidate = attempt.measurement, attempt.candidate
    word: str = attempt.status
    if attempt.status == "undecided" and attempt.verdict:
        word = "leans to pass" if attempt.verdict.leans_to_pass else "leans to fail"
    note = diagnosis_sentence(attempt) or attempt_reason(attempt, attempts)
    if chosen and candidate is not None:
        note = candidate.description
    score, of = (span(m.score), _eval_set(m.score)) if m else ("", "")
    short = _short(note)
    return Step(attempt.rung, attempt.status, word, score, short, chosen, of, short != note)


def _eval_set(score: Estimate) -> str:
    return f"eval set, n = {score.n}" if score.n else ""


def _short(note: str) -> str:
    """Return a note as a step has room for it: all of it, but for an error of many words."""
    if len(note) <= LONGEST_NOTE:
        return note
    return f"{note[:LONGEST_NOTE].rpartition(' ')[0] or note[:LONGEST_NOTE]} …"


def _why_left(a: Assessment, rung: RungName) -> str:
    found = a.recommendation
    if a.task.rungs and rung not in a.task.rungs:
        return "left out by `rungs:`"
    if a.stopped:
        return "the run ended before it"
    if rung in found.not_measured:
        return "left out by `rungs:` or `--until`"
    answer = "control" if found.control else found.rung
    holds = "leans to pass" if found.leans_to_pass else "passes"
    return f"not needed: {answer} {holds}" if answer else ""


def mark_of(step: Step) -> Mark:
    """Return how a step's figures are marked in a picture."""
    marks: dict[str, Mark] = {"passed": "good", "failed": "bad", "reference": "reference"}
    return "chosen" if step.chosen else marks.get(step.state, "open")


def but_words(a: Assessment) -> str:
    """Return what speaks for another answer; nothing where nothing does."""
    instead = take_control(a)
    return f"But {instead}" if instead else ""
