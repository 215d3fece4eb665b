"""How the house stands: files and lines per folder, long functions, untested modules, docstrings.

    python benchmarks/house.py [PATH]     # a checkout; default: this one

Reads the source and runs nothing of it. Lines are those of the files, comments and blanks included.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

MOST_PARAMETERS, MOST_LINES, MOST_BRANCHES, MOST_SHARE = 5, 50, 12, 0.13
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)
"""Statements, as Pylint counts branches (too-many-branches), and each `else` once more."""


@dataclass(frozen=True)
class Function:
    """A function or method of the package."""

    place: str
    lines: int
    """Without its docstring."""
    branches: int
    parameters: int
    public: bool
    documented: bool


def functions(root: Path) -> Iterator[Function]:
    """Yield every function of the package."""
    for path in sorted((root / "ladder").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield _measured(f"{path.relative_to(root)}:{node.name}", node)


def _measured(place: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    said = ast.get_docstring(node, clean=False)
    first = node.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if said else 0
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return Function(
        place=place,
        lines=(node.end_lineno or 0) - node.lineno + 1 - docstring,
        branches=sum(map(_branches, ast.walk(node))),
        parameters=sum(each.arg not in ("self", "cls") for each in named),
        public=not node.name.startswith("_"),
        documented=bool(said),
    )


def _branches(node: ast.AST) -> int:
    other = getattr(node, "orelse", None)
    elses = bool(other) and not (isinstance(node, ast.If) and isinstance(other[0], ast.If))
    return isinstance(node, BRANCHES) * (1 + elses)


def rooms(root: Path) -> dict[str, tuple[int, int]]:
    """Return folder -> files and lines."""
    files, lines = Counter[str](), Counter[str]()
    for path in (root / "ladder").rglob("*.py"):
        name = path.relative_to(root / "ladder").parent.as_posix().replace(".", "(leaves)")
        files[name] += 1
        lines[name] += len(path.read_text(encoding="utf-8").splitlines())
    return {name: (files[name], count) for name, count in lines.most_common()}


def untested(root: Path) -> list[str]:
    """Return the modules with logic that have no test file of their name in the same room."""
    found = []
    for path in sorted((root / "ladder").rglob("*.py")):
        place = path.relative_to(root / "ladder")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        logic = any(isinstance(node, ast.FunctionDef) for node in tree.body)
        test = root / "tests" / place.parent / f"test_{path.stem}.py"
        if logic and not test.is_file() and path.stem not in ("__init__", "__main__"):
            found.append(str(place))
    return found


def main() -> None:
    """Print the tables."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    table = rooms(root)
    total = sum(lines for _, lines in table.values())
    print(f"{'folder':20} files  lines  share")
    for name, (files, lines) in table.items():
        over = " above 13 %" if lines / total > MOST_SHARE else ""
        print(f"{name:20} {files:5} {lines:6}  {lines / total:5.1%}{over}")
    print(f"{'all':20} {sum(files for files, _ in table.values()):5} {total:6}")
    found = list(functions(root))
    sizes = sorted(each.lines for each in found)
    long = sum(each.lines > MOST_LINES for each in found)
    wild = sum(each.branches > MOST_BRANCHES for each in found)
    print(f"\n{len(found)} functions: median {median(sizes):.0f} lines, ", end="")
    print(f"p90 {sizes[int(0.9 * len(sizes))]}; above {MOST_LINES} lines: {long}; ", end="")
    print(f"above {MOST_BRANCHES} branches: {wild}")
    print("\nthe ten longest (lines without the docstring, branches)")
    for each in sorted(found, key=lambda each: -each.lines)[:10]:
        print(f"  {each.lines:4} {each.branches:4}  {each.place}")
    branchy = [each for each in found if each.branches > MOST_BRANCHES]
    for each in sorted(branchy, key=lambda each: -each.branches)[:10]:
        print(f"  {each.branches} branches: {each.place}")
    wide = [each for each in found if each.parameters > MOST_PARAMETERS]
    print(f"\n{len(wide)} functions take more than {MOST_PARAMETERS} parameters")
    for each in sorted(wide, key=lambda each: -each.parameters):
        print(f"  {each.parameters}  {each.place}")
    public = [each for each in found if each.public]
    told = sum(each.documented for each in public)
    print(f"\n{told} of {len(public)} public functions have a docstring ({told / len(public):.0%})")
    bare = untested(root)
    print(f"\n{len(bare)} modules with logic have no test file of their name")
    for name in bare:
        print(f"  {name}")


if __name__ == "__main__":
    main()
