"""Logs of Inspect (inspect_ai): `.eval`, a zip archive of JSON, and the `.json` logs before it.

https://inspect.aisi.org.uk/eval-logs.html; the fields are those of `inspect_ai.log.EvalLog`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ladder.errors import DataError, Problem
from ladder.importers.archives import Archive, open_archive
from ladder.importers.base import (
    NEAREST,
    Collected,
    Imported,
    Row,
    Stated,
    no_rows,
    scorer,
)
from ladder.importers.source import Source
from ladder.importers.templates import turn_text, turns_of
from ladder.json_values import from_json
from ladder.samples.values import plain, text_of
from ladder.task import ScorerChoice

VERSIONS = (1, 2)
WANTED = "a log of Inspect"
ATTACHED = "attachment://"
SCORERS: Mapping[str, tuple[str, str]] = {
    "match": ("contains", "the target at an end of the answer -> anywhere in it"),
    "includes": ("contains", "the target is in the answer"),
    "exact": ("token_f1", "the same text once case, punctuation and articles are folded"),
    "f1": ("token_f1", "F1 of the words"),
    "answer": ("exact_match", "what follows `ANSWER:` -> the whole answer"),
    "choice": ("exact_match", "the choice"),
    "math": ("number", "the same expression -> the same number"),
}
"""Scorer of Inspect -> ours, and what it asks for."""
JUDGES = ("model_graded_qa", "model_graded_fact")
USUAL_STEPS = {"generate", "multiple_choice", "system_message"}

Samples = Iterator[tuple[str, dict[str, Any]]]


def recognises(source: Source) -> bool:
    """Tell whether a source holds a log of Inspect."""
    return any(_is_log(source, path) for path in source.files)


def read(source: Source) -> Imported:
    """Read the newest log of a source.

    Raises:
        DataError: it cannot be read, is of another version, or several tasks are there.
    """
    logs = [path for path in source.files if _is_log(source, path)]
    if not logs:
        for path in source.files[:1]:
            source.records(path)  # says what is wrong with it
        raise DataError([no_rows(str(source.path), WANTED)])
    headers = {path: _header(source, path) for path in logs}
    tasks = sorted({text_of(_spec(header).get("task")) for header in headers.values()})
    if len(tasks) > 1:
        got = f"logs of {len(tasks)} tasks ({', '.join(tasks[:5])})"
        raise DataError([Problem(str(source.path), got, "one", "Name one log.")])
    path = max(logs, key=lambda log: (text_of(_spec(headers[log]).get("created")), log.name))
    found = Collected()
    for other in logs:
        if other != path:
            found.leave(source.short(other), "an older log of the same task", "not read")
    return _imported(source, path, headers[path], found)


def _is_log(source: Source, path: Path) -> bool:
    if path.name.lower().endswith(".eval"):
        return True
    if source.is_zip(path):
        return False
    first = source.first(path) if path.name.lower().endswith(".json") else {}
    return {"version", "eval", "status"} <= first.keys() and isinstance(first["eval"], dict)


def _spec(header: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = header.get("eval")
    return spec if isinstance(spec, Mapping) else {}


def _header(source: Source, path: Path) -> dict[str, Any]:
    if not source.is_zip(path):
        header = source.first(path)
        if not header:
            source.records(path)  # says what is wrong with it
            got = "an empty file"
            raise DataError([Problem(str(path), got, WANTED, "Export it again.")])
    else:
        with open_archive(path, WANTED) as archive:
            header = _header_in(archive)
    version = header.get("version")
    if version not in VERSIONS:
        got = f"version {text_of(version)[:20] or 'of nothing'}"
        known = " or ".join(map(str, VERSIONS))
        fix = "Convert it with the `inspect log convert` of a version that writes one of them."
        raise DataError([Problem(str(path), got, f"{WANTED} of version {known}", fix)])
    return header


def _header_in(archive: Archive) -> dict[str, Any]:
    for name in ("header.json", "_journal/start.json"):
        if name in archive.names:
            return _parsed(archive, name)
    fix = "Is it another program's file? Name the format: --from"
    raise DataError([Problem(str(archive.path), "a zip archive without header.json", WANTED, fix)])


def _parsed(archive: Archive, name: str) -> dict[str, Any]:
    try:
        found = plain(from_json(archive.read(name)))
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        got = f"no JSON ({str(error)[:80]})"
        raise DataError([Problem(f"{archive.path}: {name}", got, WANTED)]) from None
    if not isinstance(found, dict):
        got = f"a JSON {type(found).__name__}"
        raise DataError([Problem(f"{archive.path}: {name}", got, "an object")])
    return found


def _samples(source: Source, path: Path) -> Samples:
    if not source.is_zip(path):
        listed = source.first(path).get("samples")
        for number, sample in enumerate(listed if isinstance(listed, list) else [], start=1):
            if isinstance(sample, dict):
                yield f"{source.short(path)}: samples[{number}]", sample
        return
    with open_archive(path, WANTED) as archive:
        for name in archive.names:
            if name.startswith("samples/") and name.endswith(".json"):
                yield f"{source.short(path)}: {name}", _parsed(archive, name)


def _imported(source: Source, path: Path, header: Mapping[str, Any], found: Collected) -> Imported:
    spec, name = _spec(header), source.short(path)
    status = text_of(header.get("status")) or "started"
    if status != "success":
        found.leave(name, f"a run that ended as `{status}`", "its samples so far")
    samples = _first_epochs(_samples(source, path), found)
    if not samples:
        raise DataError([no_rows(str(path), WANTED)])
    choices = {json.dumps(sample.get("choices")) for _, sample in samples}
    same = len(choices) == 1 and choices != {"null"}
    systems = {_system_of(sample) for _, sample in samples}
    goal = systems.pop() if len(systems) == 1 else ""
    for where, sample in samples:
        found.add(where, _row(where, sample, same, found))
    if same:
        found.notes.append("every sample has the same choices: they are the labels")
    elif choices != {"null"}:
        found.notes.append("choices are lettered below the question, the target is a letter")
    goal = _steps(name, header, goal, found)
    score, why = _score(name, spec, header, found)
    _rest(name, spec, found)
    packages = spec.get("packages")
    version = packages.get("inspect_ai", "") if isinstance(packages, Mapping) else ""
    tool = f"Inspect {version} (log version {header.get('version')})"
    stated = Stated(goal=goal, score=score, score_why=why)
    return found.imported(tool, text_of(spec.get("task")).split("/")[-1], stated)


def _first_epochs(samples: Samples, found: Collected) -> list[tuple[str, dict[str, Any]]]:
    """Return the first epoch of each sample; answers of the later ones go beside it."""
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    more = 0
    for where, sample in samples:
        resolved = _with_attachments(sample)
        own = text_of(sample.get("id")) or where
        if own in first:
            more += 1
            first[own][1].setdefault("_more", []).append(_recorded(resolved))
        else:
            kept = ("id", "input", "choices", "target", "messages", "output", "scores", "metadata")
            used = ("sandbox", "files", "setup")
            first[own] = where, {name: resolved.get(name) for name in (*kept, *used)}
    if more:
        found.notes.append(f"{more:,} further epochs: their answers are kept in meta.recorded")
    return list(first.values())


def _with_attachments(sample: dict[str, Any]) -> dict[str, Any]:
    """Put the long texts back that a log keeps once, under `attachments`."""
    attached = sample.get("attachments")
    if not isinstance(attached, Mapping) or not attached:
        return sample

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(ATTACHED):
            return attached.get(value.removeprefix(ATTACHED), value)
        if isinstance(value, list):
            return [resolve(one) for one in value]
        if isinstance(value, dict):
            return {key: resolve(one) for key, one in value.items()}
        return value

    return {k: v if k in ("attachments", "events") else resolve(v) for k, v in sample.items()}


def _system_of(sample: Mapping[str, Any]) -> str:
    turns = turns_of(_listed(sample.get("messages"))) or []
    return "\n".join(turn["content"] for turn in turns if turn["role"] == "system").strip()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _row(where: str, sample: Mapping[str, Any], same_choices: bool, found: Collected) -> Row:
    asked, target = _input(where, sample.get("input"), found), sample.get("target")
    choices = [text_of(choice) for choice in _listed(sample.get("choices"))]
    if choices and same_choices:
        target = [_chosen(letter, choices) for letter in _letters(target)]
    elif choices:
        lines = [f"{_letter(at)}) {choice}" for at, choice in enumerate(choices)]
        asked = "\n".join([text_of(asked), "", *lines])
    for name in ("sandbox", "files", "setup"):
        if sample.get(name):
            found.leave(where, f"a sample with `{name}`", "not carried over: no program is run")
    targets = [text for one in _targets(target) if (text := text_of(one))]
    recorded = [_recorded(sample), *_listed(sample.get("_more"))]
    return {
        "id": text_of(sample.get("id")),
        "input": asked,
        **({"target": targets[0]} if len(targets) == 1 else {"targets": targets}),
        "meta": {
            "metadata": sample.get("metadata"),
            "recorded": [each for each in recorded if each],
        },
    }


def _targets(target: Any) -> list[Any]:
    return target if isinstance(target, list) else [target]


def _letters(target: Any) -> list[str]:
    return [text_of(one) for one in _targets(target)]


def _chosen(letter: str, choices: Sequence[str]) -> str:
    at = ord(letter) - ord("A") if len(letter) == 1 else -1
    return choices[at] if 0 <= at < len(choices) else letter


def _letter(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else str(at + 1)


def _input(where: str, value: Any, found: Collected) -> Any:
    """Return an input: a text, or the turns of a chat without its pictures and calls."""
    if not isinstance(value, list):
        return text_of(value)
    turns = turns_of(value)
    if turns is None:
        found.leave(where, "an input with pictures, sound or other parts", "their text alone")
        texts = [_texts_alone(each) for each in value if isinstance(each, Mapping)]
        turns = [turn for turn in texts if turn["content"]]
    if any(isinstance(each, Mapping) and each.get("tool_calls") for each in value):
        found.leave(where, "a tool call in the input", "not carried over")
    return turns[0]["content"] if len(turns) == 1 else turns


def _texts_alone(turn: Mapping[str, Any]) -> dict[str, str]:
    content = turn.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [text for part in parts if (text := turn_text([part] if part else [])) is not None]
    return {"role": text_of(turn.get("role")) or "user", "content": "\n".join(texts)}


def _recorded(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model answered in the log, and how it was scored."""
    output = sample.get("output")
    if not isinstance(output, Mapping):
        return {}
    choices = _listed(output.get("choices"))
    message = choices[0].get("message") if choices and isinstance(choices[0], Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    text = output.get("completion") or turn_text(content) or ""
    scores = sample.get("scores")
    values = {
        name: score.get("value")
        for name, score in (scores.items() if isinstance(scores, Mapping) else ())
        if isinstance(score, Mapping)
    }
    return {"model": output.get("model"), "answer": text, "scores": values} if text else {}


def _steps(name: str, header: Mapping[str, Any], goal: str, found: Collected) -> str:
    plan = header.get("plan")
    steps = _listed(plan.get("steps")) if isinstance(plan, Mapping) else []
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, Mapping):
            continue
        solver = text_of(step.get("solver")).split("/")[-1]
        where = f"{name}: plan.steps[{number}]"
        params = step.get("params")
        template = params.get("template") if isinstance(params, Mapping) else None
        if isinstance(template, str) and template:
            found.texts.append((f"{solver} ({where})", template))
        if solver == "system_message" and goal:
            found.notes.append("the system message is the goal")
        elif solver not in USUAL_STEPS:
            said = "ladder tries prompts of its own; what it says is kept below"
            found.leave(where, f"the solver `{solver}`", said if template else "not carried over")
    return goal


