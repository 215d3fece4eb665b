"""brief.md and brief.html: one page for the meeting in which somebody decides.

From records whose texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ladder.evidence import Assessment
from ladder.report.blocks import Block, Bullets, Code, Heading, Quote, Said, Strong, say, tabled
from ladder.report.causes import miss_sentence
from ladder.report.control import control_sentence, replaced_by_control, take_control
from ladder.report.headline import NextCheck, facts, verdict_words
from ladder.report.markdown import markdown
from ladder.report.outlook import capital, changes_of_mind, next_words
from ladder.report.page import NO_SAMPLES, made_from
from ladder.report.reasons import attempt_reason
from ladder.report.summary import answer_sentence
from ladder.report.texts import each_text
from ladder.report.training import method_reason
from ladder.rungs import trains
from ladder.samples.describe import provable
from ladder.task import RungName
from ladder.wording import MOST_SAID, duration, harmless, in_markdown, span

BRIEF = "brief.html"
"""In the folder of a run; the same as Markdown beside it."""
Done = Literal["done", "left", "not needed"]


@dataclass(frozen=True)
class Work:
    """One of the six steps from a question to a system that is kept alive."""

    name: str
    done: Done
    evidence: str


def as_brief(assessment: Assessment, check: NextCheck | None) -> str:
    """Return the brief as Markdown; every text of the record is escaped here.

    Args:
        assessment: as it was read.
        check: the next one; None: there is no plan.
    """
    return markdown(brief_blocks(each_text(assessment, in_markdown), check))


def as_brief_page(assessment: Assessment, check: NextCheck | None) -> str:
    """Return the brief as a page that needs no other file; the template escapes every text."""
    a = each_text(assessment, partial(harmless, most=MOST_SAID))
    return made_from("brief.html", a=a, blocks=tuple(brief_blocks(a, check)), samples=NO_SAMPLES)


def brief_blocks(a: Assessment, check: NextCheck | None) -> Iterator[Block]:
    """Yield the brief.

    Args:
        a: the assessment, its texts escaped.
        check: the next one; None: there is no plan.
    """
    yield Heading(1, a.task.name)
    yield Quote(a.task.goal)
    yield say((Strong(f"{verdict_words(a)}."), f" {capital(answer_sentence(a))}"))
    if instead := take_control(a):
        yield say((Strong(f"But {instead}"),))
    elif a.control and not a.recommendation.control:
        yield say(control_sentence(a))
    figures = (((Strong(fact.name),), fact.value, fact.note) for fact in facts(a, check))
    yield tabled(("figure", "value", "of what"), *figures)
    if a.chosen and (missed := miss_sentence(a.chosen)):
        yield say(missed)
    yield Heading(2, "The pattern")
    yield say(pattern(a), where_it_runs(a))
    if ways := tuple(_techniques(a)):
        yield Heading(2, "The technique")
        yield Bullets(ways)
    yield Heading(2, "The work")
    yield tabled(
        ("step", "state", "evidence"), *((w.name, w.done, w.evidence) for w in work(a, check))
    )
    yield Heading(2, "What would change this answer")
    yield Bullets(tuple(changes_of_mind(a)))
    yield Heading(2, "Next")
    yield say(*_next(a, check))


def pattern(a: Assessment) -> str:
    """Name what is put into production."""
    found = a.recommendation
    if found.withheld:
        return "None yet: there is no verdict."
    if found.control or replaced_by_control(a):
        return "No language model: a search or a linear classifier over your own examples."
    if found.rung is None:
        return "None: nothing that was measured is ready for production."
    if trains().get(found.rung) == "base":
        return (
            "A model of your own for this one task (task SLM): an adapter on a small base, trained "
            "on your examples. It has to be trained anew when its base is replaced."
        )
    if _trains(found.rung):
        return (
            "Distillation: a small student in the place of the best measured system. It has to be "
            "taught anew when that system or the task changes."
        )
    reads = found.deployment.get("reads")
    with_what = "that reads what a search finds" if reads else "and a prompt"
    return f"A base model {with_what}: nothing is trained, so nothing has to be retrained."


def where_it_runs(a: Assessment) -> str:
    """Say whether the answer's data leaves the machines that run it."""
    chosen = a.chosen
    if chosen is None or chosen.candidate is None or chosen.measurement is None:
        return ""
    machine = chosen.measurement.cost_basis
    if machine is not None and machine.kind == "machine":
        return (
            "It runs on machines of your own, so weights, documents and requests can stay there, "
            "which is what a sovereign lifecycle asks for; so does its next measurement."
        )
    return (
        f"Every request goes to {a.task.base}: what happens when that model ends is yours to plan."
    )


