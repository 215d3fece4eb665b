"""From a sample to a request, and from a completion to an answer, as a candidate says.

Documents and examples are data: they are only ever joined to the prompt, never used as a format
string, and each is folded onto one line so that none can pass for the prompt's own structure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from ladder.engines.base import Completion, Request
from ladder.engines.cache import CachedEngine
from ladder.errors import NoVerdictError
from ladder.evidence import Candidate, Retrieval
from ladder.inference.evaluator import Climb
from ladder.inference.exchanges import Exchange, carry_out, once
from ladder.inference.judge import TIMES_ASKED, NoScore, Scored, score_all
from ladder.inference.rewriting import fault_of, rewritten
from ladder.inference.voting import ballot, vote
from ladder.samples.rows import Document, Sample

MANY_LABELS = 30
"""From here on the labels are a page of their own: listing or scoring them all is dear."""
BATCH_CALIBRATION_ROWS = 32
CHARACTERS_PER_TOKEN = 2
"""Fewer than prose has, so that what fits by this count fits the model's context."""


@dataclass(frozen=True)
class Outcome:
    """One sample answered and scored."""

    sample: Sample
    text: str
    completion: Completion
    scores: tuple[float, ...]
    """One per scorer; empty where the engine gave no answer, or the judge no score."""
    unjudged: NoScore | None = None
    """Why an answer has no score: the judge's fault, never the answer's."""

    @property
    def error(self) -> str | None:
        """Why there is no score."""
        return self.completion.error or (self.unjudged.reason if self.unjudged else None)

    @property
    def kind(self) -> str:
        """What errors of this kind have in common; empty where there is a score."""
        if self.unjudged is not None:
            return f"judge: {self.unjudged.kind}"
        return (self.completion.kind or "error") if self.error is not None else ""

    @property
    def failed_externally(self) -> bool:
        """Whether there is no score for a reason that is not this system's own."""
        if self.unjudged is not None:
            return not self.unjudged.is_own_fault
        return self.completion.error is not None and not self.completion.is_own_fault


def answer(
    climb: Climb,
    candidate: Candidate,
    samples: Sequence[Sample],
    title: str = "",
    *,
    scored: bool = True,
) -> list[Outcome]:
    """Answer and score samples, in their order. Errors are kept apart, never scored.

    With `scored` off the answers alone are wanted: no judge is asked, and there are no scores.
    """
    engine = climb.engine_of(candidate)
    climb.library.prepare(candidate.retrieval, samples)
    requests = [request_for(climb, candidate, sample, engine) for sample in samples]
    prior = _prior(climb, candidate, engine)
    completions = _answered(climb, candidate, requests, title or candidate.technique)
    answered = [at for at in range(len(samples)) if completions[at].error is None]
    texts = {at: read(candidate, requests[at], completions[at], prior) for at in answered}
    found: dict[int, Scored] = {}
    if scored:
        given = [(samples[at], texts[at]) for at in answered]
        found = dict(zip(answered, score_all(climb, given), strict=True))
    outcomes = []
    for at, sample in enumerate(samples):
        by = found.get(at, Scored())
        outcomes.append(Outcome(sample, texts.get(at, ""), completions[at], by.scores, by.fault))
    return outcomes


def _answered(
    climb: Climb, candidate: Candidate, requests: Sequence[Request], title: str
) -> list[Completion]:
    """Carry out the exchanges of requests; what failed and may pass is asked once more, last."""
    engine = climb.engine_of(candidate)
    found: dict[int, Completion] = {}
    wanted = list(range(len(requests)))
    with climb.watch.step(title, len(requests)) as advance:
        for _ in range(TIMES_ASKED):
            exchanges = [exchange(climb, candidate, requests[at]) for at in wanted]
            for number, completion in carry_out(engine, exchanges):
                found[wanted[number]] = completion
                failed = sum(one.error is not None for one in found.values())
                advance(len(found), f"{failed:,} failed" if failed else "")
            wanted = [at for at in wanted if found[at].error and not found[at].is_own_fault]
            if not wanted:
                break
    return [found[at] for at in range(len(requests))]


