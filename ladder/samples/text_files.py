"""A folder of text files -> rows of documents: id, title, text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ladder.errors import DataError, Problem
from ladder.files import fault_of_name
from ladder.samples.lines import text_lines
from ladder.samples.values import nfc, text_of

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".text")


def documents_in(folder: Path) -> tuple[list[Mapping[str, str]], list[str]]:
    """Return the text files of a folder and of those below it as rows, and those left out.

    The id is the path within the folder; the title the first heading of Markdown, else the name.
    Hidden files and links are no documents.

    Returns:
        Rows of id, title and text, by id; and, in words, each file that is none.

    Raises:
        DataError: no file can be read as a document, or one that should be cannot be read.
    """
    rows: list[Mapping[str, str]] = []
    problems: list[Problem] = []
    left: list[str] = []
    for path in _files(folder):
        name = nfc(path.relative_to(folder).as_posix())
        if path.suffix.lower() not in TEXT_SUFFIXES:
            left.append(f"{name} (no {', '.join(TEXT_SUFFIXES[:2])})")
            continue
        fault = fault_of_name(path)
        if fault:
            problems.append(fault)
            continue
        text = text_of(nfc("".join(line for _, line in text_lines(path, problems))))
        if text:
            rows.append({"id": name, "title": _title(path, text), "text": text})
        else:
            left.append(f"{name} (empty)")
    if not rows and not problems:
        got = f"no text file ({len(left)} others)" if left else "no file"
        fix = "Save the documents as .txt or .md, or give a file of rows with id, title, text."
        problems = [Problem(str(folder), got, f"files in {', '.join(TEXT_SUFFIXES[:2])}", fix)]
    if problems:
        raise DataError(problems)
    return rows, left


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, by name; nothing hidden, no link is followed."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _title(path: Path, text: str) -> str:
    first = text.split("\n", 1)[0].strip()
    heading = first.lstrip("#").strip() if first.startswith("#") else ""
    return heading[:200] or nfc(path.stem)
