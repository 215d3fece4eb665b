"""The files of a source: found without following links, read within bounds, parsed once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ladder.errors import DataError, Problem
from ladder.files import open_file, problem_of, read_text
from ladder.json_values import from_json
from ladder.samples.formats import Findings, file_rows, whole_text
from ladder.samples.lines import text_lines
from ladder.samples.values import plain
from ladder.task import kind_of_data
from ladder.task.loading import TooManyValuesError, read_yaml
from ladder.wording import harmless

MOST_FILES = 2_000
DEEPEST_FOLDER = 6
LONGEST_JSON = 400_000_000
"""Characters of a file that is parsed as a whole."""
LONGEST_YAML = 20_000_000
SKIPPED = {"node_modules", "__pycache__"}
SUFFIXES = (".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".csv", ".tsv", ".gz", ".eval")
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")

Numbered = list[tuple[str, dict[str, Any]]]


@dataclass
class Source:
    """A file or a folder that is imported."""

    path: Path
    files: tuple[Path, ...]
    """In it, those that may belong to a format; by name."""
    _records: dict[Path, Numbered] = field(default_factory=dict)
    _yaml: dict[Path, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder that nothing is read outside of."""
        return self.path if self.path.is_dir() else self.path.parent

    def short(self, path: Path) -> str:
        """Return how a file is called in messages: below the source, or by its name."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path.name

    def records(self, path: Path) -> Numbered:
        """Return the objects of a file with their places: JSON, JSON lines, an array, or CSV.

        Raises:
            DataError: what is wrong with the file.
        """
        if path not in self._records:
            self._records[path] = list(self._read(path))
        return self._records[path]

    def first(self, path: Path) -> dict[str, Any]:
        """Return the first object of a file; empty where it holds none, or cannot be read."""
        try:
            records = self.records(path)
        except DataError:
            return {}
        return records[0][1] if records else {}

    def yaml(self, path: Path) -> Any:
        """Return what a YAML file holds, by the safe rules alone: no tag makes an object.

        Raises:
            DataError: it is no YAML, or too much.
        """
        if path not in self._yaml:
            self._yaml[path] = _yaml_of(path, self.short(path))
        return self._yaml[path]

    def is_zip(self, path: Path) -> bool:
        """Tell whether a file begins as a zip archive does."""
        try:
            with open_file(path) as file:
                return file.read(4) in ZIP_MARKS
        except OSError:
            return False

    def inside(self, name: str, beside: Path | None = None) -> Path:
        """Return the file that a source names, which must lie inside it.

        Args:
            name: as the source writes it, relative to a file of it.
            beside: that file; default: the source's own folder.

        Raises:
            DataError: it leads out of the source, is a link or is no file.
        """
        base = (beside.parent if beside else self.root).absolute()
        return _inside(self.root.absolute(), base, name)

    def _read(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        findings = Findings()
        if kind_of_data(path.name) == "csv":
            rows: Iterator[tuple[str, Mapping[str, Any]]] = file_rows(path, findings)
            numbered = [(self._at(where, path), plain(row)) for where, row in rows]
        else:
            numbered = [(where, plain(row)) for where, row in self._json(path, findings)]
        whole = list(whole_text(numbered, findings.problems))
        if findings.problems:
            raise DataError(findings.problems[:MOST_PROBLEMS])
        yield from ((where, dict(row)) for where, row in whole)

    def _at(self, where: str, path: Path) -> str:
        return where.replace(str(path), self.short(path), 1)

    def _json(self, path: Path, findings: Findings) -> Iterator[tuple[str, dict[str, Any]]]:
        lines = list(_lines_of(path, findings))
        text, name = "".join(line for _, line in lines).lstrip("\ufeff"), self.short(path)
        if findings.problems or not text.strip():
            return
        try:
            whole = from_json(text)
        except RecursionError:
            findings.problems.append(Problem(str(path), "values nested too deep", "plain JSON"))
            return
        except ValueError as error:
            yield from self._json_lines(path, lines, findings, error)
            return
        listed = whole if isinstance(whole, list) else [whole]
        for number, one in enumerate(listed, start=1):
            where = f"{name}[{number}]" if isinstance(whole, list) else name
            if isinstance(one, dict):
                yield where, one
            else:
                got = f"a JSON {type(one).__name__}"
                findings.problems.append(Problem(f"{path}: item {number}", got, "an object"))

    def _json_lines(
        self,
        path: Path,
        lines: list[tuple[int, str]],
        findings: Findings,
        as_a_whole: ValueError,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        good = False
        for number, line in lines:
            if not line.strip("\ufeff \t\r\n"):
                continue
            try:
                one = from_json(line.lstrip("\ufeff"))
            except (ValueError, RecursionError) as error:
                told = error if good else as_a_whole
                where = f"{path}:{number}" if good else str(path)
                got = f"`{harmless(line.strip(), 40)}` ({str(told)[:80]})"
                fix = "Is it cut off? Export it again."
                findings.problems.append(Problem(where, got, "JSON, or JSON lines", fix))
                return
            good = True
            if isinstance(one, dict):
                yield f"{self.short(path)}:{number}", one
            else:
                got = f"a JSON {type(one).__name__}"
                findings.problems.append(Problem(f"{path}:{number}", got, "an object"))
                return


MOST_PROBLEMS = 5


def open_source(path: Path) -> Source:
    """Return a source of files: one file, or the files in a folder and below it.

    Raises:
        DataError: there is none, it is a link or a device, or it holds too many files.
    """
    if path.is_dir():
        files = tuple(sorted(_files(path, 0)))
        if len(files) > MOST_FILES:
            fix = "Name the file, or a folder with less in it."
            got = f"more than {MOST_FILES:,} files"
            raise DataError([Problem(str(path), got, "the files of one project", fix)])
        return Source(path, files)
    try:
        open_file(path).close()
    except OSError as error:
        raise DataError([problem_of(path, error, "a file or a folder to import")]) from None
    return Source(path, (path,))


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files below a folder that may hold samples; hidden ones and links are not."""
    found = 0
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name in SKIPPED or entry.is_symlink():
            continue
        if entry.is_dir() and depth < DEEPEST_FOLDER:
            yield from _files(Path(entry.path), depth + 1)
        elif entry.is_file() and entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
            found += 1
        if found > MOST_FILES:
            return


