"""`ladder status`: silence alarms, and so does what a check found; read from files alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ladder.commands.status import age_of, as_prometheus, lines, write_prometheus
from ladder.errors import StateError
from ladder.evidence import PlanStanding, Standing
from ladder.files import file_digest
from ladder.lifecycle.history import history_of
from ladder.lifecycle.status import Limits, status_of

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
PLAN = {
    "schema_version": 1, "task": "../../../task.yaml", "data_root": None,
    "created": "2027-03-01T10:00:00+00:00", "control": "majority",
    "baseline": {
        "gate_rows": {"mean": 0.9, "low": 0.85, "high": 0.95, "n": 200}, "sealed_rows": None,
        "cost_usd_per_1k": 0.0, "latency_ms": None, "hardware": {},
    },
    "gate": {"min_score": 0.8}, "pinned": {}, "every_days": 91, "due": [], "triggers": [],
    "command": "ladder revalidate revalidation.yaml",
}  # fmt: skip


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat(timespec="seconds")


def make(folder: Path, days: float, **changes: Any) -> Path:
    """Leave a plan that was certified so many days ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "revalidation.yaml"
    path.write_text(yaml.safe_dump({**PLAN, "created": ago(days), **changes}))
    return path


def add(plan: Path, name: str, *values: dict[str, Any] | str) -> None:
    with (plan.parent / name).open("a", encoding="utf-8") as file:
        file.writelines((v if isinstance(v, str) else json.dumps(v)) + "\n" for v in values)


def revalidated(days: float, *findings: str) -> dict[str, Any]:
    score = {"mean": 0.9, "low": 0.85, "high": 0.95, "n": 200}
    found = {"score": score, "verdict": "pass", "changed": [], "findings": list(findings)}
    return {"at": ago(days), **found}


def rotated(days: float, *findings: str) -> dict[str, Any]:
    return {**revalidated(days, *findings), "fresh": 50}


def drifted(days: float, *names: str) -> dict[str, Any]:
    shifts = [
        {"name": name, "effect": 0.4, "least": 0.1, "p": 1e-4, "p_holm": 1e-3, "alarms": True}
        for name in names
    ]
    look = {"data": "d", "reference": "r", "embedder": None, "rows": 50, "reference_rows": 50}
    return {"at": ago(days), **look, "error": 0.001, "shifts": shifts}


def looked(runs: Path | list[Path], limits: Limits = Limits(), **more: Any) -> Standing:  # noqa: B008
    return status_of(runs if isinstance(runs, list) else [runs], NOW, limits, **more)


def one(runs: Path, limits: Limits = Limits()) -> PlanStanding:  # noqa: B008
    [plan] = looked(runs, limits).plans
    return plan


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_silence_alarms(runs: Path) -> None:
    plan = make(runs / "mail/a", 99)
    assert one(runs).alarms == ()
    make(runs / "mail/a", 101)
    found = one(runs)
    assert (found.alarms, found.age_days, found.last_kind) == (("silent",), 101, "certification")
    assert one(runs, Limits(timedelta(days=102))).alarms == ()
    add(plan, "probes.jsonl", {"at": ago(1)})
    assert (one(runs).alarms, one(runs).last_kind) == ((), "probe")


def test_what_only_leant_to_a_pass_is_not_called_certified(runs: Path) -> None:
    make(runs / "mail/a", 10, proven=False)
    said = "\n".join(lines(looked(runs)))
    assert said.startswith("? mail")
    assert "certified" not in said
    assert "the gate was never proven" in said


def test_a_probe_every_day_does_not_hide_that_nothing_is_measured(runs: Path) -> None:
    plan = make(runs / "mail/a", 120)
    add(plan, "probes.jsonl", *({"at": ago(day), "verdict": "same"} for day in range(30, 0, -1)))
    found = one(runs)
    assert found.alarms == ("overdue",)
    assert found.due == "2027-05-03"
    add(plan, "revalidations.jsonl", revalidated(20))
    assert one(runs).alarms == ()
    assert one(runs).due == "2027-08-11"


