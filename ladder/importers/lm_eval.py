"""Samples of EleutherAI's lm-evaluation-harness: `samples_<task>_<date>.jsonl` (--log_samples).

The lines are those of `lm_eval.loggers.EvaluationTracker.save_results_samples`; beside them stands
`results_<date>.json`, which says how the task was put together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ladder.errors import DataError, Problem
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
from ladder.samples.values import list_in, text_of
from ladder.task import ScorerChoice

OWN = {"doc_id", "doc", "target", "arguments", "resps"}
METRICS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "acc": ("exact_match", {}),
    "acc_norm": ("exact_match", {}),
    "exact_match": ("exact_match", {}),
    "em": ("exact_match", {}),
    "f1": ("token_f1", {}),
}
"""Metric -> our scorer with its parameters."""
TASK = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT[\d.:-]+\.jsonl?$")
LEAST_SHARED = 20
"""Characters of a text that all prompts begin with, from which on it is the task's description."""


def recognises(source: Source) -> bool:
    """Tell whether a source holds samples of lm-eval."""
    return bool(_sample_files(source))


def _sample_files(source: Source) -> list[Path]:
    files = (path for path in source.files if ".json" in path.name.lower())
    return [path for path in files if source.first(path).keys() >= OWN]


def read(source: Source) -> Imported:
    """Read the samples of one task.

    Raises:
        DataError: they cannot be read, or several tasks are there.
    """
    files = _sample_files(source)
    if not files:
        for path in source.files[:1]:
            source.records(path)
        raise DataError([no_rows(str(source.path), "samples of lm-eval")])
    tasks = {path: _task_of(path) for path in files}
    if len(set(tasks.values())) > 1:
        got = (
            f"samples of {len(set(tasks.values()))} tasks ({', '.join(sorted(tasks.values())[:5])})"
        )
        fix = "Name the file of one of them."
        raise DataError([Problem(str(source.path), got, "one", fix)])
    path = max(files, key=lambda file: file.name)
    found = Collected()
    for other in files:
        if other != path:
            found.leave(source.short(other), "older samples of the same task", "not read")
    config = _config(source, path, tasks[path], found)
    return _imported(source, path, tasks[path], config, found)


def _task_of(path: Path) -> str:
    match = TASK.search(path.name)
    return match[1] if match else path.stem.removeprefix("samples_")


def _config(source: Source, path: Path, task: str, found: Collected) -> Mapping[str, Any]:
    """Return what `results_<date>.json` beside the samples says of their task."""
    date = path.name[len(f"samples_{task}") :].removesuffix("l")
    beside = path.with_name(f"results{date}")
    is_there = beside.is_file() and not beside.is_symlink()
    results = source.first(beside) if is_there else {}
    configs, version = results.get("configs"), results.get("lm_eval_version")
    found.notes += [f"{beside.name}: lm-eval {text_of(version)}"] if version else []
    model = text_of(results.get("model_name"))
    if model:
        where = f"{beside.name}: model_name"
        found.leave(where, f"the model `{model}`", "name one under `models.base`")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _imported(
    source: Source, path: Path, task: str, config: Mapping[str, Any], found: Collected
) -> Imported:
    once: dict[str, tuple[str, dict[str, Any]]] = {}
    filters: dict[str, None] = {}
    for where, record in source.records(path):
        once.setdefault(text_of(record.get("doc_id")), (where, record))
        filters.setdefault(text_of(record.get("filter")))
    samples = list(once.values())
    if len(filters) > 1:
        said = f"{len(filters)} filters of answers ({', '.join(filters)})"
        found.leave(source.short(path), said, "each sample is taken once; the scorer reads answers")
    prompts = [_pairs(record) for _, record in samples]
    choices = [_choices(pairs) for pairs in prompts]
    same = bool(choices) and bool(choices[0]) and all(each == choices[0] for each in choices)
    shared = _shared([pairs[0][0] if pairs else "" for pairs in prompts], config)
    for (where, record), pairs, texts in zip(samples, prompts, choices, strict=True):
        asked = pairs[0][0][len(shared) :].strip() if pairs else ""
        found.add(where, _row(where, record, asked, texts, same, found))
    if any(choices):
        said = "they are the labels" if same else "lettered below the question; they differ"
        found.notes.append(f"log-likelihoods of choices were compared: {said}")
    if shared:
        found.notes.append("the text that every prompt begins with is the goal")
        found.texts.append(("What every prompt begins with", shared.strip()))
    score, why = _score(source.short(path), samples, config, found)
    _rest(source.short(path), config, found)
    goal = " ".join(text_of(config.get("description")).split()) or " ".join(shared.split())
    return found.imported("lm-eval", task, Stated(goal=goal, score=score, score_why=why))


