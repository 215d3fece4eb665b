"""Code that a task names: found, read whole, and run only with consent from outside the task.

Consent is `--allow-code` on the command line, or the sha256 of the code in the user's own
configuration (`ladder.trust.settings`). What was digested is what runs: the very bytes that were
read become the module, and no kept bytecode or library beside them is looked at.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Literal

from ladder.errors import Problem, TaskError
from ladder.files import digest_of
from ladder.trust.settings import read_settings, shown
from ladder.wording import harmless

MOST_FILES, MOST_BYTES = 1000, 10_000_000
Granted = Literal["nothing", "trusted", "all"]
"""What of a task's code may run: nothing (check, --dry-run), what the user's configuration trusts,
or all of it (--allow-code)."""


@dataclass(frozen=True)
class Code:
    """Python files that would run: all that lie beneath a file's or folder's name."""

    place: Path
    """The file or folder."""
    files: Mapping[str, bytes] = field(repr=False)
    """Name from the place's parent -> content, by name."""

    @cached_property
    def digest(self) -> str:
        """The sha256 over every file's name and content."""
        return digest_of({name: sha256(data).hexdigest() for name, data in self.files.items()})


@dataclass(frozen=True)
class Consent:
    """What a person has allowed for a task, outside of it."""

    source: Path = Path("task.yaml")
    """The task file; code of its own lies beside it."""
    granted: Granted = "trusted"

    @property
    def folder(self) -> Path:
        """The folder of the task file."""
        return self.source.parent

    @property
    def command(self) -> str:
        """The command that gives consent to what the task names."""
        return f"ladder trust {shlex.quote(harmless(str(self.source)))}"

    def holds_for(self, code: Code | None) -> bool:
        """Tell whether code may run; None stands for code that is not on this machine yet."""
        if self.granted != "trusted":
            return self.granted == "all"
        return code is not None and code.digest in read_settings().trusted_code

    def missing(self, where: str, named: str, code: Code | None) -> Problem:
        """Return what to tell where consent is missing."""
        got = f"`{harmless(named, 80)}`, which runs code"
        wanted = "consent that stands outside the task"
        flag = "add --allow-code to this command"
        if code is None:
            return Problem(where, got, wanted, f"If you trust it, {flag}.")
        got += f" in {shown(code.place)}"
        head = f"{code.place.name}, named by "
        if any(comment.startswith(head) for comment in read_settings().trusted_code.values()):
            got += ", other code than was trusted under that name"
        fix = f"Read it; then type `{self.command}` once, or {flag}."
        return Problem(where, got, wanted, fix)


def read_code(place: Path, where: str, *, within: Path | None = None) -> Code:
    """Read all Python files beneath a folder, or one file.

    Args:
        place: the file or folder.
        where: what a mistake is said of.
        within: the folder that no link may lead out of; default: the place's own.

    Raises:
        TaskError: a link leads out of it, or it is too large to be read by a person.
    """
    root = (within or place if place.is_dir() else within or place.parent).resolve()
    if not place.resolve().is_relative_to(root):
        raise TaskError([Problem(where, f"{shown(place)}, a link out of the folder", "a file")])
    paths = [place] if place.is_file() else sorted(_python_files(place))
    found: dict[str, bytes] = {}
    size = 0
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise TaskError([Problem(where, f"{shown(path)}, a link out of the folder", "a file")])
        size += path.stat().st_size
        if len(found) >= MOST_FILES or size > MOST_BYTES:
            wanted = f"at most {MOST_FILES} files of {MOST_BYTES // 1_000_000} MB in all"
            raise TaskError([Problem(where, f"more code in {shown(place)}", wanted)])
        found[path.relative_to(place.parent).as_posix()] = path.read_bytes()
    return Code(place, found)


def _python_files(folder: Path) -> list[Path]:
    found = []
    for parent, _, names in os.walk(folder):
        paths = [Path(parent, name) for name in names if name.endswith(".py")]
        found += [path for path in paths if path.is_file()]
    return found


def load_module(code: Code, name: str) -> ModuleType:
    """Run a module of code that was read, under a name of its own, and return it.

    Args:
        code: of a file `top.py`, or of the folder `top`.
        name: `top`, or `top.module`; relative imports among the files work.

    Raises:
        ImportError: there is no such module in it. Whatever the code raises comes through.
    """
    root = f"ladder_code_{code.digest[:16]}"
    if not any(isinstance(each, _Read) and each.root == root for each in sys.meta_path):
        sys.meta_path.insert(0, _Read(root, code))
    return importlib.import_module(f"{root}.{name}")


class _Read(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Makes modules of bytes that were read: no other file beside them can take their place."""

    def __init__(self, root: str, code: Code) -> None:
        self.root = root
        self.code = code

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module beneath the root; None for all others."""
        if name != self.root and not name.startswith(f"{self.root}."):
            return None
        if self._file(name) is None and not self.is_package(name):
            return None
        origin = str(self.code.place.parent / (self._file(name) or ""))
        return importlib.machinery.ModuleSpec(
            name, self, origin=origin, is_package=self.is_package(name)
        )

    def is_package(self, fullname: str) -> bool:
        """Tell whether modules lie beneath it."""
        inside = f"{self._inner(fullname)}/"
        return fullname == self.root or any(each.startswith(inside) for each in self.code.files)

    def get_source(self, fullname: str) -> str:
        """Return the text of a module; a folder without one is an empty package."""
        file = self._file(fullname)
        return importlib.util.decode_source(self.code.files[file]) if file else ""

    def _inner(self, name: str) -> str:
        return name.removeprefix(self.root).removeprefix(".").replace(".", "/")

    def _file(self, name: str) -> str | None:
        inner = self._inner(name)
        names = (f"{inner}/__init__.py", f"{inner}.py")
        return next((each for each in names if each in self.code.files), None)
