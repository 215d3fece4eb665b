"""What a reader with Annex IV in hand would still ask of a run: read off its record."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ladder.audit.pack.certified import certified, slices
from ladder.audit.pack.mapping import (
    EXAMPLES,
    FREEZE,
    HEADS,
    ISOLATION,
    LEDGER,
    MONITORING,
    PROVENANCE,
    RECIPE,
    SIGNATURES,
    TASK,
    map_points,
)
from ladder.evidence import Assessment

FEW = 59
"""Rows of a slice below which even no miss at all leaves a true score of 0.95 unshown (95 %)."""
ALWAYS = (
    "Is the system high-risk, and under which point of Annex III or which act of Annex I? If it is "
    "not, Annex IV does not bind it. The record knows a task, not its use.",
    "What becomes of a wrong answer in use: who notices it, who may overrule it, and what is done?",
    "Beyond Annex IV: who keeps the quality management system (Art. 17), how is "
    "conformity assessed (Art. 43), and who is told that they deal with an AI system (Art. 50(1))?",
    "Are the rows a fair sample of what the system will meet? They were taken as they were given.",
    "Which answers are valid, and what catches one that is none before it is used (Annex IV 2(b))? "
    "The run scored answers as they were given.",
    "Is what is in service what was measured: model, adapter, prompt, decoding and settings as "
    "run/assessment.json names them of the candidate, and on which machine? Latency and cost are "
    "of the one that was measured.",
    "How was the tool validated that trained, measured and wrote this, and by whom? It is one "
    "program, and its version is all that the pack says of it.",
    "How does it answer to misuse, to other languages and to broken input? The run measured "
    "accuracy, latency and cost on one set of rows, not robustness.",
    "How does a notified body get at the rows, and at the trained model (Annex VII 4.3 and 4.5)? "
    "The pack has their digests alone.",
)


def questions(a: Assessment, present: Collection[str]) -> tuple[str, ...]:
    """Return the questions, those of this run first.

    Args:
        a: the run.
        present: names of the files that the pack holds.
    """
    return (
        *_of_answer(a),
        *_of_trust(a, present),
        *_of_data(a),
        *_of_limits(a),
        *_of_files(a, present),
        *ALWAYS,
        *_of_persons(present),
    )


def _of_answer(a: Assessment) -> Iterator[str]:
    found = certified(a)
    if found is None:
        yield "Which system is it? This run certifies none, so there is no accuracy to declare."
        return
    if found.verdict != "pass":
        yield (
            f"Is the gate held? {found.score.n:,} held-out test examples neither prove nor refute "
            "it: label more."
        )
    if a.recommendation.openings > 1:
        yield (
            f"How often was the test set looked at? {a.recommendation.openings:,} systems were "
            "measured on it by now, and the best of several looks better than it is."
        )
    yield from _of_control(a)
    groups = slices(a.chosen)
    if not groups:
        yield (
            "How accurate is it for which group (Annex IV 3)? The rows carry no kind: add a column "
            "`stratum` and assess again."
        )
    few = [name for name, one in groups.items() if one.n < FEW]
    if few:
        yield f"What holds for {', '.join(few)}? Each has fewer than {FEW} eval examples."


def _of_control(a: Assessment) -> Iterator[str]:
    found = a.chosen.over_control if a.chosen else None
    if found is None or found.claim == "better" or a.control is None:
        return
    best = a.control.best
    yield (
        f"Why a language model? {a.recommendation.rung} is not proven better than {best.name}, "
        f"which needs none and scores {best.score.mean:.2f} (Annex IV 2(b))."
    )


def _of_trust(a: Assessment, present: Collection[str]) -> Iterator[str]:
    if FREEZE not in present:
        yield (
            "Were metric and thresholds defined before the test (Art. 9(8))? No freeze is in this "
            "pack: that they stand in task.yaml does not say since when."
        )
    yield from _of_criteria(getattr(a, "criteria", None))
    if LEDGER not in present or HEADS not in present:
        yield (
            "Was anything changed since? No signed ledger is in this pack: SHA256SUMS shows that "
            "its files are those that were packed, not who packed them."
        )
    elif a.criteria is None:
        yield "Was anything changed before the ledger began? No record of it names this run."
    if LEDGER in present:
        yield (
            "Which clock outside the team backs the dates? Freeze, ledger and run bear those of "
            "the machine that signed. A head that somebody else keeps (`ladder audit anchor`) does."
        )
        yield ("What was tried before the ledger began? It shows what came after its first record.")
    yield (
        "Who made this pack? SHA256SUMS is not signed: what is not named in a signed statement or "
        "in the ledger was written from the record, and can be written from it again."
    )
    if ISOLATION not in present:
        yield (
            "Did rows leave the machine? The run was not isolated, so nothing was measured of it."
        )
    elif tried := getattr(getattr(a, "isolation", None), "attempts", 0):
        yield f"What attempted {tried:,} connections during the isolated run? None could leave."


def _of_files(a: Assessment, present: Collection[str]) -> Iterator[str]:
    """Ask about what is not in the pack, and might have been."""
    if TASK not in present:
        yield (
            "What did the task file say? It was changed or moved since the run: the pack has its "
            f"digest alone, {a.task.digest}."
        )
    if not any(name.startswith(EXAMPLES) for name in present):
        yield "Where are the test logs (Annex IV 2(g))? They hold rows and answers: left out here."
    built = a.chosen.candidate.build.folder if a.chosen and a.chosen.candidate else None
    if built and PROVENANCE not in present:
        yield (
            "What was the model trained from? No signed provenance of its training is in this pack."
        )
    if built:
        yield (
            "Why these settings of the training, and does another one by them do as well? One seed "
            f"was trained, {a.task.seed}."
        )
    if built and RECIPE not in present:
        yield (
            "With which settings was it trained (Annex IV 2(a))? The recipe was changed or moved "
            "since: the record has its digest alone."
        )


def _of_persons(present: Collection[str]) -> Iterator[str]:
    """Ask what only a person can do: sign, act on a finding, and write what nothing here shows."""
    if any(name.startswith(SIGNATURES) for name in present):
        yield (
            "Is the key under the run's signature that of the person whom it names? The pack does "
            "not hold it: ask them for it. The report that they signed holds examples, so it is "
            "left out: the one in the pack is written anew."
        )
    else:
        yield "Who is responsible, who has signed test-report.md, and when?"
    if MONITORING in present:
        yield (
            "Who measures again on the days of the monitoring plan, who is told of a finding, and "
            "what is done then? It finds what breaks the gate or falls below the eval set's "
            "interval, not what lies below the bound that is declared."
        )
        yield (
            "What tells that the inputs have changed? The plan measures the same eval examples "
            "again: it takes `ladder drift` on inputs of production, or new rows (`--rotate`)."
        )
    alone = [one.point for one in map_points(present)[0] if not one.files]
    yield f"What is said of Annex IV {', '.join(alone)}? Nothing in this pack bears on them."


def _of_criteria(cited: Any) -> Iterator[str]:
    """Ask about a freeze: what was changed after it, and what was looked at before.

    Args:
        cited: what the run says of its freeze (`evidence.CitedFreeze`); None: nothing.
    """
    for change in getattr(cited, "changes", ()):
        yield (
            f"Why was {change.field} changed after it was frozen, from {change.frozen} to "
            f"{change.now}?"
        )
    if looks := getattr(cited, "looks_before", 0):
        times = "once" if looks == 1 else f"{looks:,} times"
        yield f"Why was the eval set looked at {times} before the criteria were frozen?"
    if opened := getattr(cited, "openings_before", 0):
        times = "once" if opened == 1 else f"{opened:,} times"
        yield f"Why was the held-out test set read {times} before the criteria were frozen?"


def _of_data(a: Assessment) -> Iterator[str]:
    d = a.data
    what = "rows and documents" if d.documents else "rows"
    yield f"Where do the {what} come from, who labelled them, and under which licence are they?"
    yield (
        "How were the files of rows split before the run: at random, by person, by time? It took "
        "them as they were given."
    )
    if d.contaminated:
        yield (
            f"How did {len(d.contaminated):,} held-out examples come to repeat training examples? "
            "They are not counted."
        )
    if d.contradicting:
        yield f"Who is right where {d.contradicting:,} rows contradict an earlier one?"
    if d.synthetic:
        yield (
            f"{d.synthetic:,} training examples are a model's: which, under which terms, and who "
            "has read them?"
        )


def _of_limits(a: Assessment) -> Iterator[str]:
    chosen = a.chosen
    if chosen is None:
        return
    for limit in chosen.verdict.limits if chosen.verdict else ():
        if limit.verdict == "undecided":
            yield f"Is {limit.limit} {limit.wanted:g} held? The measurement does not decide it."
    yield (
        "Which release is the base model, what was it trained on and by whom, and does its licence "
        "allow this use? Why this one: no other was measured (Annex IV 2(b))."
    )
    yield (
        "What was tried and not kept? The record counts its calls by what they were for; of "
        "fixes and prompts it names those that won."
    )
    m = chosen.measurement
    if m is not None and m.score.mean < 1 and chosen.diagnosis is None:
        yield (
            "What have the wrong answers in common, and what harm do they do (Annex IV 3)? A rung "
            "that passes is not diagnosed."
        )
    if m is not None and m.errors:
        yield f"What became of {m.errors:,} requests of {m.requests:,} that failed?"
    if m is not None and m.human_labels is not None:
        yield "Does the judge's opinion stand for a person's? It is calibrated on people's labels."
