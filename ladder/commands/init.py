"""`ladder init`: a small task to start from, or one that is proposed for a file of rows."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ladder.commands.hub import hub_folder, hub_sources, is_hub_name, is_prefixed
from ladder.commands.proposal import (
    Proposal,
    Sources,
    Talk,
    Wishes,
    fault_of_goal,
    parts_of_files,
    proposal_lines,
    propose,
    with_answers,
)
from ladder.commands.task_files import (
    Reasons,
    default_folder,
    in_a_list,
    names_beside,
    refuse_taken,
    task_name,
    write_task,
)
from ladder.errors import Problem, ProblemsError, TaskError
from ladder.files import open_file, problem_of, shipped, write_json_lines, write_whole
from ladder.importers import NOTHING_STATED, Stated
from ladder.samples.describe import headline
from ladder.samples.parts import PARTS, Part, part_in
from ladder.samples.text_files import documents_in
from ladder.task import DATASETS_PREFIX, SHEETS, conversion, kind_of_data

SOURCE = "r1_guest_feedback"
STARTER_ROWS = ("train.jsonl", "test.jsonl")
TEXT = """\
# ladder check task.yaml      reads the rows, reports every mistake
# ladder assess task.yaml     climbs until a rung passes
name: my-task
goal: Tell whether a hotel guest's comment is positive or negative.
data:
  train: train.jsonl          # rows with id, input, target; csv and parquet work too
  test: test.jsonl            # held-out examples; or give `examples:` alone and let ladder split it
  # documents: documents.jsonl    # rows with id, title, text: what the rag rung may read
answer: {type: label}         # label | text | number | json
score: exact_match            # exact_match | contains | token_f1 | number | json_fields
gate:
  min_score: 0.85
  # max_p95_ms: 500
  # max_cost_usd_per_1k: 0.10
# models: {base: bundled:smollm2-135m}   # or hf:FOLDER, or openai:MODEL@https://HOST/v1
"""
LEFT_OUT_SHOWN = 5


@dataclass(frozen=True)
class ImportedTask:
    """What is known of a task whose rows were imported from another tool."""

    stated: Stated = NOTHING_STATED
    head: str = ""
    """Of task.yaml, as comments; empty: `ladder init`'s own."""
    beside: Sequence[Path] = ()
    """Further files that are written beside the task."""


NOT_IMPORTED = ImportedTask()


PROBLEMS_SHOWN = 3
INNER = "data"
"""The folder in which data sets in the hub's layout keep their files."""


def write_starter(folder: Path) -> None:
    """Write task.yaml and rows into a new folder.

    Raises:
        TaskError: the folder holds a task or rows already.
    """
    if os.path.lexists(folder / "task.yaml"):
        fix = "Choose another folder: ladder init FOLDER"
        raise TaskError([Problem(str(folder), "a folder with a task.yaml", "a new folder", fix)])
    there = [name for name in STARTER_ROWS if os.path.lexists(folder / name)]
    if there:
        named = " ".join(shlex.quote(str(folder / name)) for name in there)
        fix = f"Name the rows, so that a task is proposed for them: ladder init {named}"
        got = f"a folder with {' and '.join(there)}"
        raise TaskError([Problem(str(folder), got, "a new folder", fix)])
    write_whole(folder / "task.yaml", TEXT)
    for name in STARTER_ROWS:
        shutil.copyfile(shipped("evalsets") / SOURCE / name, folder / name)


def is_data(place: Path) -> bool:
    """Tell whether an argument names rows, or is a file; else it names the folder of a task.

    A folder names rows where it holds files that are named after the parts of a data set.
    """
    if is_hub_name(place) or kind_of_data(place.name) or place.suffix.lower() in SHEETS:
        return True
    return place.is_file() or bool(parts_in(place))


def parts_in(folder: Path) -> dict[Part, list[Path]]:
    """Return part -> the files of rows in a folder, or in its `data`, that are named after it.

    Empty where nothing there judges, or where the folder is that of a task.
    """
    if not folder.is_dir() or (folder / "task.yaml").exists():
        return {}
    for place in (folder, folder / INNER):
        files = [path for path in sorted(place.glob("*")) if kind_of_data(path.name)]
        found = {part: [file for file in files if part_in(file.name) == part] for part in PARTS}
        if (found["dev"] or found["test"]) and found["train"]:
            return {part: named for part, named in found.items() if named}
    return {}


