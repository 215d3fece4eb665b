"""Does any damaged task bring the program down? Thousands of mutated task files and rows.

    python benchmarks/mutations.py [--count 10000] [--seed 0] [--keep FOLDER]

Takes the shipped tasks and the cases of the tests, changes a task file, a row or a file in one to
three places by rules that a hurried person, an exporter or a cut download would follow, and runs
`ladder check` on each in this one process. Allowed is a list of lines, or an error whose every
problem says where, what was found and what was wanted. Anything else is printed with its seed, and
the program ends with 1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from ladder.commands.check import check_task
from ladder.errors import LadderError, ProblemsError

os.environ["HF_HUB_OFFLINE"] = "1"  # a damaged name of a data set shall not be looked for
HERE = Path(__file__).parent.parent
SOURCES = (HERE / "evalsets", HERE / "tests" / "cases")
MOST_ROWS, MOST_DOCUMENTS = 90, 40
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3.5, 1e308, 10**30, float("nan"), float("inf"), "", " ", "\x00",
    "null", "NaN", "yes", "no", "0", "1,5", "2026-01-01", "a" * 5000, "é", "e\u0301", "\ufeff",
    "\u202e", "🎉", "中文", "[1, 2]", "{}", [], {}, [None], [[1]], ["a", "a"], {"a": None},
    ["x", 3, None], {"text": ["a"], "answer_start": [0]}, [{"role": "user", "content": "hi"}],
    [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}], "../../etc/passwd",
    "bundled:nothing", "openai:m", "openai:m@http://[::1", "hf:/nowhere", "datasets:none",
)  # fmt: skip


def sources() -> list[Path]:
    """Return the task files to start from, with their data beside them."""
    found = [path for root in SOURCES if root.is_dir() for path in root.rglob("task.yaml")]
    return sorted(path for path in found if len(list(path.parent.iterdir())) > 1)


def copied(task: Path, folder: Path) -> Path:
    """Copy a task with its first rows into a folder."""
    for path in task.parent.iterdir():
        if not path.is_file():
            continue
        if path.suffix == ".jsonl":
            most = MOST_DOCUMENTS if path.stem == "documents" else MOST_ROWS
            with path.open("rb") as lines:
                (folder / path.name).write_bytes(
                    b"".join(line for line, _ in zip(lines, range(most), strict=False))
                )
        else:
            shutil.copy(path, folder / path.name)
    return folder / task.name


def any_place(value: Any, draw: Random) -> tuple[Any, Any] | None:
    """Return a container within a value, and a key in it."""
    places = []
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        keys = (
            list(inner)
            if isinstance(inner, dict)
            else range(len(inner))
            if isinstance(inner, list)
            else ()
        )
        for key in keys:
            places.append((inner, key))
            waiting.append(inner[key])
    return draw.choice(places) if places else None


def change_value(value: Any, draw: Random) -> None:
    """Put an odd value somewhere, take one away, rename a key, or put one twice."""
    place = any_place(value, draw)
    if place is None:
        return
    inner, key = place
    way = draw.randrange(5)
    if way == 0:
        inner[key] = draw.choice(ODD_VALUES)
    elif way == 1:
        del inner[key]
    elif way == 2 and isinstance(inner, dict):
        inner[f"{key}s" if draw.random() < 0.5 else str(key).upper()] = inner.pop(key)
    elif way == 3:
        inner[key] = [inner[key], inner[key]]
    else:
        inner[key] = {"value": inner[key]}


def mutate_task(folder: Path, draw: Random) -> None:
    """Change the task file's values, or its text."""
    path = next(folder.glob("task.y*ml"))
    if draw.random() < 0.7:
        try:
            values = yaml.safe_load(path.read_bytes())
        except (yaml.YAMLError, UnicodeError):
            return  # an earlier change has broken it already
        for _ in range(draw.randint(1, 2)):
            if isinstance(values, dict) and values:
                change_value(values, draw)
        path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    else:
        path.write_bytes(changed_bytes(path.read_bytes(), draw))


def mutate_rows(folder: Path, draw: Random) -> None:
    """Change values in some rows, or in all of them alike."""
    path = data_file(folder, draw, ".jsonl")
    if path is None:
        return
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        return
    state = draw.getstate()
    for row in rows if draw.random() < 0.3 else [draw.choice(rows)] if rows else []:
        draw.setstate(state)  # the same change in every row
        change_value(row, draw)
    text = "\n".join(json.dumps(row, ensure_ascii=draw.random() < 0.5) for row in rows)
    path.write_text(text + "\n", encoding="utf-8", errors="surrogatepass")


