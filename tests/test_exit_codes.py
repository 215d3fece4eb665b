"""Exit code 3 is for bugs: whatever the machine or a file does is exit 2, in one clear message."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, Said, assessed
from engines.faulty_server import FaultyServer, Step

from ladder import cli
from ladder.files import digest_of

pytestmark = pytest.mark.slow  # every test starts the program anew

LONG = "x" * 300
ROWS = [
    {"input": " ".join(word[at : at + 5] for at in range(0, 40, 5)), "target": word[:5]}
    for word in (digest_of(number)[:40] for number in range(160))
]
TASK = """\
name: shop
goal: Say how many loaves.
data: {examples: rows.jsonl}
score: contains
gate: {min_score: 0.3}
rungs: [prompt]
"""


def process(*words: object, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ladder", *map(str, words)],
        stderr=subprocess.PIPE,
        **{"stdout": subprocess.PIPE, "cwd": ROOT, **more},  # type: ignore[call-overload]
    )


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "task.yaml").write_text(TASK)
    return folder / "task.yaml"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer([Step()]) as running:
        yield running


def at_server(task: Path, server: FaultyServer) -> Path:
    task.write_text(f"{TASK}models: {{base: 'openai:any@{server.url}'}}\n")
    return task


# Values


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1e400", ".inf", "-.inf",
                                    ".nan", "0x" + "f" * 5000, "1" * 5000, "1.5e+999"])  # fmt: skip
@pytest.mark.parametrize(
    "line", ["use: {requests_per_month: N}", "use: {usd_per_label: N}", "seed: N",
             "hardware: {usd_per_hour: N}", "rules: {max_spend_usd: N}",
             "search: {prompt_calls: N}", "training: {max_rows: N}",
             "answer: {type: json, schema: {maximum: N}}", "score: {number: {tolerance: N}}",
             "prices: {input_usd_per_1m: N, output_usd_per_1m: N}", "N: 1"],
)  # fmt: skip
def test_a_number_beyond_all_others(ladder, task, number, line):
    key = line.partition(":")[0]
    kept = "".join(text for text in TASK.splitlines(True) if not text.startswith(f"{key}:"))
    task.write_text(kept + line.replace("N", number) + "\n")
    said = ladder("check", task)
    said.refused("task.yaml")
    assert len(said.errors) < 2000


@pytest.mark.parametrize(
    "line", ['goal: "half \\ud800"', 'answer: {labels: ["a", "\\udfff"]}', '"\\ud800": 1',
             'score: {"\\ud800": 1}', 'models: {base: "hf:\\ud800"}',
             'use: {strata: {"\\ud800": 1}}',
             'answer: {type: json, schema: {const: "\\ud800"}}', 'rungs: ["\\ud800"]',
             'training: {recipe: "\\ud800.yaml"}', 'data: {examples: "\\ud800.jsonl"}'],
)  # fmt: skip
def test_half_a_character_in_a_task(ladder, task, line):
    key = line.partition(":")[0]
    kept = "".join(text for text in TASK.splitlines(True) if not text.startswith(f"{key}:"))
    task.write_text(kept + line + "\n")
    ladder("check", task).refused("half a character")


@pytest.mark.parametrize("row", ['{"input": "\\ud800 a", "target": "b"}',
                                 '{"input": "a", "target": "b\\udc00"}',
                                 '{"id": "\\ud800", "input": "a", "target": "b"}',
                                 '{"\\ud800": 1, "input": "a", "target": "b"}'])  # fmt: skip
def test_half_a_character_in_a_row(ladder, task, row):
    rows = task.parent / "rows.jsonl"
    rows.write_text(rows.read_text() + row + "\n")
    ladder("check", task).refused("rows.jsonl:161", "half a character")


# Files that are none


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def endless(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


KINDS = [pipe, folder, bound_socket, device, endless, loop]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to bind a socket in: its path may not be long."""
    monkeypatch.chdir(tmp_path)
    return Path()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_no_file_is_not_read(ladder, task, short, kind):
    kind(short / "task.yaml")
    for words in (["check"], ["assess"], ["synth"], ["train", "lora", "--task"]):
        ladder(*words, short / "task.yaml").refused("task.yaml")
    kind(short / "revalidation.yaml")
    for verb in ("revalidate", "schedule"):
        ladder(verb, short / "revalidation.yaml").refused("revalidation.yaml")
    kind(short / "assessment.json")
    ladder("report", short / "assessment.json").refused("assessment.json")
    kind(task.parent / "own.yaml")
    ladder("train", "own.yaml", "--task", task, "--runs", short / "runs").refused("own")
    (task.parent / "rows.jsonl").unlink()
    kind(Path(os.path.relpath(task.parent / "rows.jsonl")))
    ladder("check", task).refused("rows.jsonl")
    (short / "artefact").mkdir()
    kind(short / "artefact" / "passport.json")
    ladder("passport", short / "artefact").refused("passport.json")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/dev/null", "/dev/tty"])