def init_from_rows(
    places: Sequence[Path], wishes: Wishes, talk: Talk, *, download: bool = False
) -> None:
    """Propose a task for files of rows, ask what they cannot tell, and write it.

    Args:
        places: a file, which is split, or two or three, for training, choosing and held out; or a
            folder that holds those, or the id of a data set; and the folder of the task, where it
            is not named after them.
        wishes: what the user said.
        talk: with the user.
        download: whether the hub may be asked for a data set.

    Raises:
        TaskError, DataError: what is wrong, or which option answers a question that nobody can.
    """
    files, folder = _files_and_folder(places)
    if wishes.takes_proposals:
        talk = replace(talk, ask=None)
    with tempfile.TemporaryDirectory() as made, without_task_file(files):
        if is_hub_name(files[0]):
            rows = hub_sources(files[0], download=download, tell=talk.tell)
        else:
            rows = _by_role(files)
        sources = {**rows, **_documents(wishes.documents, Path(made), talk)}
        propose_and_write(folder, sources, wishes, talk)


def propose_and_write(
    folder: Path,
    sources: Sources,
    wishes: Wishes,
    talk: Talk,
    imported: ImportedTask = NOT_IMPORTED,
) -> None:
    """Propose a task for files of rows, tell it, ask what they leave open, and write it.

    Args:
        folder: the task's.
        sources: role -> its file.
        wishes: what the user said.
        talk: with the user.
        imported: where the rows come from another tool: what it states, and what is told of it.

    Raises:
        TaskError, DataError: what is wrong, or which option answers a question that nobody can.
    """
    names = names_beside(sources)
    refuse_taken(folder, names, sources, imported.beside)
    found = propose(task_name(folder), sources, wishes, talk, imported.stated)
    for line in proposal_lines(found, names):
        talk.tell(line)
    found = _answered(found, wishes, talk)
    why = Reasons(parts_of_files(found), found.form.why, found.score_why, found.gate.why)
    if imported.head:
        why = replace(why, head=imported.head)
    written = write_task(folder, found.task, names, sources, why, imported.beside)
    path = shlex.quote(str(folder / "task.yaml"))
    talk.tell(f"Wrote {in_a_list(written)}. Next: ladder check {path}")


def _files_and_folder(places: Sequence[Path]) -> tuple[list[Path], Path]:
    files = _without_new_folders([place for place in places if is_data(place)])
    if any(not place.is_dir() for place in files):  # then a folder is where the task goes
        files = [place for place in files if not place.is_dir()]
    folders = [place for place in places if place not in files]
    if len(files) > 3 or (len(files) > 1 and any(map(is_hub_name, files))):
        fix = (
            "Name one file or data set, or the files for training, choosing (validation) and "
            "measuring (test)."
        )
        raise TaskError([Problem(str(files[1]), f"{len(files)} of them", "one to three", fix)])
    if len(folders) > 1:
        fix = "ladder init DATA [FOLDER]"
        raise TaskError([Problem(str(folders[1]), "a second folder", "one folder", fix)])
    if parts_in(files[0]):
        where = folders[0] if folders else Path(files[0].resolve().name)
        return _one_of_each(files[0]), where
    usual = hub_folder if is_hub_name(files[0]) else default_folder
    return files, folders[0] if folders else usual(files[0])


def _without_new_folders(places: Sequence[Path]) -> list[Path]:
    """Return what holds rows: beside files of rows, `owner/name` is a folder to be made."""
    files = [place for place in places if not is_hub_name(place)]
    return [place for place in places if place in files or not files or is_prefixed(place)]


def _one_of_each(folder: Path) -> list[Path]:
    """Return the file of each part of a data set in a folder."""
    found = parts_in(folder)
    for part, files in found.items():
        if len(files) > 1:
            fix = "Join them, or name the files that you mean: ladder init TRAIN DEV TEST"
            got = f"{len(files)} files of the part {part} ({files[0].name}, {files[1].name})"
            raise TaskError([Problem(str(folder), got, "one", fix)])
    return [files[0] for files in found.values()]