def data_file(folder: Path, draw: Random, suffix: str = "") -> Path | None:
    """Return one of a folder's data files."""
    there = [
        p for p in sorted(folder.iterdir()) if not p.name.startswith("task.") and p.suffix != ".md"
    ]
    there = [path for path in there if not suffix or path.suffix == suffix]
    return draw.choice(there) if there else None


def changed_bytes(data: bytes, draw: Random) -> bytes:
    """Cut, double, flip or re-encode bytes."""
    at = draw.randrange(len(data) + 1)
    until = min(len(data), at + draw.randint(1, 40))
    ways: list[Callable[[], bytes]] = [
        lambda: data[:at],
        lambda: data[:at] + data[until:],
        lambda: (
            data[:at] + bytes(draw.randrange(256) for _ in range(draw.randint(1, 4))) + data[at:]
        ),
        lambda: data[:at] + data[at:until] * 3 + data[until:],
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: data.replace(b"\n", b"\r"),
        lambda: data.decode("utf-8", "ignore").encode("utf-16"),
        lambda: data.decode("utf-8", "ignore").encode("cp1252", "ignore") + b"\xe9\n",
        lambda: gzip.compress(data),
        lambda: gzip.compress(data)[: max(1, at)],
        lambda: b"",
        lambda: data.replace(b",", b";"),
        lambda: data.replace(b":", b"=", draw.randint(1, 3)),
        lambda: data.replace(b'"', b"'", draw.randint(1, 9)),
    ]
    return draw.choice(ways)()


def mutate_file(folder: Path, draw: Random) -> None:
    """Change the bytes of a data file, its name, or what it is."""
    path = data_file(folder, draw)
    if path is None:
        return
    way = draw.random()
    if way < 0.8:
        path.write_bytes(changed_bytes(path.read_bytes(), draw))
        return
    name = path.with_suffix(
        draw.choice((".csv", ".tsv", ".json", ".JSONL", ".parquet", ".txt", ".xlsx"))
    )
    path.rename(name)
    task = next(folder.glob("task.y*ml"))
    task.write_bytes(task.read_bytes().replace(path.name.encode(), name.name.encode()))


MUTATIONS = (mutate_task, mutate_rows, mutate_file)


def outcome(path: Path) -> tuple[str, list[str]]:
    """Check a task; return in a word what came of it, and what is wrong with how it was said."""
    try:
        lines = check_task(path, None)
    except ProblemsError as error:
        bare = [
            f"a problem without {name}: {problem}"
            for problem in error.problems
            for name in ("where", "got", "wanted")
            if not getattr(problem, name).strip()
        ]
        return ("refused", bare or ([] if error.problems else ["an error without a problem"]))
    except LadderError as error:
        return "refused in a line", [] if str(error).strip() else ["an empty message"]
    return "accepted", [] if all(isinstance(line, str) and line for line in lines) else ["no lines"]


def main() -> None:
    """Mutate, check, count, and say by the exit code whether anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where tasks that went wrong are left")
    given = parser.parse_args()
    tasks, counts, wrong = sources(), Counter[str](), 0
    started = time.monotonic()
    warnings.simplefilter("ignore")
    for number in range(given.seed, given.seed + given.count):
        draw = Random(number)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            path = copied(draw.choice(tasks), folder)
            faults: list[str] = []
            how = "not made"
            try:
                for _ in range(draw.randint(1, 3)):
                    draw.choice(MUTATIONS)(folder, draw)
                how, faults = outcome(path)
            except Exception as error:  # whatever it is, it is a fault
                how, faults = "fell", [f"{type(error).__name__}: {error}"]
                if given.keep is None:
                    import traceback

                    traceback.print_exc(limit=-4)
            counts[how] += 1
            if faults:
                wrong += 1
                print(f"seed {number}: {'; '.join(faults)[:300]}", file=sys.stderr, flush=True)
                if given.keep:
                    shutil.copytree(folder, given.keep / str(number), dirs_exist_ok=True)
        if number % 500 == 499:
            took = time.monotonic() - started
            print(
                f"{number + 1 - given.seed:,} of {given.count:,}, {took:.0f} s, {dict(counts)}",
                flush=True,
            )
    print(f"{given.count:,} mutations: {dict(counts)}; {wrong} went wrong")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
