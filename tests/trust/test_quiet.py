"""The table of opt-outs: set before any library, in every process, and printed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ladder

from ladder.trust.quiet import OPT_OUTS, be_quiet, quieted


@pytest.mark.parametrize("each", OPT_OUTS, ids=lambda each: each.variable)
def test_a_users_value_stays_only_where_it_is_as_quiet(each) -> None:
    for own in (each.value, *each.as_quiet):
        assert quieted({each.variable: own})[each.variable] == own
    for loud in ("", "0" if each.value in ("1", "true") else "1", "please"):
        if loud.lower() not in each.as_quiet:
            assert quieted({each.variable: loud})[each.variable] == each.value


def test_each_variable_stands_once_and_says_what_it_stops() -> None:
    names = [each.variable for each in OPT_OUTS]
    assert len(set(names)) == len(names)
    assert all(each.sends and each.library for each in OPT_OUTS)


def test_the_table_is_printed_with_whose_value_it_is() -> None:
    done = ladder("audit", "quiet", HF_HUB_DISABLE_TELEMETRY="0", RAY_USAGE_STATS_ENABLED="0")
    assert done.returncode == 0, done.stderr
    lines = {line.partition("=")[0]: line for line in done.stdout.splitlines()}
    assert {each.variable for each in OPT_OUTS} <= set(lines)
    assert "HF_HUB_DISABLE_TELEMETRY=1 " in lines["HF_HUB_DISABLE_TELEMETRY"]
    assert "set by ladder" in lines["HF_HUB_DISABLE_TELEMETRY"]
    assert "set by you" in lines["RAY_USAGE_STATS_ENABLED"]


@pytest.mark.slow
def test_libraries_read_them_as_off() -> None:
    """In the libraries' own words: what they have understood, in a process of their own."""
    pytest.importorskip("mlflow")
    pytest.importorskip("datasets")
    code = (
        "from ladder.trust.quiet import be_quiet; be_quiet()\n"
        "import huggingface_hub.constants as hub, datasets.config as rows\n"
        "import mlflow.telemetry.utils as flow\n"
        "print(hub.HF_HUB_DISABLE_TELEMETRY, rows.HF_UPDATE_DOWNLOAD_COUNTS)\n"
        "print(flow.is_telemetry_disabled())\n"
    )
    loud = ("CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY")
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={name: value for name, value in os.environ.items() if name not in loud},
    )  # fmt: skip
    assert said.stdout.split() == ["True", "False", "True"]


def test_a_verb_sets_them_before_it_begins(monkeypatch, request) -> None:
    for each in OPT_OUTS:
        monkeypatch.delenv(each.variable, raising=False)
    be_quiet()
    assert all(each.holds(os.environ[each.variable]) for each in OPT_OUTS)
