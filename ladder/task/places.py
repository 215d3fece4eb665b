"""Where in a task file a value stands."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from ladder.errors import Problem

Location = tuple[str, ...]


def walk(node: yaml.Node, at: Location = ()) -> Iterator[tuple[Location, yaml.Node, int]]:
    """Yield location, value node and line (from 1) of everything in the file."""
    seen: set[int] = set()

    def walk(node: yaml.Node, at: Location) -> Iterator[tuple[Location, yaml.Node, int]]:
        if id(node) in seen:  # an alias: each node is visited once
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*at, str(key.value))
                yield here, key, key.start_mark.line + 1
                yield from walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                here = (*at, str(index))
                yield here, value, value.start_mark.line + 1
                yield from walk(value, here)

    return walk(node, at)


def lines_of(root: yaml.Node) -> dict[Location, int]:
    """Return the line of every value."""
    return {at: line for at, _, line in walk(root)}


def written(root: yaml.Node) -> dict[Location, str]:
    """Return every plain value as it is written in the file: `yes`, which YAML reads as true."""
    found: dict[Location, str] = {}
    for at, node in _values(root, (), set()):
        if isinstance(node, yaml.ScalarNode):
            found[at] = str(node.value)
    return found


def _values(node: yaml.Node, at: Location, seen: set[int]) -> Iterator[tuple[Location, yaml.Node]]:
    if id(node) in seen:
        return
    yield at, node
    if isinstance(node, yaml.MappingNode):
        seen.add(id(node))
        for key, value in node.value:
            yield from _values(value, (*at, str(key.value)), seen)
    elif isinstance(node, yaml.SequenceNode):
        seen.add(id(node))
        for index, value in enumerate(node.value):
            yield from _values(value, (*at, str(index)), seen)


def duplicate_keys(path: Path, root: yaml.Node) -> Iterator[Problem]:
    """Yield every key that stands twice in one mapping."""
    first: dict[Location, int] = {}
    for at, _, line in walk(root):
        if at in first:
            where = f"{path}:{line}: {dotted(at)}"
            got = f"a second `{at[-1]}` (first on line {first[at]})"
            yield Problem(where, got, "one", "Take one of them out.")
        first.setdefault(at, line)


def dotted(at: Location) -> str:
    """Return a place as it is written in messages: `gate.min_score`."""
    return ".".join(at)


def line_of(lines: Mapping[Location, int], at: Location) -> int:
    """Return the line of a value, or of the nearest thing around it."""
    while at and at not in lines:
        at = at[:-1]
    return lines.get(at, 1)


def short(value: object) -> str:
    """Return a value as a message quotes it."""
    try:
        text = reprlib.repr(value) if isinstance(value, list | dict) else repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number too large to print"
    return text if len(text) <= 60 else text[:57] + "..."