def _answered(found: Proposal, wishes: Wishes, talk: Talk) -> Proposal:
    """Return a proposal with the goal and the least score that the user says or takes."""
    if wishes.takes_proposals or (wishes.goal and wishes.min_score is not None):
        return found
    if talk.ask is None:
        got = "nobody at a terminal to say the goal and the least score"
        fix = (
            "Take the proposals with --yes, or say them: --goal SENTENCE --min-score SHARE; where "
            "the rows were misunderstood, --target COLUMN, --input COLUMN, --answer FORM"
        )
        raise TaskError([Problem("the task", got, "an answer", fix)])
    goal, score = wishes.goal, wishes.min_score
    while fault_of_goal(goal):
        goal = talk.ask("The goal, with which prompts begin", found.task.goal).strip()
    while score is None or not 0 < score <= 1:
        with suppress(ValueError):
            score = float(
                talk.ask("The least score to pass, from 0 to 1", f"{found.gate.min_score:g}")
            )
    answered = with_answers(found, goal, score)
    if score != found.gate.min_score:
        talk.tell(headline(answered.task, answered.report))
    return answered


def _documents(documents: Path | None, made: Path, talk: Talk) -> dict[str, Path]:
    """Return the file of the documents; a folder of them becomes one in the folder `made`."""
    if documents is None:
        return {}
    if not documents.is_dir():
        _refuse_unreadable(documents)
        return {"documents": documents}
    rows, left = documents_in(documents)
    write_json_lines(made / "documents.jsonl", rows)
    if left:
        more = f" and {len(left) - LEFT_OUT_SHOWN} more" if len(left) > LEFT_OUT_SHOWN else ""
        talk.tell(f"{documents}: left out {', '.join(left[:LEFT_OUT_SHOWN])}{more}")
    return {"documents": made / "documents.jsonl"}


def _by_role(files: Sequence[Path]) -> dict[str, Path]:
    """Return which of the files is for what: a single one is split, others go by their names."""
    for path in files:
        _refuse_unreadable(path)
    if len(files) == 1:
        return {"examples": files[0]}
    for at, path in enumerate(files):
        if any(path.samefile(other) for other in files[:at]):
            fix = "What a model learns from cannot measure it: name another file, or one alone."
            raise TaskError([Problem(str(path), "the same file again", "another file", fix)])
    if len(files) == 2:
        first, second = files
        held = [part_in(file.stem) in ("dev", "test") for file in files]
        if held == [True, False]:
            first, second = second, first
        return {"train": first, "test": second}
    named = {part: file for file in files if (part := part_in(file.stem))}
    if len(named) < len(files):
        fix = "Name them so, e.g. train.csv, validation.csv and test.csv."
        got = f"three files ({', '.join(file.name for file in files)})"
        wanted = "names that say which is for training, which chooses and which is the test"
        raise TaskError([Problem(str(files[0].parent), got, wanted, fix)])
    return {part: named[part] for part in PARTS}


def _refuse_unreadable(path: Path) -> None:
    if str(path).startswith(DATASETS_PREFIX):
        fix = f'Name it in the task file: data: {{documents: "{path}"}}'
        raise TaskError([Problem(str(path), "a data set", "a file of documents", fix)])
    try:
        open_file(path).close()
    except OSError as error:
        raise TaskError([problem_of(path, error, "a file of rows")]) from None
    if not kind_of_data(path.name):
        wanted = "a file of rows: .jsonl, .json, .csv, .tsv or .parquet"
        raise TaskError([Problem(str(path), "another kind", wanted, conversion(path.name))])


@contextmanager
def without_task_file(files: Sequence[Path]) -> Iterator[None]:
    """Say what is wrong with rows without the task file, which is not written yet."""
    try:
        yield
    except ProblemsError as error:
        first, rest = error.problems[:PROBLEMS_SHOWN], error.problems[PROBLEMS_SHOWN:]
        told = [_by_options(problem, files) for problem in first]
        if rest:
            told.append(Problem("…", f"{sum(map(_rows_of, rest)):,} more such rows", "none"))
        raise type(error)(told) from None


def _rows_of(problem: Problem) -> int:
    """Return of how many rows a problem tells: one, or those that another reader has counted."""
    return int(problem.got.split()[0]) if problem.where == "…" else 1


def _by_options(problem: Problem, files: Sequence[Path]) -> Problem:
    where, fix = problem.where, problem.fix.replace("answer: {type: json}", "--answer json")
    if where.startswith("task.yaml: "):
        where = in_a_list(files)
    if any(said in fix for said in ("in the task file", "data.columns", "data: {columns")):
        fix = "Give every row of every file this column, or name another: --input, --target"
    return replace(problem, where=where, fix=fix)
