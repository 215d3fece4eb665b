"""Two of a kind at once, in processes of their own: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from benches import saying
from conftest import ROOT
from lifecycle.two_systems import knows, number_of, plan_of, write_task
from runs_made import checked, made_run

from ladder.evaluation.latency import LATENCY_REQUESTS
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import Wish, promote
from ladder.lifecycle.registry import read_registry
from ladder.lifecycle.release import releases_so_far
from ladder.task import load_task


def together(*commands: tuple[object, ...]) -> list[tuple[int, str, str]]:
    """Start commands at once; return exit code, output and errors of each."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "ladder", *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "COLUMNS": "100"},
        )
        for words in commands
    ]  # fmt: skip
    said = [process.communicate(timeout=1800) for process in begun]
    return [(process.returncode, *each) for process, each in zip(begun, said, strict=True)]


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
