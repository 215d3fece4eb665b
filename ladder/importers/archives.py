"""Members of a zip archive, each read within a bound: stored, deflated, or packed with zstd.

Python's own zipfile reads zstd from 3.14 on; what stands before a member (APPNOTE.TXT 4.3.7) is
skipped here, and its content unpacked by zstandard.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from ladder.errors import DataError, Problem
from ladder.files import open_file, problem_of

MOST_MEMBERS = 1_000_000
MOST_BYTES = 200_000_000
"""Of one member, unpacked."""
MOST_BYTES_IN_ALL = 20_000_000_000
ZSTD = 93
HEADER = struct.Struct("<4s22xHH")
"""The mark of a local file header, and the lengths of the name and of the extra field."""
ENCRYPTED = 1


class Archive:
    """An open zip archive."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self._file, self._read = path, file, 0
        self.names = file.namelist()

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises:
            DataError: it is damaged, larger than what is read, or packed in another way.
        """
        where, info = f"{self.path}: {name}", self._file.getinfo(name)
        if info.flag_bits & ENCRYPTED:
            raise DataError([Problem(where, "an encrypted member", "a readable one")])
        try:
            content = self._zstd(info) if info.compress_type == ZSTD else self._plain(info)
        except NotImplementedError:
            got = f"a member packed by method {info.compress_type}"
            raise DataError([Problem(where, got, "stored, deflate or zstd")]) from None
        except (zipfile.BadZipFile, zlib.error, zstandard.ZstdError, EOFError, ValueError) as error:
            got = f"a damaged member ({str(error)[:80]})"
            fix = "Is the file cut off? Copy or export it again."
            raise DataError([Problem(where, got, "a whole one", fix)]) from None
        self._read += len(content)
        if len(content) > MOST_BYTES or self._read > MOST_BYTES_IN_ALL:
            got, wanted = "more when unpacked", f"at most {MOST_BYTES:,} bytes in a member"
            raise DataError([Problem(where, got, wanted)])
        return content

    def _plain(self, info: zipfile.ZipInfo) -> bytes:
        with self._file.open(info) as member:
            return member.read(MOST_BYTES + 1)

    def _zstd(self, info: zipfile.ZipInfo) -> bytes:
        file = self._file.fp
        if file is None or info.compress_size > MOST_BYTES:
            raise ValueError("too large")
        file.seek(info.header_offset)
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or head[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header")
        _, name, extra = HEADER.unpack(head)
        file.seek(info.header_offset + HEADER.size + name + extra)
        packed = file.read(info.compress_size)
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
            packed, read_across_frames=True
        ) as reader:
            content = reader.read(MOST_BYTES + 1)
        if len(content) <= MOST_BYTES and zlib.crc32(content) != info.CRC:
            raise zipfile.BadZipFile("its checksum differs")
        return content


@contextmanager
def open_archive(path: Path, wanted: str) -> Iterator[Archive]:
    """Open a zip archive.

    Args:
        path: the file.
        wanted: what it should be, in words.

    Raises:
        DataError: it is none, or it was not written to its end.
    """
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            if len(archive.namelist()) > MOST_MEMBERS:
                got = f"{len(archive.namelist()):,} members"
                raise DataError([Problem(str(path), got, f"at most {MOST_MEMBERS:,}")])
            yield Archive(path, archive)
    except zipfile.BadZipFile as error:
        got = f"a zip archive without its end ({str(error)[:60]})"
        fix = "It was cut off, or is still being written: copy it again when it is whole."
        raise DataError([Problem(str(path), got, wanted, fix)]) from None
    except OSError as error:
        raise DataError([problem_of(path, error, wanted)]) from None
