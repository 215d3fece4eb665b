"""Two of a kind at once, in processes of their own: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event

import pytest
from benches import saying
from conftest import ROOT
from engines.faulty_server import Seen
from lifecycle.two_systems import knows, number_of, plan_of, write_task
from runs_made import checked, made_run

from ladder.audit.keys import make_keys, public_keys
from ladder.audit.ledger import begin
from ladder.audit.verify import verify
from ladder.evaluation.latency import LATENCY_REQUESTS
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import Wish, promote
from ladder.lifecycle.registry import REGISTRY, read_registry
from ladder.lifecycle.release import releases_so_far
from ladder.lifecycle.revalidate import RECORD
from ladder.task import load_task

Ended = tuple[int, str, str]
"""Exit code, output and errors."""


def together(*commands: tuple[object, ...]) -> list[Ended]:
    """Start commands at once; return how each ended."""
    return [ended(process) for process in [begun(*words) for words in commands]]


def begun(*words: object) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "ladder", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command."""
    out, errors = process.communicate(timeout=1800)
    return process.returncode, out, errors


@pytest.mark.slow
def test_of_promotions_at_once_one_wins(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    champion = made_run(runs, "one")
    promote(champion, Wish())
    rivals = [made_run(runs, f"rival{number}") for number in range(4)]
    for rival in rivals:
        checked(rival, champion)
    done = together(*(("promote", rival) for rival in rivals))
    [won] = [rival for rival, (code, _, _) in zip(rivals, done, strict=True) if code == 0]
    for code, _, errors in done:
        assert "Traceback" not in errors
        assert code == 0 or "no release check" in errors
    found = read_registry(runs / "registry.jsonl")
    assert len(found.entries) == 2
    assert in_production(found.entries)["shop"].champion.place == f"shop/{won.name}"


@pytest.mark.slow
def test_promotions_of_many_names_at_once_stand_in_registry_and_ledger(tmp_path: Path) -> None:
    make_keys("machine")
    runs = begin(tmp_path / "runs").parent
    run = made_run(runs, "2020-01-01T080000.000000Z")  # older than the ledger
    names = [f"name{number}" for number in range(4)]
    done = together(*(("promote", run, "--name", name) for name in names))
    assert [code for code, _, _ in done] == [0] * 4, done
    assert in_production(read_registry(runs / REGISTRY).entries).keys() == {*names}
    assert verify(runs, public_keys(())).faults == ()


@pytest.mark.slow
def test_release_checks_at_once_leave_a_record_each_and_share_the_answers(tmp_path: Path) -> None:
    with saying(lambda seen: knows(seen.question)) as server:
        task = write_task(tmp_path, server.url, 300)
        models = load_task(task).models
        champion = plan_of(task, str(models.base), "old")
        candidate = plan_of(task, str(models.student), "new")
        server.seen.clear()
        words = ("release", "check", candidate, "--against", champion, "--json")
        done = together(words, words)
        asked = Counter((seen.payload["model"], seen.question) for seen in server.seen)
    assert [code for code, _, _ in done] == [0, 0], done
    told = [json.loads(out) for _, out, _ in done]
    assert all(each["passed"] for each in told)
    kept = releases_so_far(candidate)
    assert [one.passed for one in kept] == [True, True]
    assert kept[0].checks == kept[1].checks
    rows = {key: times for key, times in asked.items() if number_of(key[1]) >= 0}
    once = sum(times == 1 for times in rows.values())
    assert once == len(rows) - 2 * LATENCY_REQUESTS  # all but the rows that are timed


@pytest.mark.slow
def test_of_two_checks_at_once_the_second_is_refused_and_the_next_knows_of_the_first(
    tmp_path: Path,
) -> None:
    asked, go_on = Event(), Event()
    go_on.set()

    def speak(seen: Seen) -> str:
        asked.set()
        go_on.wait(600)
        return knows(seen.question)

    with saying(speak) as server:
        task = write_task(tmp_path, server.url, 80)
        plan = plan_of(task, str(load_task(task).models.base), "runs")
        asked.clear()
        go_on.clear()
        stopped = begun("revalidate", plan)
        assert asked.wait(600)
        code, _, errors = ended(begun("revalidate", plan))
        assert code == 2
        assert f"{plan}: another check of this plan is under way" in errors
        stopped.kill()  # the system frees what it held
        stopped.communicate(timeout=60)
        go_on.set()
        done = [ended(begun("revalidate", plan)) for _ in range(2)]
    assert [code for code, _, _ in done] == [0, 0], done
    times = [out.partition("read for the ")[2][:3] for _, out, _ in done]
    assert times == ["2nd", "3rd"]
    lines = [json.loads(line) for line in (plan.parent / RECORD).open()]
    assert [line["openings"] for line in lines] == [2, 3]
    assert 0 < lines[1]["error"] < lines[0]["error"], "it spends of what is left"
    assert not list(plan.parent.glob("revalidations/*/unfinished"))