def _score(
    name: str, spec: Mapping[str, Any], header: Mapping[str, Any], found: Collected
) -> tuple[tuple[ScorerChoice, ...], str]:
    """Return the first scorer that has an equal here, and why; the others are listed."""
    chosen: tuple[tuple[ScorerChoice, ...], str] = (), ""
    for number, (own, options) in enumerate(_scorers(spec, header), start=1):
        where = f"{name}: scorer {number}, `{own}`"
        ours = SCORERS.get(own)
        if ours is None:
            fix = "not carried over"
            if own in JUDGES:
                fix = "not carried over; a judge is `score: {judge: {rubric: …}}`, see docs/task.md"
            found.leave(where, f"the scorer `{own}`", fix)
            continue
        if chosen[0]:
            found.leave(where, f"a further scorer, `{own}`", f"add `{ours[0]}` to `score` for it")
            continue
        kind, said = ours
        if own == "match" and options.get("numeric"):
            kind, said = "number", "the same number"
        folds = kind == "exact_match" and options.get("ignore_case", False)
        chosen = scorer(kind, **({"lowercase": True} if folds else {})), f"`{own}`: {said}"
        told = ", ".join(f"{key}={value}" for key, value in options.items())
        shown = f"`{own}`({told})" if told else f"`{own}`"
        if "->" in said:
            found.leave(where, f"the scorer {shown}: {said}", NEAREST)
    return chosen