def test_a_finding_alarms_until_something_comes_after(runs: Path) -> None:
    plan = make(runs / "mail/a", 60)
    add(plan, "revalidations.jsonl", revalidated(30, "the score fell"))
    found = one(runs)
    assert found.alarms == ("found",)
    assert [each.found for each in found.open] == [("the score fell",)]
    add(plan, "drift.jsonl", drifted(20))
    assert one(runs).alarms == ("found",), "quiet inputs do not mend a score that fell"
    add(plan, "revalidations.jsonl", revalidated(10))
    assert one(runs).alarms == ()


@pytest.mark.parametrize(
    ("name", "bad", "good", "check", "word"),
    [
        ("drift.jsonl", drifted(30, "length"), drifted(10), rotated(5), "length"),
        ("probes.jsonl", {"at": ago(30), "verdict": "block"}, {"at": ago(9), "verdict": "same"},
         revalidated(5), "block"),
    ],
)  # fmt: skip
def test_drift_and_probes_are_answered_by_their_own_kind_or_a_revalidation(
    runs: Path,
    name: str,
    bad: dict[str, Any],
    good: dict[str, Any],
    check: dict[str, Any],
    word: str,
) -> None:
    first, second = make(runs / "mail/a", 60), make(runs / "news/a", 60, task="../../../news.yaml")
    for plan in (first, second):
        add(plan, name, bad)
    assert [plan.alarms for plan in looked(runs).plans] == [("found",)] * 2
    assert word in "\n".join(lines(looked(runs)))
    add(first, name, good)
    add(second, "revalidations.jsonl", check)
    assert [plan.alarms for plan in looked(runs).plans] == [(), ()]


def test_the_certified_rows_say_nothing_of_traffic_that_moved_away_from_them(runs: Path) -> None:
    plan = make(runs / "mail/a", 60)
    add(plan, "revalidations.jsonl", rotated(40))
    add(plan, "drift.jsonl", drifted(30, "length"))
    add(plan, "revalidations.jsonl", revalidated(20))
    assert [each.kind for each in one(runs).open] == ["drift"]
    add(plan, "revalidations.jsonl", rotated(10, "the score fell"))
    assert [each.kind for each in one(runs).open] == ["revalidation", "drift"]
    add(plan, "revalidations.jsonl", rotated(5))
    assert one(runs).alarms == ()


def test_the_announced_end_is_counted_down(runs: Path) -> None:
    plan = make(runs / "mail/a", 10)
    add(plan, "probes.jsonl", {"at": ago(5), "ends": "2027-09-15"}, {"at": ago(4)})
    found = one(runs)
    assert (found.ends, found.ends_in_days, found.alarms) == ("2027-09-15", 106, ())
    assert one(runs, Limits(ends_within=timedelta(days=106))).alarms == ("ends",)
    add(plan, "probes.jsonl", {"at": ago(3), "ends": "2027-05-30"})
    assert one(runs).alarms == ("ended",)
    assert "ends on 2027-05-30, 2 days ago" in "\n".join(lines(looked(runs)))


def test_only_the_newest_plan_of_a_task_counts(runs: Path) -> None:
    make(runs / "mail/old", 300)
    make(runs / "mail/new", 3)
    make(runs / "news/only", 3, task="../../../news.yaml")
    assert {Path(plan.plan).parent.name for plan in looked(runs).plans} == {"new", "only"}
    assert len(looked(runs, every=True).plans) == 3
    assert one(runs / "mail/old").alarms == ("silent", "overdue"), "named itself, it counts"


def promoted(plan: Path, kind: str = "promoted", name: str = "mail") -> dict[str, Any]:
    system = {"task": name, "plan": file_digest(plan), "folder": plan.parent.name, "created": ""}
    return {"at": ago(1), "kind": kind, "name": name, "system": system, "more": 1}


