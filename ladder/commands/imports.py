"""`ladder import`: a task for what another tool holds, and a list of what it cannot hold."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ladder.commands.init import ImportedTask, propose_and_write, without_task_file
from ladder.commands.proposal import Talk, Wishes
from ladder.commands.task_files import default_folder
from ladder.errors import DataError, Problem, ProblemsError, TaskError
from ladder.files import file_digest, write_json_lines, write_whole
from ladder.importers import FORMATS, Format, Imported, Source, open_source
from ladder.importers.base import in_places, told_once
from ladder.wording import code, fenced, harmless, in_markdown

ROWS, DOCUMENTS = "rows.jsonl", "documents.jsonl"
WITHOUT, LIST = "without_target.jsonl", "import.md"
MOST_PLACES = 200
"""Of one finding, in the list."""
TOLD = 12
"""Findings on the terminal; the list has all."""
HEAD = """\
# Imported by `ladder import` from {tool}: change what does not fit. Every key: docs/task.md
# What was not carried over, and what was read as what: import.md ({count} findings)
# ladder check task.yaml      reads the rows, reports every mistake
# ladder assess task.yaml     climbs until a rung passes
"""


def import_task(path: Path, folder: Path | None, name: str, wishes: Wishes, talk: Talk) -> None:
    """Read what another tool has written, propose a task for it, and write it.

    Args:
        path: a file, or the folder of a project.
        folder: of the task; None: named after the source.
        name: of the format; empty: told by the content.
        wishes: what the user said.
        talk: with the user.

    Raises:
        TaskError, DataError: what is wrong, or which option answers a question that nobody can.
    """
    source = open_source(path)
    form = _format(source, name)
    found = form.read(source)
    folder = folder or _folder(source, found)
    if wishes.takes_proposals:
        talk = replace(talk, ask=None)
    for line in _told(form, found):
        talk.tell(line)
    with tempfile.TemporaryDirectory() as made:
        files = _written(Path(made), source, form, found)
        sources = {"examples": files[ROWS]}
        sources |= {"documents": files[DOCUMENTS]} if DOCUMENTS in files else {}
        beside = [files[each] for each in (WITHOUT, LIST) if each in files]
        findings = len(list(told_once(found.left)))
        head = HEAD.format(tool=harmless(found.tool, 80), count=findings)
        imported = ImportedTask(found.stated, head, beside)
        with _at_the_source(path, files[ROWS], found), without_task_file([path]):
            propose_and_write(folder, sources, wishes, talk, imported)


def _format(source: Source, name: str) -> Format:
    """Return the format of a source, as the user says it or by its content."""
    if name and name not in FORMATS:
        known = ", ".join(FORMATS)
        raise TaskError([Problem("--from", f"`{name}`", f"one of {known}")])
    if name:
        return FORMATS[name]
    if not source.files:
        fix = "Name the file itself."
        got = "a folder without a file that may hold samples"
        raise DataError([Problem(str(source.path), got, _wanted(), fix)])
    fitting = [form for form in FORMATS.values() if form.recognises(source)]
    strong = [form for form in fitting if not form.is_rows] or fitting
    if len(strong) == 1:
        return strong[0]
    if not strong:
        for path in source.files if len(source.files) == 1 else ():
            _say_if_broken(source, path)
        fix = "Plain rows are read by: ladder init ROWS. Else say what it is: --from FORMAT"
        got = "nothing that one of these tools writes"
        raise DataError([Problem(str(source.path), got, _wanted(), fix)])
    names = " and ".join(form.name for form in strong)
    fix = f"Name one file, or say which: --from {strong[0].name}"
    raise DataError([Problem(str(source.path), f"files of {names}", "one format", fix)])


def _say_if_broken(source: Source, path: Path) -> None:
    """Say what is wrong with a file that cannot be read as what its name says."""
    if path.suffix.lower() in (".yaml", ".yml"):
        source.yaml(path)
    elif not source.is_zip(path):
        source.records(path)


def _wanted() -> str:
    return f"one of {', '.join(FORMATS)}"


def _folder(source: Source, found: Imported) -> Path:
    """Return a folder for the task, named after it; never the source's own."""
    own = re.sub(r"[^\w.-]+", "-", found.name).strip("-._")[:60]
    fallback = source.path.absolute().name if source.path.is_dir() else default_folder(source.path)
    folder = Path(own or fallback)
    return folder.with_name(f"{folder.name}-task") if folder.exists() else folder