def exchange(climb: Climb, candidate: Candidate, request: Request) -> Exchange:
    """Return how a candidate comes to its answer: by one request, by votes, after a check."""
    form, labels = climb.task.answer, climb.splits.labels
    asked = once(request)
    if candidate.votes > 1:
        endpoint = candidate.model.startswith("openai:")
        asked = vote(request, candidate.votes, partial(ballot, form, labels), in_parallel=endpoint)
    if candidate.rewrite:
        check = partial(fault_of, form, labels, climb.answer_schema)
        asked = rewritten(asked, request, check)
    return asked


def read(
    candidate: Candidate, request: Request, completion: Completion, prior: Sequence[float] = ()
) -> str:
    """Return the answer text of a completion."""
    if not completion.choice_logprobs or candidate.answer in ("free", "json"):
        return completion.text
    if candidate.answer == "constrained" and completion.greedy_choice is not None:
        return request.choices[completion.greedy_choice]
    values = completion.choice_logprobs
    if prior:
        values = tuple(value - usual for value, usual in zip(values, prior, strict=True))
    return request.choices[max(range(len(values)), key=values.__getitem__)]


def _prior(climb: Climb, candidate: Candidate, engine: CachedEngine) -> tuple[float, ...]:
    """Return what each label scores whatever the input is.

    `empty`: on an input without content (contextual calibration, Zhao et al., 2021). `batch`: the
    mean over dev inputs, whose labels are not looked at (batch calibration, Zhou et al., 2024).
    """
    if candidate.calibration == "none":
        return ()
    if candidate.calibration == "empty":
        samples: Sequence[Sample] = [Sample(id="", input="N/A", target="")]
    else:
        samples = climb.splits.dev[:BATCH_CALIBRATION_ROWS]
    climb.library.prepare(candidate.retrieval, samples)
    requests = [request_for(climb, candidate, sample, engine) for sample in samples]
    completions = [completion for _, completion in engine.complete(requests)]
    lost = [c for c in completions if c.error is not None and not c.is_own_fault]
    if lost:  # another prior is another system
        raise NoVerdictError(f"calibrating {candidate.technique}: {lost[0].error}")
    found = [c.choice_logprobs for c in completions if c.choice_logprobs]
    return tuple(map(fmean, zip(*found, strict=True)))


def request_for(
    climb: Climb, candidate: Candidate, sample: Sample, engine: CachedEngine
) -> Request:
    """Build the request of a sample."""
    if candidate.model.startswith("head:"):
        return Request(text=sample.input)
    choices: tuple[str, ...] = ()
    if candidate.answer in ("scored", "constrained"):
        choices = _choices(climb, candidate.retrieval, sample)
    held = candidate.answer == "json" and climb.answer_schema
    schema = json.dumps(climb.answer_schema, ensure_ascii=False) if held else ""
    limit = answer_tokens(climb, candidate, engine)
    shots = [climb.train_by_id[shot] for shot in candidate.shots if shot in climb.train_by_id]
    room = (engine.abilities.context - limit) * CHARACTERS_PER_TOKEN
    examples, documents = _retrieved(climb, candidate.retrieval, sample, engine, room)
    if candidate.form == "chat":
        messages = _chat(climb, candidate, sample, [*shots, *examples], documents)
        return Request(messages=messages, choices=choices, max_tokens=limit, schema=schema)
    text = _plain(climb, candidate, sample, [*shots, *examples], documents)
    return Request(text=text, choices=choices, max_tokens=limit, stop=("\n",), schema=schema)


def _choices(climb: Climb, retrieval: Retrieval | None, sample: Sample) -> tuple[str, ...]:
    labels = climb.splits.labels
    if retrieval is None or not retrieval.narrow:
        return labels
    near = climb.library.nearest(retrieval, "examples", sample)
    seen = {climb.splits.train[at].target for at in near}
    return tuple(label for label in labels if label in seen) or labels


