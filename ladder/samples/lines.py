"""The lines of a text file as people have it: encodings, line ends and gzip, without a setting."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ladder.errors import Problem
from ladder.files import open_file, problem_of

LONGEST_LINE_BYTES = 100_000_000
MOST_UNPACKED_BYTES = 20_000_000_000
"""Of a gzip file: a small one can hold any amount."""
HEAD_BYTES = 65_536
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks; the longer ones first."""
NO_TEXT = (
    (b"PK\x03\x04", "an Excel sheet or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel sheet of the old kind"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
)
"""How files begin that hold rows, but not as text."""
MANY_HIGH = 0.3
"""Share of bytes beyond ASCII from which on a text is in no Western alphabet."""


def text_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line, which ends in a line feed.

    UTF-8, and UTF-16 or UTF-32 with a byte order mark or ASCII at the start; line ends of Unix,
    Windows and old Macs; packed with gzip or not. What cannot be read is added to the problems.
    """
    try:
        with open_file(path) as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
            head = file.read(HEAD_BYTES)
            file.seek(0)
            kind = next((name for mark, name in NO_TEXT if head.startswith(mark)), "")
            if kind:
                fix = "Save the rows as .jsonl, as .csv in UTF-8, or as .parquet, and name them so."
                problems.append(Problem(str(path), kind, "a text file", fix))
                return
            encoding, end = _encoding(head), _line_end(head)
            if (encoding, end) == ("utf-8", "\n"):
                yield from _byte_lines(path, file, packed, problems)
            else:
                yield from _decoded_lines(path, file, (encoding, end), problems)
    except (OSError, EOFError, zlib.error) as error:
        known = error if isinstance(error, OSError) else OSError(0, str(error))
        problems.append(problem_of(path, known, "a file that can be read"))


def _encoding(head: bytes) -> str:
    for mark, name in MARKS:
        if head.startswith(mark):
            return "utf-8" if name == "utf-8-sig" else name
    # Without a mark: a row begins with a sign of ASCII, beside which UTF-16 has a zero byte.
    if head[1:2] == b"\0" and head[:1] != b"\0":
        return "utf-16-le"
    return "utf-16-be" if head[:1] == b"\0" and head[1:2] not in (b"\0", b"") else "utf-8"


def _line_end(head: bytes) -> str:
    return "\r" if b"\r" in head and b"\n" not in head else "\n"


def _byte_lines(
    path: Path, file: BinaryIO, packed: bool, problems: list[Problem]
) -> Iterator[tuple[int, str]]:
    number, size, told = 0, 0, False
    while raw := file.readline(LONGEST_LINE_BYTES):
        number += 1
        size += len(raw)
        if len(raw) == LONGEST_LINE_BYTES:
            problems.append(_endless(path, number))
            return
        if packed and size > MOST_UNPACKED_BYTES:
            wanted = f"at most {MOST_UNPACKED_BYTES:,} bytes unpacked"
            problems.append(Problem(f"{path}:{number}", "more", wanted, "Name a part of it."))
            return
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if not told:  # the whole file has the other encoding, so one line tells it
                problems.append(_not_utf8(path, number, raw, error))
            told = True
            yield number, "\n"  # keeps the count of lines right for what comes after


def _decoded_lines(
    path: Path, file: BinaryIO, how: tuple[str, str], problems: list[Problem]
) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file whose lines do not end in the byte of a line feed."""
    encoding, end = how
    text = io.TextIOWrapper(file, encoding, newline=end)
    number = 0
    try:
        while line := text.readline(LONGEST_LINE_BYTES):
            number += 1
            if len(line) == LONGEST_LINE_BYTES:
                problems.append(_endless(path, number))
                return
            yield number, line.removeprefix("\ufeff").removesuffix(end) + "\n"
    except UnicodeDecodeError as error:
        got = f"a byte that is not {encoding.upper()} ({error.object[error.start :][:1]!r})"
        fix = "Save the file with UTF-8 encoding."
        problems.append(Problem(f"{path}:{number + 1}", got, f"{encoding.upper()} text", fix))
    finally:
        text.detach()


def _endless(path: Path, number: int) -> Problem:
    wanted = f"less than {LONGEST_LINE_BYTES:,} bytes"
    return Problem(f"{path}:{number}", "a line without an end", wanted, "Cut the text.")


def _not_utf8(path: Path, number: int, raw: bytes, error: UnicodeDecodeError) -> Problem:
    got = f"a byte that is not UTF-8 ({raw[error.start : error.start + 1]!r})"
    fix = "Save the file with UTF-8 encoding"
    high = sum(byte > 127 for byte in raw)
    try:
        few = high < MANY_HIGH * len(raw) and not re.search(rb"[\x80-\xff]{4}", raw)
        western = raw.decode("cp1252") if few else ""
    except UnicodeDecodeError:
        western = ""
    right = raw.decode("utf-8", "ignore").encode()
    if 2 * sum(byte > 127 for byte in right) > high:  # by chance a few bytes of any text are
        fix += ": the rest of this line is UTF-8, so only this place is broken."
        return Problem(f"{path}:{number}", got, "UTF-8 text", fix)
    start = max(0, error.start - 10)
    seen = " ".join(western[start : error.start + 10].split())
    if western:
        fix += f"; it looks like Windows-1252 (`{seen}`): "
        fix += f"iconv -f WINDOWS-1252 -t UTF-8 {path.name}"
    else:
        fix += (
            f"; it looks like an older encoding (Windows-1251, Shift JIS, GB 18030, …): "
            f"iconv -f ENCODING -t UTF-8 {path.name}"
        )
    return Problem(f"{path}:{number}", got, "UTF-8 text", f"{fix} > NEW")