def _pairs(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (context, continuation or options) of each request of a sample."""
    arguments = record.get("arguments")
    listed = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    pairs = []
    for each in listed if isinstance(listed, list) else []:
        values = list(each.values()) if isinstance(each, Mapping) else each
        if isinstance(values, list) and values and isinstance(values[0], str):
            pairs.append((values[0], values[1] if len(values) > 1 else None))
    return pairs


def _choices(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """Return the continuations that were compared; none where an answer was written."""
    texts = [second for _, second in pairs if isinstance(second, str)]
    alike = len({first for first, _ in pairs}) == 1
    return [text.strip() for text in texts] if len(texts) > 1 and alike else []


def _shared(contexts: Sequence[str], config: Mapping[str, Any]) -> str:
    """Return what all contexts begin with: the task's description, or whole paragraphs."""
    said = config.get("description")
    if isinstance(said, str) and said and all(text.startswith(said) for text in contexts):
        return said
    if len(contexts) < 2:
        return ""
    first, last = min(contexts), max(contexts)
    same = next((at for at, sign in enumerate(first) if last[at : at + 1] != sign), len(first))
    end = first.rfind("\n\n", 0, same)
    return first[: end + 2] if end >= LEAST_SHARED else ""


def _row(
    where: str,
    record: Mapping[str, Any],
    asked: str,
    choices: Sequence[str],
    same: bool,
    found: Collected,
) -> Row:
    target = record.get("target")
    targets = list_in(target) if isinstance(target, str) else target
    targets = targets if isinstance(targets, list) and targets else [text_of(target)]
    if choices and same:
        targets = [_chosen(one, choices) for one in targets]
    elif choices:
        lines = [f"{_letter(at)}) {choice}" for at, choice in enumerate(choices)]
        asked = "\n".join([asked, "", *lines])
        targets = [_lettered(one, choices) for one in targets]
    doc = record.get("doc")
    if not asked:
        found.leave(where, "a sample without the prompt that was asked", "left out")
    answers = [text_of(one) for one in _flat(record.get("filtered_resps"))][:4]
    own = doc.get("id") if isinstance(doc, Mapping) else None
    return {
        "id": text_of(own) or f"doc-{text_of(record.get('doc_id'))}",
        "input": asked,
        **({"target": targets[0]} if len(targets) == 1 else {"targets": targets}),
        "meta": {
            "doc": doc,
            "recorded": [{"answers": answers}] if not choices and any(answers) else [],
        },
    }


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [inner for one in value for inner in _flat(one)]


def _chosen(target: Any, choices: Sequence[str]) -> str:
    text = text_of(target)
    at = int(text) if text.isdecimal() and len(text) < 6 else -1
    return choices[at] if 0 <= at < len(choices) else text


def _lettered(target: Any, choices: Sequence[str]) -> str:
    chosen = _chosen(target, choices)
    return _letter(choices.index(chosen)) if chosen in choices else chosen


def _letter(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else str(at + 1)


def _score(
    name: str,
    samples: Sequence[tuple[str, Mapping[str, Any]]],
    config: Mapping[str, Any],
    found: Collected,
) -> tuple[tuple[ScorerChoice, ...], str]:
    """Return the scorer for the first metric that has one, and why; the others are listed."""
    listed = samples[0][1].get("metrics") if samples else None
    metrics = [text_of(one) for one in listed] if isinstance(listed, list) else []
    options = {
        text_of(each.get("metric")): each
        for each in config.get("metric_list", [])
        if isinstance(each, Mapping)
    }
    chosen: tuple[tuple[ScorerChoice, ...], str] = (), ""
    for metric in metrics:
        ours, own = METRICS.get(metric), options.get(metric, {})
        if ours is None or (chosen[0] and chosen[0][0].name != ours[0]):
            found.leave(f"{name}: metrics", f"the metric `{metric}`", "not carried over")
            continue
        if chosen[0]:
            continue
        parameters = dict(ours[1])
        if ours[0] == "exact_match" and own.get("ignore_case"):
            parameters["lowercase"] = True
        for option in ("ignore_punctuation", "regexes_to_ignore"):
            if own.get(option):
                found.leave(f"{name}: {metric}.{option}", f"`{option}` of `{metric}`", NEAREST)
        chosen = scorer(ours[0], **parameters), f"the metric `{metric}`"
    return chosen


def _rest(name: str, config: Mapping[str, Any], found: Collected) -> None:
    shots = config.get("num_fewshot")
    if shots:
        said = "they are a part of each input: export with --num_fewshot 0 to be without them"
        found.leave(f"{name}: num_fewshot", f"{text_of(shots)} examples in each prompt", said)
    for option in ("generation_kwargs", "filter_list", "process_results"):
        if config.get(option):
            said = "how answers are cut and read: ladder has ways of its own"
            found.leave(f"{name}: {option}", f"`{option}`", said)
            found.texts.append((option, text_of(config[option])))
