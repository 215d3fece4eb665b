"""From a sample to a request, and from a completion to an answer, as a candidate says.

Documents and examples are data: they are only ever joined to the prompt, never used as a format
string, and each is folded onto one line so that none can pass for the prompt's own structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from ladder.engines.base import Completion, Request
from ladder.errors import NoVerdictError
from ladder.evidence import Candidate
from ladder.inference.effort import efforts, kind_of_work
from ladder.inference.evaluator import Evaluator
from ladder.inference.exchanges import TIMES_ASKED, Exchange, carry_out, once
from ladder.inference.judge import Scored, score_all
from ladder.inference.outcome import Outcome
from ladder.inference.prompts import labels_of, request_for
from ladder.inference.rewriting import fault_of, rewritten
from ladder.inference.voting import ballot, vote
from ladder.progress import Work, Worked
from ladder.samples.rows import Sample

BATCH_CALIBRATION_ROWS = 32


def answer(
    evaluator: Evaluator,
    candidate: Candidate,
    samples: Sequence[Sample],
    title: str = "",
    *,
    scored: bool = True,
    prior_rows: int = BATCH_CALIBRATION_ROWS,
) -> list[Outcome]:
    """Answer and score samples, in their order. Errors are kept apart, never scored.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answers.
        samples: what is asked.
        title: what the progress bar says; default: the candidate's description.
        scored: off, the answers alone are wanted: no judge is asked, and there are no scores.
        prior_rows: dev rows at most off which a batch calibration reads its prior.
    """
    engine = evaluator.engine(candidate)
    evaluator.retriever.prepare(candidate.retrieval, samples)
    requests = [request_for(evaluator, candidate, sample, engine) for sample in samples]
    prior = prior_of(evaluator, candidate, prior_rows)
    completions = _answered(evaluator, candidate, requests, title or candidate.description)
    completions = [by_length(candidate, *pair) for pair in zip(requests, completions, strict=True)]
    answered = [at for at in range(len(samples)) if completions[at].error is None]
    choices = [labels_of(evaluator, candidate, request) for request in requests]
    texts = {at: read(candidate, choices[at], completions[at], prior) for at in answered}
    found: dict[int, Scored] = {}
    if scored:
        pairs = [(samples[at], texts[at]) for at in answered]
        found = dict(zip(answered, score_all(evaluator, pairs), strict=True))
    outcomes = []
    for at, sample in enumerate(samples):
        given, score = texts.get(at, ""), found.get(at, Scored())
        outcomes.append(
            Outcome(sample, given, completions[at], score.score, score.others, score.fault)
        )
    return outcomes


def _answered(
    evaluator: Evaluator, candidate: Candidate, requests: Sequence[Request], title: str
) -> list[Completion]:
    """Carry out the exchanges of requests; what failed and may pass is asked once more, last."""
    engine = evaluator.engine(candidate)
    found: dict[int, Completion] = {}
    wanted = list(range(len(requests)))
    weights = efforts(requests, candidate.votes)
    done, anew = 0.0, sum(weights)
    work = Work(kind_of_work(candidate, requests), anew)
    with evaluator.watch.step(title, len(requests), work) as advance:
        for _ in range(TIMES_ASKED):
            exchanges = [exchange(evaluator, candidate, requests[at]) for at in wanted]
            for number, completion in carry_out(engine, exchanges):
                at = wanted[number]
                if at not in found and completion.cached:
                    anew -= weights[at]
                elif at not in found:
                    done += weights[at]
                found[at] = completion
                failed = sum(one.error is not None for one in found.values())
                note = f"{failed:,} failed" if failed else ""
                advance(len(found), note, worked=Worked(done, max(anew, done)))
            wanted = [at for at in wanted if found[at].error and not found[at].is_own_fault]
            if not wanted:
                break
    return [found[at] for at in range(len(requests))]


def exchange(evaluator: Evaluator, candidate: Candidate, request: Request) -> Exchange:
    """Return how a candidate comes to its answer: by one request, by votes, after a check."""
    form, labels = evaluator.task.answer, evaluator.data.labels
    asked = once(request)
    if candidate.votes > 1:
        served = evaluator.engine(candidate).abilities.served
        asked = vote(request, candidate.votes, partial(ballot, form, labels), in_parallel=served)
    if candidate.rewrite:
        check = partial(fault_of, form, labels, evaluator.answer_schema)
        asked = rewritten(asked, request, check)
    return asked


def read(
    candidate: Candidate,
    choices: Sequence[str],
    completion: Completion,
    prior: Sequence[float] = (),
) -> str:
    """Return the answer text of a completion.

    Args:
        candidate: what answered.
        choices: what each choice of the request stands for (`prompts.labels_of`).
        completion: its answer.
        prior: of each choice, what it scores whatever the input is.
    """
    if not completion.choice_logprobs or candidate.decoding in ("free", "json"):
        return completion.text
    if candidate.decoding == "constrained" and completion.greedy_choice is not None:
        return choices[completion.greedy_choice]
    values = completion.choice_logprobs
    if prior:
        values = tuple(value - usual for value, usual in zip(values, prior, strict=True))
    return choices[max(range(len(values)), key=values.__getitem__)]


def by_length(candidate: Candidate, request: Request, completion: Completion) -> Completion:
    """Return a completion as it is read: with `mean` scoring by the byte, not by the whole label.

    As "acc_norm" of lm-evaluation-harness, times the mean length of the choices: what is near a
    label's log-likelihood is as sharp a probability.
    """
    values = completion.choice_logprobs
    if candidate.scoring != "mean" or candidate.decoding != "scored" or not values:
        return completion
    lengths = [len(choice.encode()) or 1 for choice in request.choices]
    usual = fmean(lengths)
    found = (value * usual / length for value, length in zip(values, lengths, strict=True))
    return replace(completion, choice_logprobs=tuple(found))


def prior_of(
    evaluator: Evaluator, candidate: Candidate, rows: int = BATCH_CALIBRATION_ROWS
) -> tuple[float, ...]:
    """Return what each label scores whatever the input is; nothing without a calibration.

    `empty`: on an input without content (contextual calibration, Zhao et al., 2021). `batch`: the
    mean over dev inputs, whose labels are not looked at (batch calibration, Zhou et al., 2024).
    """
    if candidate.calibration == "none":
        return ()
    if candidate.calibration == "empty":
        samples: Sequence[Sample] = [Sample(id="", input="N/A", target="")]
    else:
        samples = evaluator.data.dev[: min(rows, BATCH_CALIBRATION_ROWS)]
    evaluator.retriever.prepare(candidate.retrieval, samples)
    engine = evaluator.engine(candidate)
    requests = [request_for(evaluator, candidate, sample, engine) for sample in samples]
    completions = [by_length(candidate, requests[at], c) for at, c in engine.complete(requests)]
    lost = [c for c in completions if c.error is not None and not c.is_own_fault]
    if lost:  # a prior from fewer rows would be another system
        raise NoVerdictError(f"calibrating {candidate.description}: {lost[0].error}")
    found = [c.choice_logprobs for c in completions if c.choice_logprobs]
    return tuple(map(fmean, zip(*found, strict=True)))