def _lines_of(path: Path, findings: Findings) -> Iterator[tuple[int, str]]:
    size = 0
    for number, line in text_lines(path, findings.problems):
        size += len(line)
        if size > LONGEST_JSON:
            got, wanted = "more", f"at most {LONGEST_JSON:,} characters"
            findings.problems.append(Problem(str(path), got, wanted, "Name a part of it."))
            return
        yield number, line


def _yaml_of(path: Path, name: str) -> Any:
    text = read_text(path, "a YAML file", DataError, LONGEST_YAML)
    wanted = "plain YAML"
    try:
        return plain(read_yaml(text)[1])
    except TooManyValuesError as error:
        raise DataError([Problem(str(path), str(error), "fewer", "Write them out.")]) from None
    except RecursionError:
        raise DataError([Problem(str(path), "values nested too deep", wanted)]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        got = harmless(str(getattr(error, "problem", None) or error), 120)
        line = f":{mark.line + 1}" if mark else ""
        fix = "Tags that make objects are never followed; write plain values."
        fix = fix if "tag" in got else "Mend the YAML at this line."
        raise DataError([Problem(f"{path}{line}", got, wanted, fix)]) from None


def _inside(root: Path, base: Path, name: str) -> Path:
    where, wanted = f"{root}: {harmless(name, 120)}", "a file inside the source"
    fix = "Copy the file into the folder, and name it there; links are not followed."
    if "\0" in name or not name.strip():
        raise DataError([Problem(where, "no name of a file", wanted)])
    whole = Path(os.path.normpath(base / name))
    if not whole.is_relative_to(Path(os.path.normpath(root))):
        raise DataError([Problem(where, "a file outside of the source", wanted, fix)])
    for part in (whole, *whole.parents):
        if part.is_relative_to(root) and part != root and part.is_symlink():
            raise DataError([Problem(where, f"a link, {part.name}", wanted, fix)])
    try:
        open_file(whole).close()
    except (OSError, ValueError) as error:
        told = error if isinstance(error, OSError) else OSError(0, str(error))
        raise DataError([problem_of(whole, told, wanted)]) from None
    return whole
