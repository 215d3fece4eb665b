"""From a sample to a request, as a candidate says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from string import ascii_uppercase

from ladder.engines.base import Request
from ladder.evidence import Candidate, Retrieval
from ladder.inference.evaluator import Evaluator
from ladder.models.cache import CachedEngine
from ladder.samples.rows import Document, Sample
from ladder.wording import one_of

MANY_LABELS = 30
"""From here on the labels are a page of their own: listing or scoring them all is dear."""


MOST_LETTERS = len(ascii_uppercase)
"""More labels have no letter each."""


UNKNOWN_TOKENS = 64
"""Of an answer, where no example shows one."""
THINKING_TOKENS = 2048
"""Of an answer and the thoughts before it, where the task sets no limit."""


def request_for(
    evaluator: Evaluator, candidate: Candidate, sample: Sample, engine: CachedEngine
) -> Request:
    """Build the request of a sample."""
    if not engine.abilities.instructed:
        return Request(text=sample.input)
    choices: tuple[str, ...] = ()
    decides = engine.abilities.decides
    if decides or candidate.decoding in ("scored", "constrained"):
        choices = _choices(evaluator, candidate.retrieval, sample)
    if decides and candidate.no_op:
        choices = choices[::-1]  # the order of the options is to mean nothing
    if candidate.by_letter:
        choices = tuple(ascii_uppercase[: len(choices)])
    held = candidate.decoding == "json" and evaluator.answer_schema
    schema = json.dumps(evaluator.answer_schema, ensure_ascii=False) if held else ""
    limit = answer_tokens(evaluator, candidate, engine)
    shots = [
        evaluator.train_by_id[shot] for shot in candidate.shots if shot in evaluator.train_by_id
    ]
    beside = [candidate.instruction or evaluator.task.goal, sample.input]
    beside += [text for shot in shots for text in (shot.input, shot.target)]
    room = engine.abilities.context - limit - sum(map(engine.most_tokens, beside))
    examples, documents = _retrieved(evaluator, candidate.retrieval, sample, engine, room)
    if candidate.form == "chat":
        shown = [*shots, *examples]
        # Labels that are options of a question are not repeated in it.
        messages = _chat(evaluator, candidate, sample, shown, documents, listed=not decides)
        return Request(messages=messages, choices=choices, max_tokens=limit, schema=schema)
    text = _plain(evaluator, candidate, sample, [*shots, *examples], documents)
    return Request(text=text, choices=choices, max_tokens=limit, stop=("\n",), schema=schema)


def labels_of(evaluator: Evaluator, candidate: Candidate, request: Request) -> tuple[str, ...]:
    """Return the label that each choice of a request stands for."""
    return _options(evaluator, candidate) if candidate.by_letter else request.choices


def _options(evaluator: Evaluator, candidate: Candidate) -> tuple[str, ...]:
    """Return the labels in the order of their letters: which it is, is to mean nothing."""
    labels = evaluator.data.labels
    return labels[::-1] if candidate.no_op else labels


def _choices(evaluator: Evaluator, retrieval: Retrieval | None, sample: Sample) -> tuple[str, ...]:
    labels = evaluator.data.labels
    if retrieval is None or not retrieval.narrow:
        return labels
    near = evaluator.retriever.nearest(retrieval, "examples", sample)
    seen = {target for at in near for target in evaluator.data.train[at].targets}
    return tuple(label for label in labels if label in seen) or labels


def _retrieved(
    evaluator: Evaluator,
    retrieval: Retrieval | None,
    sample: Sample,
    engine: CachedEngine,
    room: int,
) -> tuple[list[Sample], list[Document]]:
    """Return examples, the best last: nearest to the question; and documents as they are read.

    The farthest documents are left out when not all fit into `room` tokens.
    """
    if retrieval is None:
        return [], []
    examples, documents = [], []
    if retrieval.source in ("examples", "both"):
        found = evaluator.retriever.nearest(retrieval, "examples", sample)
        examples = [evaluator.data.train[at] for at in reversed(found)]
    if retrieval.source != "examples":
        count, most = engine.count_tokens, engine.most_tokens
        documents = evaluator.reader.documents(retrieval, sample, count, room, most)
    return examples, documents


def _plain(
    evaluator: Evaluator,
    candidate: Candidate,
    sample: Sample,
    shots: Sequence[Sample],
    documents: Sequence[Document],
) -> str:
    asks, answers = candidate.wording
    blocks = [candidate.instruction or evaluator.task.goal] if candidate.with_goal else []
    if candidate.by_letter:
        blocks = ["\n".join([*blocks, _listed(_options(evaluator, candidate))])]
    for shot in shots:
        lines = [_document_line(document) for document in _known(evaluator, candidate, shot)]
        said = _said(evaluator, candidate, shot)
        lines += [f"{asks}: {one_line(shot.input)}", f"{answers}: {one_line(said)}"]
        blocks.append("\n".join(lines))
    lines = [_document_line(document) for document in documents]
    lines += [f"{asks}: {one_line(sample.input)}", f"{answers}:"]
    text = "\n\n".join([*blocks, "\n".join(lines)])
    return f"\n{text}" if candidate.no_op else text


def _chat(
    evaluator: Evaluator,
    candidate: Candidate,
    sample: Sample,
    shots: Sequence[Sample],
    documents: Sequence[Document],
    *,
    listed: bool,
) -> tuple[tuple[str, str], ...]:
    """Return the turns of a chat; few labels are `listed` after the instruction."""
    instruction = candidate.instruction or evaluator.task.goal
    labels = evaluator.data.labels if listed else ()
    if candidate.by_letter:
        instruction += f"\n{_listed(_options(evaluator, candidate))}"
    elif labels and len(labels) <= MANY_LABELS:
        instruction += f"\n{one_of(labels)}"
    turns = [("system", f"{instruction}\n" if candidate.no_op else instruction)]
    for shot in shots:
        known = [_document_line(document) for document in _known(evaluator, candidate, shot)]
        said = _said(evaluator, candidate, shot)
        turns += [("user", "\n".join([*known, shot.input])), ("assistant", said)]
    lines = [_document_line(document) for document in documents]
    return (*turns, ("user", "\n".join([*lines, sample.input])))


def _listed(options: Sequence[str]) -> str:
    letters = ascii_uppercase[: len(options)]
    lines = [f"{letter}. {one_line(o)}" for letter, o in zip(letters, options, strict=True)]
    return "\n".join(["Answer with the letter of one of these:", *lines])


def _said(evaluator: Evaluator, candidate: Candidate, shot: Sample) -> str:
    """Return the answer of an example, as the candidate is to give its own."""
    options = _options(evaluator, candidate)
    if candidate.by_letter and shot.target in options:
        return ascii_uppercase[options.index(shot.target)]
    return shot.target


def _known(evaluator: Evaluator, candidate: Candidate, shot: Sample) -> list[Document]:
    """Return a shot's own documents, where the candidate reads documents."""
    if candidate.retrieval is None or candidate.retrieval.source == "examples":
        return []
    return evaluator.reader.right_passages(shot)[:1]


def _document_line(document: Document) -> str:
    title = f"{one_line(document.title)}: " if document.title else ""
    return f"Document: {title}{one_line(document.text)}"


def one_line(text: str) -> str:
    """Fold white space: what stands in a prompt shall not pass for its structure."""
    return " ".join(text.split())


def answer_tokens(evaluator: Evaluator, candidate: Candidate, engine: CachedEngine) -> int:
    """Return how many tokens an answer may have: as many as the task says.

    Where it says nothing: what the known answers need, and some more. A chat model answers in
    sentences, so it is given twice as much; and one that thinks is given room for its thoughts.
    """
    given = candidate.max_tokens or evaluator.task.answer.max_tokens
    if given is not None:
        return given
    longest = evaluator.longest_target(engine)
    needed = UNKNOWN_TOKENS
    if longest is not None:
        needed = 2 * longest + 16 if candidate.form == "chat" else longest + longest // 4 + 4
    needed = max(needed, THINKING_TOKENS) if engine.abilities.thinks else needed
    return min(needed, engine.abilities.context // 2)
