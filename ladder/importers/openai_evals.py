"""What is taken home from OpenAI's Evals (read-only since 2026-10-31, gone on 2026-11-30).

The objects are those of the API, in JSON or JSON lines, in one file or several: `eval` (its
graders), `eval.run` (its prompt), `eval.run.output_item`, lists of them, rows of data
(`{"item": …, "sample": …}`) and graders alone; and the JSON lines that the dashboard exports
(`{"run_id": …, "data_source_idx": …, "item": …, "sample": …, "grades": …, "passes": …}`), of which
promptfoo 0.121.20 keeps the only published schema (`importers/openaiEvals`). Samples of the older
open-source `evals` too (`{"input": …, "ideal": …}`). Field names: openai-python, `types/evals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ladder.errors import DataError, Problem
from ladder.files import digest_of
from ladder.importers.base import (
    NEAREST,
    Collected,
    Imported,
    Row,
    Stated,
    no_rows,
    scorer,
    unread,
)
from ladder.importers.source import Source
from ladder.importers.templates import (
    Turn,
    as_text,
    fill,
    is_plain,
    lookup,
    names_in,
    parted_turns,
    turn_text,
    turns_of,
)
from ladder.samples.values import text_of
from ladder.task import ScorerChoice

Placed = tuple[str, dict[str, Any]]
ANSWER = "sample.output_text"
GRADERS = ("string_check", "text_similarity", "label_model", "score_model", "python", "multi")
CHECKS: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "eq": ("exact_match", {}, "the answer is the reference"),
    "like": ("contains", {}, "the reference stands in the answer; case is not looked at here"),
    "ilike": ("contains", {}, "the reference stands in the answer"),
}
"""Operation of string_check -> our scorer, its parameters, and what is asked."""
JUDGE = "not carried over; a judge is `score: {judge: {rubric: …}}`, see docs/task.md"
EVAL_READ = ("object", "id", "name", "testing_criteria", "data_source_config", "created_at")
RUN_READ = (
    *("object", "id", "eval_id", "name", "status", "model", "created_at", "data_source"),
    *("report_url", "result_counts", "per_model_usage", "per_testing_criteria_results"),
)


@dataclass
class Parts:
    """The objects of an export by their kind, with their places."""

    evals: list[Placed] = field(default_factory=list)
    runs: list[Placed] = field(default_factory=list)
    outputs: list[Placed] = field(default_factory=list)
    items: list[Placed] = field(default_factory=list)
    graders: list[Placed] = field(default_factory=list)
    ideals: list[Placed] = field(default_factory=list)
    exported: list[Placed] = field(default_factory=list)
    """Lines of the dashboard's own export."""
    others: list[str] = field(default_factory=list)


def recognises(source: Source) -> bool:
    """Tell whether a source holds objects of OpenAI's Evals."""
    firsts = (source.first(path) for path in source.files if ".json" in path.name.lower())
    return any(_kind(record) not in ("", "list") or _is_page(record) for record in firsts)


def _kind(record: Mapping[str, Any]) -> str:
    kind = record.get("object")
    if kind == "eval" or {"testing_criteria", "data_source_config"} <= record.keys():
        return "evals"
    if isinstance(record.get("grades"), dict) and {"item", "run_id"} <= record.keys():
        return "exported"
    if kind == "eval.run.output_item" or {"datasource_item", "results"} <= record.keys():
        return "outputs"
    if kind == "eval.run" or (isinstance(record.get("data_source"), dict) and "eval_id" in record):
        return "runs"
    if record.get("type") in GRADERS and ("name" in record or "graders" in record):
        return "graders"
    if isinstance(record.get("item"), dict) and record.keys() <= {"item", "sample", "id", "object"}:
        return "items"
    if "ideal" in record and "input" in record:
        return "ideals"
    return "list" if kind == "list" else ""


def _is_page(record: Mapping[str, Any]) -> bool:
    data = record.get("data")
    listed = data if isinstance(data, list) and record.get("object") == "list" else []
    return any(isinstance(one, dict) and _kind(one) not in ("", "list") for one in listed[:1])


