"""The rows that a training program reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ladder.engines.base import Request
from ladder.engines.fields import Kind
from ladder.evidence import Candidate
from ladder.inference.evaluator import Evaluator
from ladder.inference.forms import LABEL_WORDINGS, TEXT_WORDINGS
from ladder.inference.prompts import request_for
from ladder.samples.rows import Sample
from ladder.task import RungName, Task


def plain_candidate(evaluator: Evaluator, rung: RungName) -> Candidate:
    """Return the form that is trained: short, because every row pays for it again.

    A plain answer ends with its line. Of a model that takes no turns each answer is one line.
    """
    base = evaluator.models.engine(evaluator.task.models.base)
    several_lines = any("\n" in sample.target for sample in evaluator.data.train)
    return Candidate(
        rung=rung,
        description="",
        model=evaluator.task.models.base,
        form="chat" if several_lines and base.abilities.chat else "plain",
        wording=(LABEL_WORDINGS if evaluator.data.labels else TEXT_WORDINGS)[0],
        with_goal=False,
        decoding="scored" if evaluator.data.labels else "free",
    )


def training_rows(
    evaluator: Evaluator, candidate: Candidate, answered: Sequence[tuple[Sample, str]]
) -> list[dict[str, Any]]:
    """Return prompt/completion rows: the very prompts that the candidate will be asked with."""
    engine = evaluator.models.engine(evaluator.task.models.base)
    evaluator.retriever.prepare(candidate.retrieval, [sample for sample, _ in answered])
    rows: list[dict[str, Any]] = []
    for sample, text in answered:
        request = request_for(evaluator, candidate, sample, engine)
        rows.append({"prompt": prompt_of(request), "completion": reply_to(request, text)})
    return rows


def prompt_of(request: Request) -> Any:
    """Return a request's prompt as training programs read it: text, or turns of a chat."""
    if not request.messages:
        return request.text
    return [{"role": role, "content": content} for role, content in request.messages]


def reply_to(request: Request, text: str) -> Any:
    """Return an answer as what follows a request's prompt; a plain one ends with its line."""
    if request.messages:
        return [{"role": "assistant", "content": text}]
    return f" {' '.join(text.split())}\n"


LABELS_NAMED = 5


def label_rows(answered: Sequence[tuple[Sample, str]]) -> list[dict[str, str]]:
    """Return what a classifier learns from."""
    return [{"text": sample.input, "label": text} for sample, text in answered]


def answer_kind(task: Task) -> Kind:
    """Return what an encoder takes a task's answers for: a number is a text of one word."""
    kinds: dict[str, Kind] = {"label": "label", "json": "json"}
    return kinds.get(task.answer.type, "text")


def unseen_labels(evaluator: Evaluator, answers: Sequence[str]) -> str:
    """Name the task's labels that no row to learn from has."""
    never = [label for label in evaluator.data.labels if label not in set(answers)]
    more = f" and {len(never) - LABELS_NAMED} more" if len(never) > LABELS_NAMED else ""
    return ", ".join(f"`{label}`" for label in never[:LABELS_NAMED]) + more


def texts_of(row: Mapping[str, Any]) -> list[str]:
    """Return every text that is read with a training example: of turns, what is said in them.

    The prompt of a pair is read with each of its answers.
    """
    found = texts_of({"prompt": row["prompt"]}) if "rejected" in row else []
    for value in row.values():
        turns = value if isinstance(value, list) else [value]
        found += [str(turn["content"] if isinstance(turn, dict) else turn) for turn in turns]
    return found