def _retrieved(
    climb: Climb, retrieval: Retrieval | None, sample: Sample, engine: CachedEngine, room: int
) -> tuple[list[Sample], list[Document]]:
    """Return examples, the best last: nearest to the question; and documents as they are read.

    The farthest documents are left out when not all fit into `room` characters.
    """
    if retrieval is None:
        return [], []
    examples, documents = [], []
    if retrieval.source in ("examples", "both"):
        found = climb.library.nearest(retrieval, "examples", sample)
        examples = [climb.splits.train[at] for at in reversed(found)]
    if retrieval.source != "examples":
        documents = climb.library.documents(retrieval, sample, engine.count_tokens, room)
    return examples, documents


def _plain(
    climb: Climb,
    candidate: Candidate,
    sample: Sample,
    shots: Sequence[Sample],
    documents: Sequence[Document],
) -> str:
    asks, answers = candidate.wording
    blocks = [candidate.instruction or climb.task.goal] if candidate.with_goal else []
    for shot in shots:
        lines = [_document_line(document) for document in _known(climb, candidate, shot)]
        lines += [f"{asks}: {one_line(shot.input)}", f"{answers}: {one_line(shot.target)}"]
        blocks.append("\n".join(lines))
    lines = [_document_line(document) for document in documents]
    lines += [f"{asks}: {one_line(sample.input)}", f"{answers}:"]
    text = "\n\n".join([*blocks, "\n".join(lines)])
    return f"\n{text}" if candidate.placebo else text


def _chat(
    climb: Climb,
    candidate: Candidate,
    sample: Sample,
    shots: Sequence[Sample],
    documents: Sequence[Document],
) -> tuple[tuple[str, str], ...]:
    instruction = candidate.instruction or climb.task.goal
    labels = climb.splits.labels
    if labels and len(labels) <= MANY_LABELS:
        instruction += f"\nAnswer with one of: {', '.join(labels)}."
    turns = [("system", f"{instruction}\n" if candidate.placebo else instruction)]
    for shot in shots:
        known = [_document_line(document) for document in _known(climb, candidate, shot)]
        turns += [("user", "\n".join([*known, shot.input])), ("assistant", shot.target)]
    lines = [_document_line(document) for document in documents]
    return (*turns, ("user", "\n".join([*lines, sample.input])))


def _known(climb: Climb, candidate: Candidate, shot: Sample) -> list[Document]:
    """Return a shot's own documents, where the candidate reads documents."""
    if candidate.retrieval is None or candidate.retrieval.source == "examples":
        return []
    return climb.library.right_passages(shot)[:1]


def _document_line(document: Document) -> str:
    title = f"{one_line(document.title)}: " if document.title else ""
    return f"Document: {title}{one_line(document.text)}"


def one_line(text: str) -> str:
    """Fold white space: what stands in a prompt shall not pass for its structure."""
    return " ".join(text.split())


def answer_tokens(climb: Climb, candidate: Candidate, engine: CachedEngine) -> int:
    """Return how many tokens an answer may have: what the training answers need, and some more.

    A chat model answers in sentences, so it is given twice as much.
    """
    most = climb.task.answer.max_tokens
    longest = climb.longest_target(engine)
    if longest is None:
        return most
    chatty = candidate.form == "chat"
    return min(most, 2 * longest + 16 if chatty else longest + longest // 4 + 4)


def spread_shots(climb: Climb, count: int, rows: Sequence[Sample] = ()) -> tuple[str, ...]:
    """Choose training samples to show: one label after the other, in the order of the rows."""
    by_label: dict[str, list[Sample]] = {}
    for sample in rows or climb.splits.train:
        key = sample.target if climb.splits.labels else ""
        by_label.setdefault(key, []).append(sample)
    chosen: list[str] = []
    depth = 0
    while len(chosen) < count and any(len(rows) > depth for rows in by_label.values()):
        chosen += [rows[depth].id for rows in by_label.values() if len(rows) > depth]
        depth += 1
    return tuple(chosen[:count])