def test_what_is_in_production_counts_where_a_registry_says_so(runs: Path) -> None:
    old, new = make(runs / "mail/old", 300), make(runs / "mail/new", 3)
    registry = runs / "registry.jsonl"
    registry.write_text(json.dumps({"kind": "rehearsed", "name": "mail"}) + "\n")
    assert one(runs).in_production is None, "nothing is in production yet: the newest counts"
    registry.write_text(json.dumps(promoted(new)) + "\n")
    assert (one(runs).in_production, one(runs).alarms) == (True, ())
    with registry.open("a") as file:
        file.write(json.dumps(promoted(old, "rolled back")) + "\n")
    found = one(runs)
    assert Path(found.plan) == old
    assert found.alarms == ("silent", "overdue")
    old.unlink()
    lost = looked(runs)
    assert (lost.missing, lost.alarms) == (("mail",), True)


def test_a_broken_line_is_told_and_the_others_count(runs: Path) -> None:
    plan = make(runs / "mail/a", 60)
    add(plan, "revalidations.jsonl", revalidated(30), '{"at": "2027-', revalidated(2, "it fell"))
    add(plan, "probes.jsonl", {"at": "the day before"}, "[]", {"verdict": "same"})
    add(plan, "drift.jsonl", {"at": ago(1)})
    found = one(runs)
    assert found.alarms == ("found", "unreadable")
    assert len(found.notes) == 5
    assert any("revalidations.jsonl:2: no line of this record" in note for note in found.notes)
    assert len(history_of(plan.parent).happenings) == 2
    (runs / "registry.jsonl").write_text("{\n[]\n")
    assert len(looked(runs).notes) == 2
    (runs / "news/a").mkdir(parents=True)
    (runs / "news/a/revalidation.yaml").write_text("{")
    assert looked(runs).alarms
    assert any("news" in note for note in looked(runs).notes)


def test_a_clock_that_went_back_is_said(runs: Path) -> None:
    """A check of the future is none: else a wrong clock keeps the alarm silent for years."""
    plan = make(runs / "mail/a", 120)
    add(plan, "revalidations.jsonl", revalidated(-400))
    found = one(runs)
    assert found.alarms == ("silent", "overdue")
    assert "lies in the future, so it does not count" in found.notes[0]
    make(runs / "mail/a", -5)
    later = one(runs)
    assert "silent" in later.alarms
    assert "created" in later.notes[-2]


def test_what_was_found_by_a_clock_that_stood_ahead_is_open(runs: Path, ladder) -> None:
    """Its date does not count. Silence about a score that fell would be the worse mistake."""
    plan = make(runs / "mail/a", 10)
    add(plan, "drift.jsonl", drifted(-30, "length"))
    found = one(runs)
    assert (found.alarms, [each.kind for each in found.open]) == (("found",), ["drift"])
    add(plan, "drift.jsonl", drifted(1))
    assert one(runs).alarms == (), "the line after it found nothing"
    add(plan, "releases.jsonl", {"at": ago(-1), "champion": {"folder": "x"}, "passed": False})
    assert one(runs).alarms == ()
    plan.write_text(plan.read_text().replace(ago(10), "2999-01-01T00:00:00+00:00"))
    said = ladder("status", plan)
    assert "certified 2999-01-01, after today by this clock" in said.out


