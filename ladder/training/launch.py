"""Start a recipe as its own process, watch it, and read what it left.

A recipe and the package meet through files: YAML and rows in; a folder with training.json out.
"""

from __future__ import annotations

import fcntl
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from ladder.artefacts.card import RECORD as RECORD
from ladder.artefacts.card import read_training, write_card
from ladder.artefacts.issue import issue
from ladder.audit.training import note_training
from ladder.engines.passport import PASSPORT, read_passport
from ladder.errors import DataError, MissingExtraError, TrainingError
from ladder.evidence import Build, TrainingEstimate
from ladder.figures import loss_svg
from ladder.files import (
    clear_disk_errors,
    digest_of,
    file_digest,
    folder_digests,
    private_folder,
    read_record,
    write_json_lines,
    write_whole,
)
from ladder.progress import Watch, Work, Worked
from ladder.training.estimate import START_SECONDS
from ladder.training.process import Order, Process, Start, start_here
from ladder.training.recipes import Recipe
from ladder.trust.egress import keeps_here
from ladder.trust.guarded import guarded

ESTIMATED, PICTURE = "foreseen.json", "loss.svg"
TEACHER = "teacher_model_name_or_path"
"""The field in which a recipe finds the folder of a teacher's weights."""
POLL_SECONDS = 0.5
_ISSUING = threading.Lock()
"""A passport asks the model: one at a time, where several trainings end at once."""
FAR_OFF = 1.5
"""Times as long, or as short, as estimated: the user is told."""
LEAST_SECONDS = 5.0
"""Steps that took less than this together say little of the rest."""


def training_missing() -> str | None:
    """Return the command that installs what training needs, or None when it is there."""
    needed = ("torch", "transformers", "trl", "peft", "datasets")
    if all(find_spec(name) for name in needed):
        return None
    return 'pip install "escalation-ladder[train]"'


def train(  # noqa: PLR0913 - the inputs of a training, who watches, and where it runs
    recipe: Recipe,
    base: Path | None,
    rows: Sequence[Mapping[str, Any]],
    artefacts: Path,
    watch: Watch,
    overrides: Mapping[str, str] | None = None,
    estimate_training: Callable[[], TrainingEstimate] | None = None,
    start: Start = start_here,
) -> Build:
    """Train on rows, or return the artefact that the same recipe, base and rows have left.

    Args:
        recipe: what to run.
        base: folder of the model to start from, where the recipe starts from one.
        rows: what the recipe's program learns from (`recipes.RowKind`).
        artefacts: where trained things are kept; the artefact's folder is named by its inputs, so
            a killed training goes on in it and a finished one is found again.
        watch: sees steps, loss and time left.
        overrides: recipe fields to change, by name; a student's teacher is one of them.
        estimate_training: says what it will take; asked when it begins, and kept beside the
            record.
        start: runs the recipe's program; default: on this machine.

    Raises:
        MissingExtraError: the training libraries are not installed.
        TrainingError: the program failed; its log is named.
        EngineError: what it left cannot be loaded, or is an adapter without effect.
    """
    missing = training_missing()
    if missing:
        raise MissingExtraError("what training needs", missing)
    fields = dict(overrides or {})
    folder = artefacts / _name(recipe, base, rows, fields)
    with clear_disk_errors(folder):
        private_folder(folder)
    with _alone(folder) as lock:
        if not (folder / RECORD).is_file():
            write_json_lines(folder / "rows.jsonl", rows)
            estimated = estimate_training() if estimate_training is not None else None
            if estimated is not None:
                write_whole(folder / ESTIMATED, estimated.model_dump_json())
                watch.say(f"  training {recipe.name}: {in_words(estimated)}")
            begin = {"model_name_or_path": str(base)} if base is not None else {}
            _run(recipe, folder, watch, {**begin, **fields}, lock, estimated, start)
            curve = read_training(folder).get("loss_curve")
            if curve:
                write_whole(folder / PICTURE, loss_svg(curve))
        if not (folder / PASSPORT).is_file():
            step = watch.step("writing its passport", 1, Work("passport", 1.0))
            with _ISSUING, step as advance:
                issue(folder, base, recipe.name, recipe.files, rows, fields)
                write_card(folder)
                advance(1)
        if passport := read_passport(folder):
            note_training(folder, passport)
    return read_build(folder)