def test_a_device_is_no_task(path):
    done = subprocess.run(
        [sys.executable, "-m", "ladder", "check", path], input=b"name: x\n", cwd=ROOT,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert re.search(rb"a device|a pipe|no such", done.stderr)


def test_names_that_are_too_long(ladder, task, tmp_path):
    for words in (
        ["check", LONG], ["check", tmp_path / LONG / "task.yaml"], ["report", LONG],
        ["revalidate", LONG], ["schedule", LONG], ["passport", LONG], ["init", LONG],
        ["check", task, "--data", LONG], ["assess", task, "--runs", LONG],
        ["assess", task, "--runs", "/".join(["y" * 200] * 25)],
        ["train", LONG, "--task", task, "--runs", tmp_path / "runs"],
        ["train", "lora", "--task", task, "--runs", LONG], ["synth", task, "--runs", LONG],
        ["synth", task, "--runs", tmp_path / "runs", "--out", f"{LONG}.jsonl"],
        ["synth", task, "--runs", tmp_path / "runs", "--out", f"{'z' * 240}.jsonl"],
        ["export", LONG], ["recipes", "copy", "lora", LONG],
    ):  # fmt: skip
        ladder(*words).refused()
    task.write_text(TASK.replace("rows", LONG))
    ladder("check", task).refused("task.yaml:3: data.examples")


def test_a_path_that_is_not_utf8_is_told_before_anything_is_asked(ladder, task, server, tmp_path):
    at_server(task, server)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    ladder("assess", task, "--runs", odd / "runs").refused("not UTF-8")
    ladder("synth", task, "--out", odd / "out.jsonl", "--runs", tmp_path / "r").refused("not UTF-8")
    shutil.copytree(task.parent, odd)
    ladder("assess", odd / "task.yaml", "--runs", tmp_path / "runs").refused("not UTF-8")
    ladder("assess", task, "--data", odd, "--runs", tmp_path / "runs").refused("not UTF-8")
    assert server.seen == []


def test_a_runs_folder_that_cannot_be_written_is_told_before_anything_is_asked(
    ladder, task, server, tmp_path
):
    at_server(task, server)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for runs in ("file", "file/runs", "loop", "loop/runs"):
        ladder("assess", task, "--runs", tmp_path / runs).refused(
            str(tmp_path / runs.split("/")[0])
        )
    for runs in ("/dev/full/runs", "/proc/runs", "/sys/runs"):
        ladder("assess", task, "--runs", runs).refused(runs)
    assert server.seen == []


# Records


def finished(task: Path, server: FaultyServer, runs: Path, ladder: Callable[..., Said]) -> Path:
    said = ladder("assess", at_server(task, server), "--runs", runs)
    assert said.code == 0, said.errors
    [found] = runs.glob("shop/*/assessment.json")
    return found.parent


BROKEN = [b"", b"{", b"null", b"[1]", b"{}", b'"x"', b"\xff\xfe", b"[" * 100_000, b"5",
          b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b'{"a": ' * 900 + b"1" + b"}" * 900,
          b"\x00" * 100, b'{"schema_version": "one"}', b'{"a": 1' + b"0" * 5000 + b"}"]  # fmt: skip


def test_damaged_records_of_a_run(ladder, task, server, tmp_path):
    run = finished(task, server, tmp_path / "runs", ladder)
    whole = (run / "assessment.json").read_bytes()
    assert ladder("report", run).code == 0
    damaged = [*BROKEN, whole[: len(whole) // 2], whole.replace(b'"confidence"', b'"konfidence"')]
    for text in damaged:
        (run / "assessment.json").write_bytes(text)
        ladder("report", run).refused("assessment.json")
        ladder("report", run, "--markdown").refused("assessment.json")
    plan = (run / "revalidation.yaml").read_bytes()
    aliases = b"a: &a [1]\n" + b"".join(
        b"%c: &%c [%s]\n" % (at, at, b",".join([b"*%c" % (at - 1)] * 10)) for at in range(98, 110)
    )
    for text in [*BROKEN, plan[: len(plan) // 3], aliases,
                 plan.replace(b"mean: 1.0", b"mean: .nan"),
                 re.sub(rb"created: .*", b"created: yesterday", plan),
                 re.sub(rb"every_days: .*", b"every_days: .inf", plan)]:  # fmt: skip
        (run / "revalidation.yaml").write_bytes(text)
        for verb in ("revalidate", "schedule"):
            ladder(verb, run).refused("revalidation.yaml")
    (run / "revalidation.yaml").write_bytes(plan)
    for text in (b"half a li", b"{}", b'{"at": 5}', b'{"at": "0001-01-01T00:00:00+14:00"}', b"\xff",
                 b'{"at": null}\n{"at": "2026-01-01"}'):  # fmt: skip
        (run / "revalidations.jsonl").write_bytes(text)
        ladder("revalidate", run, "--if-due").refused("revalidations.jsonl", "ove")


def test_a_date_in_the_future_is_named_and_does_not_count(ladder, task, server, tmp_path):
    run = finished(task, server, tmp_path / "runs", ladder)
    (run / "revalidations.jsonl").write_text('{"at": "2999-01-01T00:00:00+00:00"}\n')
    said = ladder("revalidate", run, "--if-due")
    assert said.out.startswith("Not due")
    assert "revalidations.jsonl:1: 2999-01-01 lies in the future" in said.errors
    plan = run / "revalidation.yaml"
    plan.write_text(re.sub("created: .*", "created: '2998-01-01T00:00:00+00:00'", plan.read_text()))
    said = ladder("revalidate", run, "--if-due")
    assert "Not due" not in said.out
    assert "revalidation.yaml: created: 2998-01-01 lies in the future" in said.errors


def test_each_check_asks_anew_and_a_stopped_one_goes_on(ladder, task, server, tmp_path):
    run = finished(task, server, tmp_path / "runs", ladder)
    counts = []
    for _ in range(2):
        before = len(server.seen)
        assert ladder("revalidate", run).code == 0
        counts.append(len(server.seen) - before)
    assert counts[0] == counts[1] > 0
    assert len((run / "revalidations.jsonl").read_text().splitlines()) == 2
    assert not list(run.glob("revalidations/*/unfinished"))

    server.script = [Step(delay_s=0.3)]
    before = len(server.seen)
    stopped = process("revalidate", run)
    while len(server.seen) < before + 10:
        time.sleep(0.02)
    stopped.kill()
    stopped.communicate()
    server.script = [Step()]
    middle = len(server.seen)
    assert ladder("revalidate", run).code == 0
    assert 0 < len(server.seen) - middle < counts[0]
    assert len(list(run.glob("revalidations/*/completions.sqlite"))) == 3
    assert len((run / "revalidations.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("damage", ["substr(value, 1, 7)", "'{}'", "'null'", "'5'", "x'00ff'",
                                    "'[]'", "''"])  # fmt: skip
def test_a_damaged_cache_is_asked_anew(ladder, task, server, tmp_path, damage):
    run = finished(task, server, tmp_path / "runs", ladder)
    score = json.loads((run / "assessment.json").read_text())["attempts"][0]["measurement"]["score"]
    shutil.rmtree(run)
    asked = sum("messages" in request.payload for request in server.seen)
    with sqlite3.connect(tmp_path / "runs" / "completions.sqlite") as base:
        base.execute(f"UPDATE kept SET value = {damage}")
    said = ladder("assess", task, "--runs", tmp_path / "runs", "--json")
    assert said.code == 0, said.errors
    assert said.errors.count("is damaged") == 1
    assert sum("messages" in request.payload for request in server.seen) == 2 * asked
    assert assessed(said.out)["attempts"][0]["measurement"]["score"] == score


def test_what_holds_answers_is_for_this_user_alone(ladder, task, server, tmp_path):
    run = finished(task, server, tmp_path / "runs", ladder)
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {"completions.sqlite", "samples.jsonl", "report.md"} <= {path.name for path in files}
    kept = [json.loads(line) for line in (run / "test/samples.jsonl").read_text().splitlines()]
    confirmed = json.loads((run / "assessment.json").read_text())["recommendation"]["confirmed"]
    assert len(kept) == confirmed["n"], "what was certified can be counted again"
    assert sum(row["score"] for row in kept) / len(kept) == confirmed["mean"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert ladder("revalidate", run).code == 0
    assert (run / "revalidations.jsonl").stat().st_mode & 0o777 == 0o600


# Outputs


def test_an_output_that_nobody_takes(task):
    with Path("/dev/full").open("w") as full:
        said = process("check", task, stdout=full).communicate(timeout=60)[1]
    assert b"the output: got no space left on device" in said
    read, write = os.pipe()
    os.close(read)
    piped = process("check", task, stdout=write)
    os.close(write)
    assert piped.communicate(timeout=60)[1] == b""
    assert piped.returncode == 141
    for closing in (">&-", ">&- 2>&-", "<&- >&- 2>&-"):
        command = f"{sys.executable} -m ladder check {task} {closing}"
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), closing


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
     {"COLUMNS": "0"}, {"COLUMNS": "abc"}, {"COLUMNS": "-5"}, {"TERM": ""}, {"TZ": "No/Where"},
     {"HOME": "/dev/null"}, {"LANG": "xx_YY.nothing"}],
    ids=str,
)  # fmt: skip
def test_odd_environments(task, environment):
    done = process("check", task, env={**os.environ, **environment})
    said, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert b"no mistake found" in said


def test_a_working_folder_that_is_gone(task, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from ladder.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in (["check", "task.yaml"], ["assess", str(task)], ["init"], ["report", "runs"],
                  ["train", "lora", "--task", str(task)], ["synth", str(task)]):  # fmt: skip
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=gone,
            env=env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2, (words, done.stderr)
        assert b"Traceback" not in done.stderr


def test_a_bug_whose_log_cannot_be_written_is_printed(ladder, monkeypatch, task):
    monkeypatch.setenv("LADDER_CACHE", "/dev/null/cache")
    # a bug is forced
    monkeypatch.setattr(
        "ladder.commands.check.check_task", lambda *_, **__: 1 / 0
    )  # a bug is forced
    said = ladder("check", task)
    assert said.code == 3
    assert "ZeroDivisionError" in said.errors
    assert "Traceback" in said.errors


def test_no_memory_and_too_many_files_are_the_machine_s(ladder, monkeypatch, task):
    for error, words in ((MemoryError(), "memory"), (OSError(24, "Too many open files"), "ulimit")):

        def fail(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(
            "ladder.commands.check.check_task", fail
        )  # the machine's fault is forced
        ladder("check", task).refused(words)


# Signals


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_told_to_end(task, server, tmp_path, number, code):
    server.script = [Step(delay_s=0.5)]
    climbing = process(
        "assess", at_server(task, server), "--runs", tmp_path / "runs",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while len(server.seen) < 6:
        time.sleep(0.02)
    for _ in range(5):  # the others come while it ends
        climbing.send_signal(number)
        time.sleep(0.01)
    errors = climbing.communicate(timeout=60)[1]
    assert climbing.returncode == code, errors
    assert errors.decode().splitlines() == [cli.STOPPED]
    left = {path.name for path in (tmp_path / "runs").iterdir()}
    cache = {"completions.sqlite", "completions.sqlite-wal", "completions.sqlite-shm"}
    assert left <= {".ladder.lock", *cache}


def test_a_signal_that_is_ignored_from_outside_stays_ignored(task):
    held = process(
        "check", task, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )  # as under nohup
    time.sleep(0.2)
    held.send_signal(signal.SIGHUP)
    errors = held.communicate(timeout=60)[1]
    assert held.returncode == 0, errors


def test_a_signal_at_any_moment_of_a_start(task, tmp_path):
    for wait in (0.35, 0.6, 1.0, 1.6, 2.4):
        started = process("assess", task, "--dry-run", "--runs", tmp_path / "runs")
        time.sleep(wait)
        with suppress(ProcessLookupError):
            started.send_signal(signal.SIGTERM)
        errors = started.communicate(timeout=60)[1]
        assert started.returncode in (143, -signal.SIGTERM, 0), errors
        assert b"Traceback" not in errors