def test_a_folder_that_cannot_be_looked_into_is_told(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the test may be root, who may look into every folder."""
    make(runs / "mail/a", 10)
    make(runs / "news/a", 10)
    list_folder = os.scandir

    def refused(folder: str) -> Any:
        if str(folder).endswith("news/a"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", refused)
    found = looked(runs)
    assert [each.task for each in found.plans] == ["mail"]
    [note] = found.notes
    assert note == (
        f"{runs}/news/a: got permission denied, wanted a folder of runs to look into. "
        "Give yourself the right to it, or name another one."
    )
    assert found.alarms


def test_no_plan_is_an_error(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no such file or folder"):
        looked(runs)
    with pytest.raises(StateError, match=r"no revalidation\.yaml below it"):
        looked(tmp_path)


@pytest.mark.parametrize(
    ("text", "days"), [("100d", 100), ("14w", 98), ("36h", 1.5), ("7", 7), ("0.5d", 0.5)]
)
def test_an_age_is_read(text: str, days: float) -> None:
    assert age_of(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "d", "-3d", "0d", "1e9d", "٣d", "3 d", "99999999w", "nan"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is wanted"):
        age_of(text)


# Prometheus.


def series(text: str) -> dict[tuple[str, str], float]:
    """Return (metric, plan) -> value, as Prometheus' own client reads the text."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, sample.labels.get("plan", ""))
            assert key not in found, "one series, twice"
            found[key] = sample.value
    return found


NASTY = 'it\'s "a"\\b, {x="y"} 1\u2028é 邮'


def test_prometheus_reads_what_is_written(runs: Path) -> None:
    plan = make(runs / NASTY / "a", 120, task="../../../mail.yaml")
    add(plan, "probes.jsonl", {"at": ago(2), "verdict": "block", "ends": "2027-09-15"})
    other = make(runs / "news/a", 3)
    text = as_prometheus(looked(runs))
    found = series(text)
    at = (NOW - timedelta(days=2)).timestamp()
    assert found["ladder_last_check_timestamp_seconds", str(plan)] == at
    assert found["ladder_check_ok", str(plan)] == 0
    assert found["ladder_check_ok", str(other)] == 1
    assert found["ladder_alarms", str(plan)] == 2
    ends = datetime(2027, 9, 15, tzinfo=UTC).timestamp()
    assert found["ladder_model_ends_timestamp_seconds", str(plan)] == ends
    assert ("ladder_model_ends_timestamp_seconds", str(other)) not in found
    assert found["ladder_status_timestamp_seconds", ""] == NOW.timestamp()
    assert text.endswith("\n")


def test_the_file_is_whole_and_may_be_read_by_whoever_collects_it(
    runs: Path, tmp_path: Path
) -> None:
    make(runs / "mail/a", 3)
    path = tmp_path / "ladder.prom"
    for _ in range(2):
        write_prometheus(path, looked(runs))
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.glob("*.prom*")] == ["ladder.prom"]
    assert not list(tmp_path.glob(".*prom*")), "nothing is left of writing it"
    with pytest.raises(StateError):
        write_prometheus(tmp_path / "runs/mail/a/revalidation.yaml/x.prom", looked(runs))


# The verb.


def test_the_verb_says_it_and_ends_with_a_code(
    runs: Path, tmp_path: Path, ladder: Callable[..., Any]
) -> None:
    today = datetime.now(UTC)
    plan = make(runs / "mail/a", 0, created=(today - timedelta(days=50)).isoformat())
    well = ladder("status", runs)
    assert (well.code, "1 plan, all stand" in well.out) == (0, True)
    silent = ladder("status", runs, "--max-age", "7w", "--prometheus", tmp_path / "ladder.prom")
    assert silent.code == 1
    assert "nothing has checked it for too long" in silent.out
    assert series((tmp_path / "ladder.prom").read_text())["ladder_alarms", str(plan)] == 1
    found = json.loads(ladder("status", runs, "--json").out)
    assert found["plans"][0]["age_days"] == 50
    add(plan, "revalidations.jsonl", {**revalidated(0, "x\x1b[2J\ny"), "at": today.isoformat()})
    told = ladder("status", plan)
    assert told.code == 1
    assert "\x1b" not in told.out
    ladder("status", runs, "--max-age", "soon").refused("--max-age")
    ladder("status", runs, "--prometheus", tmp_path / "ladder.txt").refused(".prom")
    ladder("status", tmp_path / "none").refused("no such file or folder")


def test_a_folder_of_runs_that_was_copied_stands_as_before(runs: Path, tmp_path: Path) -> None:
    """It reads no task: it may run where only the records are."""
    make(runs / "mail/a", 3)
    shutil.copytree(runs, tmp_path / "elsewhere")
    os.rename(runs, tmp_path / "gone")  # noqa: PTH104
    assert one(tmp_path / "elsewhere").alarms == ()