def work(a: Assessment, check: NextCheck | None) -> Iterator[Work]:
    """Yield the six steps of the work, with what is done and what is left."""
    yield _gate_step(a)
    yield _data_step(a)
    yield _baseline_step(a)
    yield _training_step(a)
    yield _proof_step(a)
    yield _operation_step(a, check)


def _gate_step(a: Assessment) -> Work:
    name, asked = "1 task and gate", f"a score of {a.task.gate['min_score'] or 0:g}"
    rows = f"{a.data.gate:,} eval examples"
    if a.data.detectable is None:
        return Work(name, "left", f"{asked}; {rows} cannot prove it: label more")
    told = f"{asked}; {rows} can prove it to a system with a true score of {provable(a.data)}"
    return Work(name, "done", told)


def _data_step(a: Assessment) -> Work:
    found = a.data
    checked = f"{found.train:,} training examples, {found.duplicates:,} near-duplicates set aside"
    wrong = [
        f"{len(found.contaminated)} held-out examples repeat training examples"
        if found.contaminated
        else "",
        f"{found.contradicting:,} examples contradict an earlier one"
        if found.contradicting
        else "",
    ]
    faults = "; ".join(filter(None, wrong))
    told = f"{checked}; {faults}: look at them" if faults else checked
    return Work("2 examples", "left" if faults else "done", told)


def _baseline_step(a: Assessment) -> Work:
    said = []
    if a.control and a.control.best.score.n:
        said.append(f"without a model {a.control.best.score.mean:.2f}")
    untrained = [x for x in a.attempts if not _trains(x.rung) and x.measurement]
    said += [f"{x.rung} {x.measurement.score.mean:.2f}" for x in untrained if x.measurement]
    enough = bool(untrained) or a.recommendation.control
    return Work("3 baselines", "done" if enough else "left", ", ".join(said) or "not measured")


def _training_step(a: Assessment) -> Work:
    name, found = "4 training", a.recommendation
    trained = [x for x in a.attempts if _trains(x.rung) and x.measurement]
    if trained:
        measured = [(x.rung, x.measurement) for x in trained if x.measurement]
        said = (f"{r} {span(m.score)}, built in {duration(m.build.seconds)}" for r, m in measured)
        return Work(name, "done", "; ".join(said))
    if found.control or found.rung:
        return Work(name, "not needed", f"{found.rung or 'the control'} holds the gate without it")
    refused = [x for x in a.attempts if _trains(x.rung) and x.refused_after]
    if refused:
        return Work(name, "not needed", attempt_reason(refused[0], a.attempts))
    return Work(name, "left", "not measured")


def _proof_step(a: Assessment) -> Work:
    name, found = "5 proof", a.recommendation
    score = found.confirmed
    if score is None:
        return Work(name, "left", "the held-out test set is unread")
    often = f"used for {found.openings} systems so far" if found.openings > 1 else "used once"
    once = f"{span(score)} on {score.n:,} held-out test examples, {often}"
    if found.confirmed_verdict == "pass":
        return Work(name, "done", once)
    word = "not confirmed" if found.confirmed_verdict == "fail" else "neither confirmed nor refuted"
    return Work(name, "left", f"{word}: {once}")


def _operation_step(a: Assessment, check: NextCheck | None) -> Work:
    name = "6 operation"
    if not a.plan:
        return Work(name, "left", "no plan: there is nothing to keep alive yet")
    when = f", the first on {check.day}" if check else ""
    told = f"the checks are planned{when}; left: put them into a scheduler, deploy, and watch"
    return Work(name, "left", told)


def _techniques(a: Assessment) -> Iterator[Said]:
    """Yield the chosen way of training, and what speaks for or against those of the ladder."""
    ways = a.recommendation.training_methods
    for way in sorted(ways, key=lambda each: not each.chosen):
        if way.chosen or way.name == "none" or _trains(way.name):
            reason = method_reason(way, a.attempts, a.task.scorer)
            chosen = " (chosen)" if way.chosen and a.chosen else ""
            yield (Strong(f"{way.name}{chosen}"), f": {reason}")


def _next(a: Assessment, check: NextCheck | None) -> Iterator[Said]:
    if a.plan:
        when = f"On {check.day}, and every {check.every_days} days: " if check else ""
        yield (when, Code(f"ladder revalidate {a.plan}"), ".")
    else:
        yield next_words(a)
    yield f"Measured on {a.created[:10]}; the whole evidence stands in the report beside this page."


def _trains(rung: RungName) -> bool:
    return trains().get(rung, "nothing") != "nothing"
