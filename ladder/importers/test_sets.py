"""Test sets of DeepEval and of Ragas: a question, its answer, and the contexts that hold it.

DeepEval: `EvaluationDataset.save_as` (json, jsonl, csv). Ragas: `EvaluationDataset` and `Testset`,
`to_jsonl` and `to_csv`; the names of version 0.1 too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ladder.errors import DataError, Problem
from ladder.importers.base import Collected, Imported, Row, no_rows, unread
from ladder.importers.source import Source
from ladder.importers.templates import turn_text
from ladder.json_values import from_json
from ladder.samples.values import text_of

MARK = "|"
"""What DeepEval writes between the contexts of one cell, in CSV and JSON lines."""
WITH_SOURCE = re.compile(r"deepeval_source=(?P<title>.*?),deepeval_context=(?P<text>.*)", re.DOTALL)
"""How DeepEval writes a context with its source (`RetrievedContextData`)."""
SPEAKERS = {"human": "user", "ai": "assistant", "tool": "tool", "system": "system"}


@dataclass(frozen=True)
class Columns:
    """What a tool calls the parts of a sample."""

    tool: str
    asked: str
    target: str
    gold: str
    """Contexts that hold the answer."""
    retrieved: str
    """Contexts that a search has found."""
    answered: str
    title: str = ""
    kept: tuple[str, ...] = ()
    """Kept beside the row, in `meta`."""
    lost: tuple[str, ...] = ()
    """Of no use here."""

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a record has the tool's own columns."""
        own = {self.target, self.gold, self.retrieved, self.answered}
        return self.asked in record and len(own & record.keys()) >= 2


DEEPEVAL = Columns(
    "DeepEval",
    *("input", "expected_output", "context", "retrieval_context", "actual_output"),
    title="source_file",
    kept=("name", "comments", "additional_metadata", "custom_column_key_values"),
    lost=("token_cost", "input_token_count", "output_token_count"),
)
RAGAS = Columns(
    "Ragas",
    *("user_input", "reference", "reference_contexts", "retrieved_contexts", "response"),
    kept=("synthesizer_name", "persona_name", "query_style", "query_length"),
)
RAGAS_OLD = Columns(
    "Ragas 0.1",
    *("question", "ground_truth", "reference_contexts", "contexts", "answer"),
    kept=("evolution_type", "episode_done", "metadata"),
)
CONVERSATION = {"scenario", "turns"}


def is_deepeval(source: Source) -> bool:
    """Tell whether a source holds goldens of DeepEval."""
    return any(_is_deepeval(source.first(path)) for path in _row_files(source))


def is_ragas(source: Source) -> bool:
    """Tell whether a source holds a test set of Ragas."""
    return any(_ragas_of(source.first(path)) for path in _row_files(source))


def read_deepeval(source: Source) -> Imported:
    """Read the goldens of a source.

    Raises:
        DataError: the file cannot be read, or holds none.
    """
    paths = [path for path in _row_files(source) if _is_deepeval(source.first(path))]
    return _read(source, _only(source, paths, "goldens of DeepEval"), DEEPEVAL)


def read_ragas(source: Source) -> Imported:
    """Read the samples of a source.

    Raises:
        DataError: the file cannot be read, or holds none.
    """
    paths = [path for path in _row_files(source) if _ragas_of(source.first(path))]
    path = _only(source, paths, "a test set of Ragas")
    return _read(source, path, _ragas_of(source.first(path)) or RAGAS)


def _row_files(source: Source) -> list[Path]:
    return [path for path in source.files if path.suffix.lower() not in (".yaml", ".yml", ".eval")]


def _is_deepeval(record: Mapping[str, Any]) -> bool:
    return DEEPEVAL.fits(record) or record.keys() >= {"scenario", "expected_outcome"}


def _ragas_of(record: Mapping[str, Any]) -> Columns | None:
    old = {"question", "contexts"} <= record.keys()
    return RAGAS if RAGAS.fits(record) else RAGAS_OLD if old and RAGAS_OLD.fits(record) else None


