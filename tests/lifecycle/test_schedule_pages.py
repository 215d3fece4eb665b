"""The pages about schedules and retraining: their commands are run, their units are read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from benches import saying
from conftest import ROOT
from conftest import ladder as ladder_in_a_process
from croniter import croniter
from engines.faulty_server import Seen
from lifecycle.test_schedules import needs_systemd, passes
from test_docs import assert_ran, run_pages

from ladder.lifecycle.registry import read_registry
from ladder.lifecycle.schedules import TARGETS
from ladder.lifecycle.schedules.job import Job

PAGE = ROOT / "docs/schedules.md"


@pytest.mark.slow
def test_the_commands_of_the_page_run(plan_path: Path, folder: Path) -> None:
    done = run_pages([PAGE], folder)
    assert_ran(done)
    assert "ladder-shop.timer" in done.stdout
    assert "ladder_check_ok" in (folder / "ladder.prom").read_text()
    [plan] = json.loads((folder / "status.json").read_text())["plans"]
    assert Path(plan["plan"]).name == plan_path.name


def texts() -> list[str]:
    return re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)


@needs_systemd
def test_the_units_of_the_dead_man_check_are_units(tmp_path: Path) -> None:
    [units] = [text for text in texts() if "[Service]" in text]
    service, timer = units.split("# ladder-status.timer\n")
    for name, text in (("service", service), ("timer", timer)):
        (tmp_path / f"ladder-status.{name}").write_text(text)
    assert passes("systemd-analyze", "verify", *tmp_path.iterdir()) == ""


def test_the_new_block_of_a_crontab_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    [block] = [text for text in texts() if "crontab -l" in text]
    [swap] = [line for line in block.splitlines() if "sed" in line]
    for name in ("shop", "shop-2"):
        job = Job(tmp_path / name / "revalidation.yaml", name)
        (tmp_path / name).write_text(TARGETS["cron"](job)["crontab"])
    old, other = ((tmp_path / name).read_text() for name in ("shop", "shop-2"))
    (tmp_path / "before").write_text(f"MAILTO=me\n{old}{other}")
    (tmp_path / "ladder.cron").write_text(old.replace("17 6", "18 6"))
    swap = swap.replace("crontab -l", "cat before").replace("crontab -", "cat > after")
    subprocess.run(["bash", "-c", swap], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "after").read_text() == f"MAILTO=me\n{other}{old.replace('17 6', '18 6')}"


def test_the_cron_line_of_the_dead_man_check_is_one() -> None:
    [block] = [text for text in texts() if "mails" in text]
    assert croniter.is_valid(" ".join(block.splitlines()[1].split()[:5]), strict=True)


@pytest.mark.slow
def test_the_commands_of_the_runbook_retrain_run(tmp_path: Path) -> None:
    """With a task whose model is a server that knows the answers, and one answer in production."""
    folder = tmp_path / "home"
    folder.mkdir()
    assert ladder_in_a_process("init", folder / "my-task").returncode == 0
    task = folder / "my-task/task.yaml"
    rows = [json.loads(line) for line in (folder / "my-task/train.jsonl").open()]
    tests = [json.loads(line) for line in (folder / "my-task/test.jsonl").open()]
    new, left = tests[:40], tests[40:]
    for name, some in (("new.jsonl", new), ("my-task/test.jsonl", left)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    target_of = {row["input"]: row["target"] for row in [*rows, *tests]}

    def speak(request: Seen) -> str:
        asked = [text for text in target_of if text in request.question]
        return str(target_of[max(asked, key=request.question.rfind)]) if asked else "none"

    with saying(speak) as server:
        values: dict[str, Any] = yaml.safe_load(task.read_text())
        values |= {
            "models": {"base": f"openai:small@{server.url}"},
            "prices": {"input_usd_per_1m": 1, "output_usd_per_1m": 1, "source": "a test"},
            "rungs": ["prompt"],
        }
        task.write_text(yaml.safe_dump(values))
        first = ladder_in_a_process("assess", task, "--runs", folder / "runs")
        assert first.returncode == 0, first.stdout + first.stderr
        [champion] = (folder / "runs/my-task").iterdir()
        assert ladder_in_a_process("promote", champion).returncode == 0
        done = run_pages([ROOT / "runbooks/retrain.md"], folder)
    assert_ran(done)
    [_, candidate] = sorted((folder / "runs/my-task").iterdir())
    assert "1 plan, all stand" in done.stdout.splitlines()[-1]
    entries = read_registry(folder / "runs/registry.jsonl").entries
    assert [entry.system.folder for entry in entries] == [champion.name, candidate.name]
    assert entries[-1].release  # the check that the runbook makes
    assert (folder / "units/ladder-my-task.timer").is_file()
    shutil.rmtree(folder)
