"""The wheel of this very program: what runs here is what is carried, and no build tool is asked.

The format is PEP 427's; times are fixed, so that equal files make an equal wheel.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import ladder
from ladder.bundle.pins import DISTRIBUTION
from ladder.files import shipped

TAG = "py3-none-any"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""
LEFT_OUT = ("__pycache__",)
CARRIED = ("METADATA", "entry_points.txt")
WHEEL = f"Wheel-Version: 1.0\nGenerator: ladder\nRoot-Is-Purelib: true\nTag: {TAG}\n"


def write_own_wheel(into: Path) -> Path:
    """Write the wheel of the running program into a folder.

    Raises:
        PackageNotFoundError: it runs from a folder that was never installed.
        OSError: it cannot be written.
    """
    about = importlib.metadata.distribution(DISTRIBUTION)
    stem = f"{DISTRIBUTION.replace('-', '_')}-{about.version}"
    path, record = into / f"{stem}-{TAG}.whl", []
    scratch = path.with_suffix(".part")
    with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in (*_package(), *_information(about, stem)):
            _add(wheel, name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record.append(f"{name},sha256={digest},{len(content)}\n")
        last = f"{stem}.dist-info/RECORD"
        _add(wheel, last, "".join((*record, f"{last},,\n")).encode())
    scratch.replace(path)
    return path


def _add(wheel: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    wheel.writestr(entry, content)


def _package() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the program; recipes and evalsets lie inside it, as in any wheel of it."""
    root = Path(ladder.__file__).parent
    places = [(root, "ladder")]
    for kind in ("recipes", "evalsets"):
        if not shipped(kind).is_relative_to(root):  # a checkout has them beside the package
            places.append((shipped(kind), f"ladder/_bundled/{kind}"))
    for folder, name in places:
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if path.is_file() and not path.is_symlink() and not set(inner.parts) & {*LEFT_OUT}:
                yield f"{name}/{inner.as_posix()}", path.read_bytes()


def _information(about: importlib.metadata.Distribution, stem: str) -> Iterator[tuple[str, bytes]]:
    for name in CARRIED:
        if text := about.read_text(name):
            yield f"{stem}.dist-info/{name}", text.encode()
    yield f"{stem}.dist-info/WHEEL", WHEEL.encode()