def _told(form: Format, found: Imported) -> Iterator[str]:
    """Yield what was read, and what was left."""
    without = f", {len(found.without_target):,} without an answer" if found.without_target else ""
    documents = f", {len(found.documents):,} documents" if found.documents else ""
    yield f"{form.title}: {found.tool} · {len(found.rows):,} samples{without}{documents}"
    yield from (f"  {note}" for note in found.notes)
    findings = list(told_once(found.left))
    for left, places in findings[:TOLD]:
        yield f"not as it was: {left.what} ({in_places(places)}) · {left.instead}"
    if len(findings) > TOLD:
        yield f"… and {len(findings) - TOLD} more kinds, all in {LIST}"


def _written(made: Path, source: Source, form: Format, found: Imported) -> dict[str, Path]:
    """Write what was imported into a folder; return name -> file."""
    if not found.rows:
        got = f"{form.title} with {len(found.without_target):,} samples, none with a right answer"
        first = next((f" ({left.what})" for left in found.left if "answer" not in left.what), "")
        fix = (
            f"Give each what is right{first}; what another program decides cannot be carried over."
        )
        raise DataError([Problem(str(source.path), got, "samples that say what is right", fix)])
    files = {ROWS: found.rows, WITHOUT: found.without_target, DOCUMENTS: found.documents}
    paths = {name: made / name for name, rows in files.items() if rows}
    for name, path in paths.items():
        write_json_lines(path, files[name])
    paths[LIST] = made / LIST
    write_whole(paths[LIST], "\n".join(_list(source, found)) + "\n")
    return paths


def _list(source: Source, found: Imported) -> Iterator[str]:
    """Yield the lines of import.md."""
    yield f"# Imported from {in_markdown(found.tool)}"
    yield ""
    yield f"{code(source.path.name)}: {len(found.rows):,} samples with a right answer"
    yield from _digests(source)
    yield from ("", "## Read as", "")
    yield from (
        f"- {in_markdown(note)}" for note in found.notes or ("input and target as they are",)
    )
    yield from ("", "## Not carried over as it is", "")
    findings = list(told_once(found.left))
    if findings:
        yield from ("| what | what became of it | where |", "|---|---|---|")
    else:
        yield "Nothing was left behind."
    for left, places in findings:
        where = in_places(places, MOST_PLACES)
        cells = (left.what, left.instead, f"{len(places):,} x: {where}")
        yield f"| {' | '.join(map(in_markdown, cells))} |"
    for number, (heading, text) in enumerate(found.texts):
        if number == 0:
            yield from ("", "## Kept word for word")
        yield from ("", f"### {in_markdown(heading)}", "", *fenced(text))


def _digests(source: Source) -> Iterator[str]:
    for path in source.files[:20]:
        yield f"- {code(source.short(path))}: sha256 {file_digest(path)}"


@contextmanager
def _at_the_source(path: Path, rows: Path, found: Imported) -> Iterator[None]:
    """Tell of mistakes in rows where these stand in the source."""
    try:
        yield
    except ProblemsError as error:
        told = [_moved(problem, path, rows, found.places) for problem in error.problems]
        raise type(error)(told) from None


def _moved(problem: Problem, path: Path, rows: Path, places: Sequence[str]) -> Problem:
    where = problem.where
    line = re.match(rf"{re.escape(str(rows))}:(\d+)", where)
    if line and int(line[1]) <= len(places):
        where = f"{places[int(line[1]) - 1]}{where[line.end() :]}"
    where = where.replace(str(rows), str(path)).replace(str(rows.parent), str(path))
    return replace(problem, where=where)
