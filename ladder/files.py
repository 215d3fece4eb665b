"""Folders and files: where things are kept, read within bounds, written whole, their digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ladder.errors import DataError, LadderError, Problem, StateError
from ladder.json_values import from_json, odd_values, oddness
from ladder.redaction import redact
from ladder.wording import in_json

if TYPE_CHECKING:
    from pydantic import BaseModel

LOCK = ".ladder.lock"
TEXT = "UTF-8 text"
"""What is wanted of a file that holds other bytes."""
R = TypeVar("R", bound="BaseModel")

Raises = Callable[[Sequence[Problem]], LadderError]
"""What a file that cannot be read is told as: the kind of error of the room that asked."""

RECORD_LIMIT_BYTES = 64_000_000
"""No record that `ladder` writes comes near it."""
LONGEST_NAME = 300
"""Characters of what is written below a runs folder, at most."""
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
FIXES = {
    errno.ENOSPC: "Free some, or choose another folder.",
    errno.EDQUOT: "Free some, or choose another folder.",
    errno.EACCES: "Give yourself the right to it, or name another one.",
    errno.EPERM: "Give yourself the right to it, or name another one.",
    errno.EROFS: "Make it writable, or choose another folder.",
    errno.ENOENT: "Fix the name.",
    errno.ENOTDIR: "Fix the name: a part of it is a file.",
    errno.EISDIR: "Name a file.",
    errno.ENAMETOOLONG: "Name a shorter one.",
    errno.ELOOP: "The symbolic links lead back to themselves: name the file itself.",
    errno.EMFILE: "Allow more open files: ulimit -n 1024",
    errno.ENFILE: "The machine has too many open files: end some programs.",
    errno.ENOMEM: "Free some memory.",
    errno.EINVAL: "Give a file: its contents are read more than once.",
}


def user_cache() -> Path:
    """Return the user's cache folder for `ladder` (XDG base directory rules).

    Raises:
        StateError: the environment names no folder, and the user has no home.
    """
    chosen = os.environ.get("LADDER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    if chosen or base:
        return Path(chosen) if chosen else Path(str(base)) / "ladder"
    try:
        return Path.home() / ".cache" / "ladder"
    except RuntimeError:
        raise StateError("no home folder is known: set HOME, or LADDER_CACHE") from None


def shipped(kind: str) -> Path:
    """Return the folder of shipped `recipes` or `evalsets`: the checkout's, else the wheel's."""
    package = Path(__file__).parent
    checkout = package.parent / kind
    if (package.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    return package / "_bundled" / kind


def canonical(value: object) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: object) -> str:
    """Return the sha256 of a JSON-able value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def digest_of_each(values: Iterable[object]) -> str:
    """Return what `digest_of` returns of a list of JSON-able values, holding one at a time."""
    found, between = hashlib.sha256(b"["), b""
    for value in values:
        found.update(between + canonical(value).encode())
        between = b","
    found.update(b"]")
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file; remembered while its size and time stay the same."""
    status = path.stat()
    return _file_digest(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_digest(path: Path, size: int, modified_ns: int) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digests(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return name -> sha256 of the files in a folder (all of them, or those named)."""
    chosen = sorted(names) if names is not None else sorted(p.name for p in folder.iterdir())
    return {name: file_digest(folder / name) for name in chosen if (folder / name).is_file()}


def whole_path(path: Path) -> Path:
    """Return an absolute path without symbolic links, one that can be written into a record.

    Raises:
        StateError: its links lead back to themselves, or its name is not UTF-8.
    """
    try:
        whole = path.resolve()
    except RuntimeError:  # a loop of links
        fix = FIXES[errno.ELOOP]
        raise StateError(f"{path}: cannot be found. {fix}") from None
    fault = fault_of_name(whole)
    if fault:
        raise StateError(str(fault))
    return whole


def fault_of_name(path: Path) -> Problem | None:
    """Return what is wrong with a path that no record can name: it is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        fix = "Rename the folder or the file: reports and plans name it."
        if sys.getfilesystemencoding() != "utf-8":
            fix = "This locale reads names in another way: set PYTHONUTF8=1."
        return Problem(f"{path}", "a name that is not UTF-8", "a name in UTF-8", fix)
    return None


def kind_of_file(mode: int) -> str:
    """Say what a path is that is not a regular file, by its mode; empty for a regular one."""
    if stat.S_ISREG(mode):
        return ""
    return next((name for of_kind, name in KINDS if of_kind(mode)), "no file")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read, and nothing else: a pipe waits, a device acts or never ends.

    Raises:
        OSError: there is none, it cannot be read, or it is something else.
    """
    _refuse_other_kinds(path, path.stat().st_mode)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _refuse_other_kinds(path, os.fstat(handle).st_mode)  # it may have changed meanwhile
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _refuse_other_kinds(path: Path, mode: int) -> None:
    kind = kind_of_file(mode)
    if kind:
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, f"{kind}, not a file", str(path))


def problem_of(path: Path, error: OSError, wanted: str) -> Problem:
    """Return what the system said of a path, as one mistake."""
    got = (error.strerror or str(error)).split(", ")[0]
    got = "no such file" if error.errno == errno.ENOENT else got[:1].lower() + got[1:]
    return Problem(str(path), got, wanted, FIXES.get(error.errno or 0, ""))


