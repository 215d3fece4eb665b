"""What data sets call their parts: rows that teach, that choose, and that judge. Pure."""

from __future__ import annotations

import re
from typing import Literal, get_args

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
NAMES: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation", "development"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "holdout", "heldout"), "test"),
}
"""A name in small letters -> the part."""
WANTED = "train, validation (or dev), or test"


def part_of(name: str) -> Part | None:
    """Return the part that a name stands for, in capitals or not; None for another name."""
    return NAMES.get(re.sub(r"[\W_]+", "", name).casefold())


def part_in(file_name: str) -> Part | None:
    """Return the part that a word in the name of a file stands for; None where none or two do."""
    words = re.split(r"[\W_\d]+", file_name.casefold())
    found = {part for word in words if (part := NAMES.get(word))}
    return found.pop() if len(found) == 1 else None