def read(source: Source) -> Imported:
    """Read an export.

    Raises:
        DataError: it cannot be read, holds several evals, or no sample.
    """
    parts = Parts()
    for path in source.files:
        if ".json" in path.name.lower():
            for where, record in source.records(path):
                _sort(where, record, parts)
    if len(parts.evals) > 1:
        names = ", ".join(text_of(one.get("name")) for _, one in parts.evals[:5])
        got = f"{len(parts.evals)} evals ({names})"
        raise DataError([Problem(str(source.path), got, "one", "Name the files of one eval.")])
    found = Collected()
    for where in parts.others:
        found.leave(where, "an object of another kind", "not read")
    if parts.ideals:
        return _older(parts, found)
    samples = _samples(parts)
    if not samples:
        got = "OpenAI's Evals"
        has_more = any(one.get("has_more") for one in _sources_of(parts))
        if has_more or any(_by_file(one) for one in _sources_of(parts)):
            got += " whose rows lie in a file of their own"
        raise DataError([no_rows(str(source.path), got)])
    return _imported(parts, samples, found)


def _sort(where: str, record: Mapping[str, Any], parts: Parts) -> None:
    kind = _kind(record)
    if kind == "list":
        data = record.get("data")
        for number, one in enumerate(data if isinstance(data, list) else [], start=1):
            if isinstance(one, dict):
                _sort(f"{where}: data[{number}]", one, parts)
    elif kind:
        getattr(parts, kind).append((where, dict(record)))
    else:
        parts.others.append(where)


def _sources_of(parts: Parts) -> list[Mapping[str, Any]]:
    sources: list[Mapping[str, Any]] = []
    for _, run in parts.runs:
        given = run.get("data_source")
        inner = given.get("source") if isinstance(given, dict) else None
        sources += [inner] if isinstance(inner, dict) else []
    return sources


def _by_file(given: Mapping[str, Any]) -> bool:
    return given.get("type") in ("file_id", "stored_completions", "responses")


def _samples(parts: Parts) -> list[Placed]:
    """Return each item once, with every answer that was recorded to it."""
    once: dict[str, Placed] = {}

    def add(where: str, item: Any, sample: Any, results: Any = None, own: Any = None) -> None:
        if not isinstance(item, dict):
            return
        key = digest_of(item)
        _, kept = once.setdefault(key, (where, {"item": item, "id": own, "recorded": []}))
        if isinstance(sample, dict):
            kept["recorded"].append(_recorded(sample, results))
            kept.setdefault("asked", sample.get("input"))

    for where, record in parts.items:
        add(where, record["item"], record.get("sample"), None, record.get("id"))
    for number, given in enumerate(_sources_of(parts), start=1):
        content = given.get("content")
        for at, one in enumerate(content if isinstance(content, list) else [], start=1):
            if isinstance(one, dict):
                place = f"{parts.runs[0][0]}: data_source {number}, content[{at}]"
                add(place, one.get("item"), one.get("sample"))
    for where, record in parts.outputs:
        own = record.get("datasource_item_id")
        item = record.get("datasource_item")
        inner = item.get("item") if isinstance(item, dict) and set(item) <= ITEM else None
        results, sample = record.get("results"), record.get("sample")
        add(where, inner if isinstance(inner, dict) else item, sample, results, own)
    for where, record in parts.exported:
        grades = record["grades"]
        results = [{"name": name, "score": score} for name, score in grades.items()]
        add(where, record["item"], record.get("sample"), results, record.get("data_source_idx"))
    return list(once.values())


ITEM = {"item", "sample"}