def read_text(
    path: Path, wanted: str, raises: Raises = DataError, most: int = RECORD_LIMIT_BYTES
) -> str:
    """Return the text of a regular file.

    Args:
        path: the file.
        wanted: what it should be, in words.
        raises: makes the error of what is wrong.
        most: bytes it may have; no more are read.
    """
    try:
        with open_file(path) as file:
            content = file.read(most + 1) or b""
    except (OSError, ValueError) as error:  # a ValueError: a NUL in the name
        told = error if isinstance(error, OSError) else OSError(errno.ENOENT, str(error))
        raise raises([problem_of(path, told, wanted)]) from None
    if len(content) > most:
        got = f"more than {most:,} bytes"
        raise raises([Problem(str(path), got, f"{wanted} of at most {most:,} bytes")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        got = f"a byte that is not UTF-8 at offset {error.start} ({error.encoding}: {error.reason})"
        fix = "Save the file with UTF-8 encoding."
        raise raises([Problem(str(path), got, TEXT, fix)]) from None


def refused_as(what: str, fix: str = "") -> Raises:
    """Return how a file that cannot be read is told.

    Args:
        what: it should be.
        fix: of other content: nobody saves a record of the program in another encoding. What
            keeps the file from being read, as a missing right does, names its own.
    """

    def told(problems: Sequence[Problem]) -> StateError:
        first = problems[0]
        advice = fix if first.wanted == TEXT else ""
        return StateError(f"{first.where}: not {what} ({first.got}). {advice or first.fix or fix}")

    return told


def fault_of_record(error: ValueError) -> str:
    """Say in a few words why a line is no record."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error).replace("\n", " ")[:100]
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), str(first["msg"]))))[:100]


def read_record(path: Path, model: type[R], wanted: str, raises: Raises = DataError) -> R:
    """Return the record in a JSON file."""
    from pydantic import ValidationError

    text = read_text(path, wanted, raises)
    _json_object(path, text, wanted, raises)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:5]
    at = [(tuple(map(str, detail["loc"])), str(detail["msg"])) for detail in found]
    raise raises([_damage(path, where, got, wanted) for where, got in at])


def _json_object(path: Path, text: str, wanted: str, raises: Raises) -> dict[str, Any]:
    odd: tuple[tuple[str, ...], str] | None
    try:
        values = from_json(text)
        odd = next(odd_values(values), None) if isinstance(values, dict) else ((), "no JSON object")
    except (ValueError, RecursionError) as error:
        odd = ((), f"no JSON ({str(error)[:100]})")
    if odd is not None:
        raise raises([_damage(path, *odd, wanted)])
    return dict(values)


def _damage(path: Path, at: tuple[str, ...], got: str, wanted: str) -> Problem:
    where = f"{path}: {'.'.join(at)}" if at else str(path)
    return Problem(where, got, wanted, "Put the original file back, or make it anew.")


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing right or a wrong path into a StateError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{path}: no space left on the device. Free some, or choose another folder."
            raise StateError(message) from error
        may_not = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        fix = FIXES[errno.EROFS] if may_not else "Choose another folder."
        message = f"{path}: cannot be written ({error.strerror}). {fix}"
        raise StateError(message) from error


def private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for this user alone.

    Raises:
        OSError: it cannot be made, or is a file.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # a file there is told
    return folder


def refuse_unwritable(folder: Path) -> None:
    """Make a folder and write into it, so that no work is lost for want of a place to keep it.

    Raises:
        StateError: it cannot be made, written to or named; or the device is full.
    """
    whole_path(folder)
    with clear_disk_errors(folder):
        private_folder(folder)
        longest = os.pathconf(folder, "PC_PATH_MAX")
        if len(os.fsencode(folder)) + LONGEST_NAME > longest:
            raise StateError(f"{folder}: the path is too long. Choose a folder nearer to the root.")
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())


def refuse_unwritable_file(path: Path) -> None:
    """Refuse a path at which no file can be written (`write_whole`).

    Raises:
        StateError: it cannot be written or named, or it is a folder.
    """
    refuse_unwritable(path.parent)
    whole_path(path)
    with clear_disk_errors(path):
        if path.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        Path(temporary).unlink()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder's advisory lock: one process at a time, freed by the system on a crash.

    Whoever holds it may ask for it again, as `append_line` does.
    """
    from filelock import FileLock

    place = Path(os.path.realpath(folder))  # one spelling: the lock is known by it
    with FileLock(place / LOCK, mode=0o600, is_singleton=True):
        yield


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new content, never a part."""
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(redact(text))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def append_line(path: Path, line: str) -> None:
    """Add a line to a file; two processes that do so at once both leave theirs.

    A line that an earlier process left half written keeps a line of its own.
    """
    with clear_disk_errors(path), alone_in(path.parent):
        add_line(path, line)


def add_line(path: Path, line: str) -> None:
    """Add a line to a file whose folder the caller holds alone (`append_line`).

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        content = f"{chr(10) if torn else ''}{line}\n".encode()
        try:
            if os.write(handle, content) < len(content):  # the device is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)  # some devices are found to be full only now
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, whole or not at all."""
    write_whole(path, "".join(_json_line(row) + "\n" for row in rows))


def _json_line(row: Mapping[str, Any]) -> str:
    line = in_json(json.dumps(row, ensure_ascii=False))
    return line if line.isascii() or not oddness(line) else json.dumps(row)