def _name(
    recipe: Recipe,
    base: Path | None,
    rows: Sequence[Mapping[str, Any]],
    fields: Mapping[str, str],
) -> str:
    """Return the name of the artefact's folder: a digest of all that it is learnt from."""
    models = [Path(each) for each in (base, fields.get(TEACHER)) if each is not None]
    about = [
        file_digest(recipe.path),
        file_digest(recipe.program),
        folder_digests(recipe.program.parent, recipe.about.imports),
        *(folder_digests(each, _weights(each)) for each in models if each.is_dir()),
        list(rows),
        dict(fields),
    ]
    return f"{recipe.name}-{digest_of(about)[:16]}"


def read_build(folder: Path) -> Build:
    """Return what a finished training cost."""
    record = read_training(folder)
    return Build(
        seconds=record["seconds"],
        train_tokens=record["tokens"],
        peak_memory_mb=max(record["peak_memory_mb"], record["peak_gpu_memory_mb"]),
        folder=str(folder),
        estimated=_foreseen(folder),
    )


def in_words(estimated: TrainingEstimate) -> str:
    """Say what a training is expected to take."""
    needed, there = estimated.memory_mb / 1024, estimated.available_mb / 1024
    computed = f", in {estimated.precision}" if estimated.precision else ""
    short = "" if needed < there else ": it may be killed for memory"
    return (
        f"about {_minutes(estimated.seconds)} min and {needed:.1f} GB of {there:.1f} GB that are "
        f"free{computed}{short}"
    )


