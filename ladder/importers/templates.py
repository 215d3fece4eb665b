"""Prompt templates with `{{ names }}`: filled in by names alone, never by running one. Pure.

What prompt writers put into one text is two things here: the instruction, which is the task's
goal, and what is asked about, which is the row's input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ladder.json_values import from_json
from ladder.samples.values import text_of

NAME = re.compile(r"\{\{-?\s*([A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*)\s*-?\}\}")
CODE = re.compile(r"\{%|\{#|\{\{")
_LABEL = re.compile(r"[^\W\d_][\w ]{0,30}:")
"""What only says that the answer comes now: `Answer:`."""
Turn = dict[str, str]


def names_in(template: str) -> list[str]:
    """Return the names that a template asks for, in order."""
    return NAME.findall(template)


def is_plain(template: str) -> bool:
    """Tell whether names alone stand in a template: no loop, condition, filter or expression."""
    return CODE.search(NAME.sub("", template)) is None


def fill(template: str, values: Mapping[str, Any]) -> str | None:
    """Return a template with its names filled in; None where it holds more than known names."""
    if not is_plain(template):
        return None
    found = {name: lookup(values, name) for name in names_in(template)}
    if any(value is None for value in found.values()):
        return None
    return NAME.sub(lambda match: as_text(found[match[1]]), template)


def lookup(values: Mapping[str, Any], name: str) -> Any:
    """Return what a dotted name stands for; None where there is nothing."""
    found: Any = values
    for part in re.findall(r"[\w-]+", name):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def as_text(value: Any) -> str:
    """Return a value as a template shows it: a text as it is, an object as JSON."""
    return value if isinstance(value, str) else text_of(value)


def parted(template: str, by_lines: bool = False) -> tuple[str, str]:
    """Return what a template says to every row, and the part that differs from row to row.

    The second part reaches from the line of the first name to the line of the last one; where the
    first name's line has nothing above it, from the name itself on. A last line that only names
    the answer (`Answer:`) is in neither.

    Args:
        template: with names.
        by_lines: lines with a name belong to the second part in any case.
    """
    found = list(NAME.finditer(template))
    if not found:
        return template.strip(), ""
    start, end = found[0].start(), found[-1].end()
    above = template.rfind("\n", 0, start) + 1
    if by_lines or template[:above].strip():
        start = above
    below = template.find("\n", end)
    below = len(template) if below < 0 else below
    behind = template[below:].strip()
    behind = "" if _LABEL.fullmatch(behind) else behind
    said = f"{template[:start].strip()}\n{behind}".strip()
    return said, template[start:below].strip()


def turns_of(messages: Any) -> list[Turn] | None:
    """Return the turns of a chat as role and text; None where it is none, or holds more."""
    if not isinstance(messages, list):
        return None
    turns = []
    for each in messages:
        if not isinstance(each, Mapping) or not isinstance(each.get("role"), str):
            return None
        text = turn_text(each.get("content"))
        if text is None:
            return None
        turns.append({"role": each["role"], "content": text})
    return turns


def turn_text(content: Any) -> str | None:
    """Return the text of a turn, of its parts of text joined; None where a part is no text."""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    whole = [text for text in texts if isinstance(text, str)]
    return "\n".join(whole) if len(whole) == len(texts) else None


def parted_turns(turns: Sequence[Turn]) -> tuple[str, list[Turn] | str]:
    """Return the goal that a chat template states, and what differs from row to row.

    System turns without a name are the goal. One other turn is parted like a text; several stay
    turns.
    """
    fixed = [t for t in turns if t["role"] in ("system", "developer") and NAME.search(t["content"])]
    said = [t["content"].strip() for t in turns if t["role"] in ("system", "developer")]
    others = [t for t in turns if t["role"] not in ("system", "developer")]
    if fixed or len(others) != 1:
        open_turns = turns if fixed else others
        return ("" if fixed else "\n".join(said)), list(open_turns)
    goal, asked = parted(others[0]["content"], by_lines=bool(said))
    return "\n".join(part for part in (*said, goal) if part), asked


def chat_in(text: str) -> list[Turn] | None:
    """Return the turns of a prompt that is written as a JSON chat; None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = from_json(text)
    except (ValueError, RecursionError):
        return None
    return turns_of(found) if isinstance(found, list) and found else None