def _scorers(
    spec: Mapping[str, Any], header: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    results = header.get("results")
    scored = results.get("scores") if isinstance(results, Mapping) else None
    for each in _listed(spec.get("scorers")) or _listed(scored):
        if isinstance(each, Mapping):
            options = each.get("options", each.get("params"))
            own = text_of(each.get("scorer") or each.get("name")).split("/")[-1]
            yield own, options if isinstance(options, Mapping) else {}


def _rest(name: str, spec: Mapping[str, Any], found: Collected) -> None:
    """List what else the task had: its model, its sandbox, how many samples were asked."""
    model = text_of(spec.get("model"))
    if model:
        found.leave(f"{name}: eval.model", f"the model `{model}`", "name one under `models.base`")
    for key in ("sandbox", "model_roles", "approval", "task_args"):
        if spec.get(key):
            found.leave(f"{name}: eval.{key}", f"`{key}`", "not carried over")
    config = spec.get("model_generate_config")
    for key, value in config.items() if isinstance(config, Mapping) else ():
        if value not in (None, [], {}):
            where = f"{name}: eval.model_generate_config.{key}"
            found.leave(where, f"the option `{key}: {text_of(value)[:60]}`", "not carried over")
    config = spec.get("config")
    limit = config.get("limit") if isinstance(config, Mapping) else None
    if limit:
        said = "the log holds no more samples than were run"
        found.leave(f"{name}: eval.config.limit", f"a limit of {text_of(limit)} samples", said)
