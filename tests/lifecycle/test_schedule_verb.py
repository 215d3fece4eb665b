"""`ladder schedule`: its options, its files, and a run that was moved away from its task."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ladder.lifecycle.schedules import TARGETS

LADDER = Callable[..., Any]


def test_each_target_is_printed(plan_path: Path, ladder: LADDER) -> None:
    for target in TARGETS:
        done = ladder("schedule", plan_path, "--target", target, "--image", "team/ladder:1")
        assert done.code == 0, done.errors
        assert "ladder-shop" in done.out or target == "cron"
        assert "--if-due" in done.out
        assert "Time zone: " in done.errors


def test_the_time_zone_is_the_one_that_is_named(plan_path: Path, ladder: LADDER) -> None:
    words = ("schedule", plan_path, "--target", "github", "--time-zone")
    done = ladder(*words, "America/New_York")
    assert "timezone: America/New_York" in done.out
    assert not done.errors
    ladder(*words, "Mars/Olympus").refused("Mars/Olympus", "IANA", "--time-zone")


def test_kubernetes_is_refused_without_an_image(plan_path: Path, ladder: LADDER) -> None:
    ladder("schedule", plan_path, "--target", "kubernetes").refused("--image", "has ladder")


def test_files_are_written_and_never_over_others(
    plan_path: Path, ladder: LADDER, tmp_path: Path
) -> None:
    out = tmp_path / "units"
    words = ("schedule", plan_path, "--target", "systemd", "--into", out)
    for _ in range(2):  # the same files may be written again
        done = ladder(*words)
        assert done.code == 0, done.errors
        named = [Path(line.removeprefix("wrote ")).name for line in done.out.splitlines()]
        assert named == ["ladder-shop.service", "ladder-shop.timer"]
    (out / "ladder-shop.timer").write_text("mine\n")
    (out / "ladder-shop.service").unlink()
    ladder(*words).refused("ladder-shop.timer: holds another text")
    assert (out / "ladder-shop.timer").read_text() == "mine\n"
    assert not (out / "ladder-shop.service").exists(), "all or nothing"


def test_a_run_that_was_copied_says_where_it_looked_for_its_task(
    plan_path: Path, folder: Path, ladder: LADDER, tmp_path: Path
) -> None:
    (tmp_path / "far/away").mkdir(parents=True)
    copied = shutil.copytree(plan_path.parent, tmp_path / "far/away/run")
    task = folder / "task.yaml"
    looked = str(tmp_path / "task.yaml")
    recent = tmp_path / "recent.jsonl"
    recent.write_text(json.dumps({"input": "two loafs"}) + "\n")
    for words in (
        ["schedule", copied],
        ["revalidate", copied],
        ["drift", copied, "--data", recent],
    ):
        ladder(*words).refused("revalidation.yaml: task", looked, "--task FILE")
    done = ladder("schedule", copied, "--task", task)
    assert done.code == 0, done.errors
    assert f"--task {task}" in done.out
    ladder("schedule", copied, "--task", tmp_path / "no.yaml").refused("no.yaml", "no such file")


@pytest.mark.slow
def test_a_run_that_was_copied_is_measured_with_its_task(
    plan_path: Path, folder: Path, ladder: LADDER, tmp_path: Path
) -> None:
    (tmp_path / "far/away").mkdir(parents=True)
    copied = shutil.copytree(plan_path.parent, tmp_path / "far/away/run")
    done = ladder("revalidate", copied, "--task", folder / "task.yaml")
    assert done.code == 0, done.out + done.errors
    assert "still holds" in done.out