def otherwise(
    recipe: Recipe, estimated: TrainingEstimate, lines: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return what to say where the first steps show that a training takes another time.

    The very first one also warms up, and rows sorted by length begin with the longest: it is those
    after it that are looked at, by the tokens that they have learnt.

    Args:
        recipe: what is run.
        estimated: what was told before it began.
        lines: of its progress file, since its process began.

    Returns:
        nothing where it goes about as estimated; None while too little is known.
    """
    begun = [line for line in lines if line["step"] > lines[0]["step"]]
    if not begun or begun[-1]["step"] == begun[0]["step"]:
        return None
    first, last = begun[0], begun[-1]
    seconds = last["seconds"] - first["seconds"]
    if seconds < LEAST_SECONDS:
        return None
    made = (last["step"] - first["step"]) / last["steps"]
    if recipe.rows == "answers" and estimated.tokens and last.get("tokens"):
        made = (last["tokens"] - first["tokens"]) / estimated.tokens
    whole = seconds / made
    near = max(whole, estimated.seconds) < FAR_OFF * min(whole, estimated.seconds)
    if near or _minutes(whole) == _minutes(estimated.seconds):
        return ""
    left = _minutes(whole * (1 - last["step"] / last["steps"]))
    return (
        f"by its first {last['step'] - lines[0]['step']} steps about {left} min are left; "
        f"{_minutes(estimated.seconds)} min in all were estimated"
    )


def _minutes(seconds: float) -> int:
    return max(1, round(seconds / 60))


def _foreseen(folder: Path) -> TrainingEstimate | None:
    path = folder / ESTIMATED
    try:
        return read_record(path, TrainingEstimate, "what was estimated") if path.is_file() else None
    except DataError:  # a figure to compare with, and no more
        return None


def _weights(base: Path) -> list[str]:
    return [path.name for path in base.iterdir() if path.suffix in (".safetensors", ".json")]


@contextmanager
def _alone(folder: Path) -> Iterator[TextIO]:
    """Hold the folder against a second training into it.

    The training's own process holds it as well: it may outlive this one.
    """
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            number = lock.read().strip()
            which = f"process {number}" if number else "that process"
            raise TrainingError(
                f"another training is writing to {folder}: wait for it, or end {which}; what it "
                "has learnt by its last checkpoint is kept"
            ) from None
        yield lock


def _run(
    recipe: Recipe,
    folder: Path,
    watch: Watch,
    fields: Mapping[str, str],
    lock: TextIO,
    estimated: TrainingEstimate | None,
    start: Start,
) -> None:
    """Run a recipe's program to its end.

    Raises:
        TrainingError: it failed, or was killed.
    """
    log = folder / "train.log"
    named = (fields.get("model_name_or_path"), fields.get(TEACHER))
    needs = tuple(Path(each) for each in named if each and Path(each).is_dir())
    process = start(Order(tuple(_command(recipe, folder, fields)), log, needs), lock.fileno())
    try:
        lock.truncate(0)
        lock.write(process.name)
        lock.flush()
        check = partial(otherwise, recipe, estimated) if estimated is not None else _nothing
        title = f"training {recipe.name}"
        _follow(process, folder / "progress.jsonl", title, watch, estimated, check)
        code = process.poll()
    finally:
        process.end()  # interrupted: the checkpoint stays, the process does not
    _refuse_failed(recipe, code or 0, log)


def _command(recipe: Recipe, folder: Path, fields: Mapping[str, str]) -> list[str]:
    program = guarded(recipe.program) if keeps_here() else [str(recipe.program)]
    command = [
        *(sys.executable, *program, "--config", str(recipe.path)),
        *("--train_file", str(folder / "rows.jsonl"), "--output_dir", str(folder)),
    ]
    for name, value in fields.items():
        command += [f"--{name}", value]
    return command


def _refuse_failed(recipe: Recipe, code: int, log: Path) -> None:
    if code == -signal.SIGKILL:
        raise TrainingError(
            f"{recipe.path.name} was killed, most likely for want of memory (log: {log}). Halve "
            "per_device_train_batch_size and double gradient_accumulation_steps, or take a recipe "
            "that needs less: qlora. What was learnt is kept: the same command goes on"
        )
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise TrainingError(f"{recipe.path.name} failed: {''.join(last)[:300]} (log: {log})")


def _follow(
    process: Process,
    progress: Path,
    title: str,
    watch: Watch,
    estimated: TrainingEstimate | None,
    check: Callable[[Sequence[Mapping[str, Any]]], str | None],
) -> None:
    before = len(_lines(progress))
    loading = Work("starting a training", 1.0, START_SECONDS)
    with watch.step(f"starting {title}", 1, loading) as advance:
        while process.poll() is None and len(_lines(progress)) == before:
            time.sleep(POLL_SECONDS)
        advance(1)
    steps = int((_lines(progress) or [{"steps": 1}])[-1]["steps"])
    said: str | None = None
    with watch.step(title, steps, _work(title, estimated)) as advance:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            lines = _lines(progress)
            advance(*_how_far(lines), worked=_worked(lines[before:], estimated))
            if said is None and (said := check(lines[before:])):
                watch.say(f"  {title}: {said}")


def _work(title: str, estimated: TrainingEstimate | None) -> Work | None:
    """Return what a training has to learn, in tokens where they were counted before."""
    if estimated is None or not estimated.tokens:
        return None
    return Work(title, estimated.tokens, max(1.0, estimated.seconds - START_SECONDS))


def _worked(lines: Sequence[Mapping[str, Any]], estimated: TrainingEstimate | None) -> Worked:
    """Return what is learnt since the first step, which also warms up; tokens where they count.

    Steps of a batch of long rows take longer than others.
    """
    if not lines:
        return Worked(0.0, 1.0)
    first, last = lines[0], lines[-1]
    steps, counted = max(1, last["steps"]), estimated.tokens if estimated is not None else 0
    rest = (counted or steps) * (1 - first["step"] / steps)  # a killed training goes on
    made = rest * (last["step"] - first["step"]) / max(1, steps - first["step"])
    if counted and last.get("tokens") and first.get("tokens") and last["step"] < steps:
        made = min(rest, last["tokens"] - first["tokens"])
    return Worked(made, rest)


def _nothing(lines: Sequence[Mapping[str, Any]]) -> str:
    """Nothing was estimated, so that nothing can differ from it."""
    return ""


def _how_far(lines: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """Return the last step, and the last loss that was logged."""
    losses = [line["loss"] for line in lines if line.get("loss") is not None]
    step = int(lines[-1]["step"]) if lines else 0
    return step, f"loss {losses[-1]:.3f}" if losses else ""


def _lines(progress: Path) -> list[dict[str, Any]]:
    if not progress.is_file():
        return []
    found = []
    for line in progress.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, TypeError):  # a line that is half written yet
            said = dict(json.loads(line))
            found += [said] if {"step", "steps"} <= said.keys() else []
    return found