def _only(source: Source, paths: list[Path], wanted: str) -> Path:
    """Return the one file of a source that holds a test set."""
    if not paths:
        for path in source.files[:1]:
            source.records(path)  # says what is wrong with it
        got = "none of its columns"
        raise DataError([Problem(str(source.path), got, wanted, "Is it another format? --from")])
    if len(paths) > 1:
        names = ", ".join(map(source.short, paths[:5]))
        fix = "Name one of them: the others may hold the same rows in another form."
        raise DataError([Problem(str(source.path), f"{len(paths)} files ({names})", "one", fix)])
    return paths[0]


def _read(source: Source, path: Path, names: Columns) -> Imported:
    found = Collected()
    records = source.records(path)
    if not records:
        raise DataError([no_rows(str(path), f"a test set of {names.tool}")])
    gold = 0
    for where, record in records:
        if "scenario" in record and names.asked not in record:
            what = "a conversation to be simulated (scenario, expected_outcome)"
            found.leave(where, what, "not carried over: a second model plays the user")
            continue
        row = _row(where, record, names, found)
        gold += "doc_ids" in row
        found.add(where, row)
    if found.documents:
        said = f"{len(found.documents):,} contexts, each once -> documents.jsonl"
        found.notes.append(f"{said}; {gold:,} rows name those that hold the answer")
    found.notes.append(
        f"{names.asked} -> input, {names.target} -> target, {names.answered} -> meta.recorded: an "
        "earlier answer is no target"
    )
    return found.imported(names.tool)


def _row(where: str, record: Mapping[str, Any], names: Columns, found: Collected) -> Row:
    title = text_of(record.get(names.title)) if names.title else ""
    contexts = {}
    for name in (names.gold, names.retrieved):
        texts = _texts(record.get(name), names)
        contexts[name] = [found.document(*_with_title(text, title)) for text in texts]
    targets = record.get(names.target) or record.get(f"{names.target}s")
    kept = {name: record[name] for name in names.kept if record.get(name)}
    answered = text_of(record.get(names.answered))
    columns = (names.asked, names.target, f"{names.target}s", names.gold, names.retrieved)
    known = (*columns, names.answered, names.title, *names.kept, *names.lost)
    for name in unread(record, known):
        found.leave(where, f"the column `{name}`", "not carried over; it is kept in meta")
        kept[name] = record[name]
    meta = kept | ({"recorded": [{"answer": answered}]} if answered else {})
    if contexts[names.retrieved]:
        meta["retrieved"] = contexts[names.retrieved]
    is_list = isinstance(targets, list)
    return {
        "input": _asked(where, record.get(names.asked), found),
        **({"targets": targets} if is_list else {"target": text_of(targets)}),
        "doc_ids": list(dict.fromkeys(contexts[names.gold])),
        "meta": meta,
    }


def _asked(where: str, value: Any, found: Collected) -> Any:
    """Return the question: a text, or the turns of a conversation."""
    if isinstance(value, str) and value.startswith("[{"):
        value = _parsed(value)
    if not isinstance(value, list):
        return text_of(value)
    turns = []
    for each in value:
        if not isinstance(each, Mapping):
            continue
        if each.get("tool_calls"):
            found.leave(where, "a tool call in a conversation", "its text alone is kept")
        role = text_of(each.get("type") or each.get("role"))
        turns.append(
            {"role": SPEAKERS.get(role, role), "content": turn_text(each.get("content")) or ""}
        )
    return [turn for turn in turns if turn["content"]]


def _parsed(text: str) -> Any:
    try:
        return from_json(text)
    except (ValueError, RecursionError):
        return text


def _texts(value: Any, names: Columns) -> list[str]:
    """Return contexts: a list, or one as a cell can hold it."""
    if isinstance(value, list):
        return [text for one in value if (text := text_of(one))]
    text = text_of(value)
    if text.startswith("[") and (listed := _listed(text)):
        return [one.strip() for one in listed if one.strip()]
    parts = text.split(MARK) if names is DEEPEVAL else [text]
    return [part.strip() for part in parts if part.strip()]


def _with_title(text: str, title: str) -> tuple[str, str]:
    match = WITH_SOURCE.fullmatch(text)
    return (match["text"], match["title"]) if match else (text, title)


def _listed(text: str) -> list[str]:
    """Return the texts of a list that JSON or Python has written; none for any other text."""
    try:
        found = from_json(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