def _recorded(sample: Mapping[str, Any], results: Any) -> dict[str, Any]:
    """Return what a model answered, and what the graders gave it."""
    text = sample.get("output_text")
    outputs = sample.get("output", sample.get("outputs"))
    if not isinstance(text, str) and isinstance(outputs, list):
        texts = [turn_text(one.get("content")) for one in outputs if isinstance(one, dict)]
        text = "\n".join(one for one in texts if one)
    graded = [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []
    scores = {text_of(one.get("name")): one.get("score") for one in graded}
    return {"model": sample.get("model"), "answer": text or "", "scores": scores}


def _imported(parts: Parts, samples: Sequence[Placed], found: Collected) -> Imported:
    name, graders = _graders(parts, found)
    _without_definition(parts, graders, found)
    reference, score, why, least = _grader(graders, found)
    turns, place = _prompt(parts, found)
    goal, asked = parted_turns(turns) if turns else ("", "")
    if turns and not all(is_plain(turn["content"]) for turn in turns):
        found.leave(place, "a prompt with more than `{{ names }}`", "its text is kept in import.md")
        found.texts.append(("The prompt", "\n\n".join(_spoken(turns))))
        goal, asked = "", ""
    shared = _shared_system(samples) if not asked else ""
    if asked or shared:
        found.notes.append("the prompt's fixed part is the goal, what differs is the input")
    placed = [(where, _row(sample, reference, asked, shared)) for where, sample in samples]
    spoken = _spoken_fields([row for _, row in placed])
    for where, row in placed:
        if reference or "target" in row:
            found.add(where, row)
        else:  # the user says which column is which
            found.rows.append({name: row[name] for name in row if name not in spoken})
            found.places.append(where)
    _rest(parts, found)
    gate = "" if least is None else "the grader's pass_threshold, of each answer; here of the mean"
    stated = Stated(goal or shared, score, why, least, gate)
    return found.imported("OpenAI Evals", name, stated)


def _graders(parts: Parts, found: Collected) -> tuple[str, list[Placed]]:
    """Return the eval's name and its graders."""
    graders, name = list(parts.graders), ""
    for where, record in parts.evals:
        name = text_of(record.get("name"))
        listed = record.get("testing_criteria")
        for number, one in enumerate(listed if isinstance(listed, list) else [], start=1):
            if isinstance(one, dict):
                graders.append((f"{where}: testing_criteria[{number}]", one))
        for key in unread(record, EVAL_READ):
            found.leave(f"{where}: {key}", f"`{key}` of the eval", "not carried over")
    return name, graders


def _without_definition(parts: Parts, graders: Sequence[Placed], found: Collected) -> None:
    """List graders whose grades are there, and who are described nowhere."""
    known = {text_of(grader.get("name")) for _, grader in graders}
    for where, record in parts.exported:
        for name in record["grades"]:
            if name not in known and not any(name.startswith(one) for one in known if one):
                what = f"the grader `{text_of(name)}`, of which there are grades alone"
                found.leave(where, what, "say the target with --target; GET /evals/ID describes it")


def _grader(
    graders: Sequence[Placed], found: Collected
) -> tuple[str, tuple[ScorerChoice, ...], str, float | None]:
    """Return the reference of the first grader that has an equal here, its scorer, why, its least.

    The others are listed.
    """
    chosen: tuple[str, tuple[ScorerChoice, ...], str, float | None] = "", (), "", None
    for where, grader in graders:
        kind, name = text_of(grader.get("type")), text_of(grader.get("name"))
        if kind not in ("string_check", "text_similarity"):
            fix = JUDGE if kind in ("label_model", "score_model") else "not carried over: not run"
            found.leave(where, f"the {kind or 'nameless'} grader `{name}`", fix)
            found.texts.append((f"{kind} `{name}` ({where})", _words_of(grader)))
            continue
        reference = _reference(grader)
        ours = _scorer_of(grader)
        if not reference or ours is None:
            what = f"the {kind} grader `{name}`"
            operation = text_of(grader.get("operation") or grader.get("evaluation_metric"))
            how = f"({operation} of {text_of(grader.get('input'))[:80]})"
            found.leave(where, f"{what} {how}", "not carried over")
            continue
        if chosen[0]:
            found.leave(where, f"a further {kind} grader, `{name}`", "add a scorer to `score`")
            continue
        scorers, why, is_near = ours
        if is_near:
            found.leave(where, f"the {kind} grader `{name}`: {why}", NEAREST)
        least = grader.get("pass_threshold")
        is_share = isinstance(least, int | float) and 0 < least <= 1
        chosen = reference, scorers, f"`{name}` ({kind}): {why}", least if is_share else None
    return chosen


def _reference(grader: Mapping[str, Any]) -> str:
    """Return the template of the right answer; empty where the answer is not compared as it is."""
    sides = [text_of(grader.get("input")), text_of(grader.get("reference"))]
    answers = [side for side in sides if names_in(side) == [ANSWER] and _alone(side)]
    rest = [side for side in sides if ANSWER not in side]
    return rest[0] if len(answers) == 1 and len(rest) == 1 and is_plain(rest[0]) else ""


def _alone(template: str) -> bool:
    return fill(template.strip(), {"sample": {"output_text": ""}}) == ""


def _scorer_of(grader: Mapping[str, Any]) -> tuple[tuple[ScorerChoice, ...], str, bool] | None:
    """Return the scorer that is equal or near to a grader, what it asks, and whether it is near."""
    if grader.get("type") == "string_check":
        ours = CHECKS.get(text_of(grader.get("operation")))
        return (scorer(ours[0], **ours[1]), ours[2], ours[0] != "exact_match") if ours else None
    metric = text_of(grader.get("evaluation_metric")) or "fuzzy_match"
    return scorer("token_f1"), f"the similarity {metric} -> F1 of the words", True


def _words_of(grader: Mapping[str, Any]) -> str:
    """Return what a grader says or runs, to be read by people."""
    source = grader.get("source")
    if isinstance(source, str):
        return source
    given = grader.get("input")
    turns = [
        turn_text(
            [one.get("content")] if isinstance(one.get("content"), dict) else one.get("content")
        )
        for one in (given if isinstance(given, list) else [])
        if isinstance(one, dict)
    ]
    said = [turn for turn in turns if turn]
    for key in ("model", "labels", "passing_labels", "range", "pass_threshold", "calculate_output"):
        if grader.get(key) is not None:
            said.append(f"{key}: {text_of(grader[key])}")
    return "\n\n".join(said)


def _prompt(parts: Parts, found: Collected) -> tuple[list[Turn], str]:
    """Return the turns of the newest run's prompt and their place."""
    for where, run in reversed(parts.runs):
        given = run.get("data_source")
        messages = given.get("input_messages") if isinstance(given, dict) else None
        if not isinstance(messages, dict):
            continue
        place = f"{where}: data_source.input_messages"
        if messages.get("type") == "item_reference":
            name = text_of(messages.get("item_reference"))
            return [{"role": "user", "content": f"{{{{ {name} }}}}"}], place
        template = messages.get("template")
        turns = turns_of(_flat(template)) if isinstance(template, list) else None
        if turns:
            return turns, place
        found.leave(place, "a prompt with parts that are no text", "not carried over")
    return [], ""


def _flat(template: Sequence[Any]) -> list[Any]:
    """Return turns whose content is one object as such with a list of it."""
    return [
        {**one, "content": [one["content"]]}
        if isinstance(one, dict) and isinstance(one.get("content"), dict)
        else one
        for one in template
    ]


def _spoken(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        yield f"{turn['role']}: {turn['content']}"


def _shared_system(samples: Sequence[Placed]) -> str:
    """Return the system turn with which every recorded request began; empty where they differ."""
    found = set()
    for _, sample in samples:
        turns = turns_of(sample.get("asked") or []) or []
        said = [t["content"] for t in turns if t["role"] in ("system", "developer")]
        found.add("\n".join(said).strip())
    return found.pop() if len(found) == 1 else ""


def _spoken_fields(rows: Sequence[Row]) -> set[str]:
    """Return the columns that every input holds already."""
    names = {name for row in rows for name in row} - {"id", "input", "meta"}
    asked = [as_text(row["input"]) if "input" in row else "" for row in rows]
    return {
        name
        for name in names
        if all(text_of(row.get(name)) in text for row, text in zip(rows, asked, strict=True))
    }


def _row(sample: Mapping[str, Any], reference: str, asked: str | list[Turn], shared: str) -> Row:
    item = sample["item"]
    values = {"item": item, **item}
    made: Row = {"id": text_of(sample.get("id") or item.get("id"))}
    recorded = [one for one in sample["recorded"] if one["answer"]]
    meta = {"item": item, "recorded": recorded}
    target = fill(reference, values) if reference else None
    whole = reference.strip("{} ")
    value = lookup(values, whole) if whole == "".join(names_in(reference)) else None
    if isinstance(value, list):
        made["targets"] = value
    elif target:
        made["target"] = target
    spoken = _filled(asked, values) or _asked(sample, shared)
    if spoken and reference:
        return {**made, "input": spoken, "meta": meta}
    if spoken:  # one of the other fields is the target
        left = {k: v for k, v in item.items() if k not in ("id", "input")}
        return {**left, **made, "input": spoken, "meta": meta}
    if reference:
        used = set(names_in(reference))
        open_ = {k: v for k, v in item.items() if f"item.{k}" not in used and k != "id"}
        if len(open_) == 1 or "input" in open_:
            made["input"] = open_.get("input") or next(iter(open_.values()))
            return {**made, "meta": meta}
        return {**made, **open_, "meta": {"recorded": recorded}}
    return {**item, **{k: v for k, v in made.items() if v}, "meta": {"recorded": recorded}}


def _filled(asked: str | list[Turn], values: Mapping[str, Any]) -> Any:
    """Return what a prompt asks about a row; None where the row lacks a name of it."""
    if isinstance(asked, str):
        return fill(asked, values) if asked else None
    texts = [fill(turn["content"], values) for turn in asked]
    if not texts or None in texts:
        return None
    return [{**turn, "content": text} for turn, text in zip(asked, texts, strict=True)]


def _asked(sample: Mapping[str, Any], shared: str) -> Any:
    """Return what was asked by what a run recorded of it; None where it recorded nothing."""
    turns = turns_of(sample.get("asked") or []) or []
    said = ("system", "developer") if shared else ()
    left = [turn for turn in turns if turn["role"] not in said]
    return left[0]["content"] if len(left) == 1 else left or None


def _rest(parts: Parts, found: Collected) -> None:
    """List what else the runs had: models, options, rows that lie elsewhere."""
    for where, run in parts.runs:
        given = run.get("data_source")
        data = given if isinstance(given, dict) else {}
        model = text_of(data.get("model") or run.get("model"))
        if model:
            found.leave(f"{where}: model", f"the model `{model}`", "name one under `models.base`")
        options = data.get("sampling_params")
        for key in unread(options if isinstance(options, dict) else {}, ()):
            place = f"{where}: sampling_params.{key}"
            found.leave(place, f"the option `{key}`", "not carried over; it is kept in import.md")
            found.texts.append((place, text_of(options[key]) if options else ""))
        for key in unread({**run, "error": _error_of(run)}, RUN_READ):
            found.leave(f"{where}: {key}", f"`{key}` of the run", "not carried over")
    for given in _sources_of(parts):
        if _by_file(given):
            said = "not fetched; the rows are those of the files here"
            where = f"{parts.runs[0][0]}: data_source.source"
            found.leave(where, f"rows by {given.get('type')}", said)


def _error_of(run: Mapping[str, Any]) -> str:
    error = run.get("error")
    return "".join(map(text_of, error.values())) if isinstance(error, dict) else text_of(error)


def _older(parts: Parts, found: Collected) -> Imported:
    """Read samples of the open-source `evals`: `input` (turns or a text) and `ideal`."""
    systems = set()
    for _, record in parts.ideals:
        turns = turns_of(record["input"]) if isinstance(record["input"], list) else None
        systems.add("\n".join(t["content"] for t in turns or [] if t["role"] == "system"))
    shared = systems.pop().strip() if len(systems) == 1 else ""
    for where, record in parts.ideals:
        turns = turns_of(record["input"]) if isinstance(record["input"], list) else None
        asked: Any = _asked({"asked": turns}, shared) if turns else text_of(record["input"])
        ideal = record["ideal"]
        key = "targets" if isinstance(ideal, list) else "target"
        for name in unread(record, ("input", "ideal", "id")):
            found.leave(where, f"the column `{name}`", "not carried over; it is kept in meta")
        rest = {k: v for k, v in record.items() if k not in ("input", "ideal", "id")}
        found.add(
            where, {"id": text_of(record.get("id")), "input": asked, key: ideal, "meta": rest}
        )
    found.notes.append("ideal -> target; the class of the eval (Match, Includes, …) is not in rows")
    return found.imported("OpenAI's open-source evals", "", Stated(goal=shared))
