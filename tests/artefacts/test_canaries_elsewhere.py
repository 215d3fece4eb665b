"""Canaries that one process has taken hold in another, in either precision."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from ladder.engines.passport import read_passport

pytest.importorskip("torch")

FORCED = """
import sys
import ladder.hardware
wanted = sys.argv.pop(1)
ladder.hardware.precision = lambda: wanted
"""
"""Whatever this machine computes in: a processor without a unit for bfloat16 emulates it."""
ISSUE = f"""{FORCED}
from pathlib import Path
from trained import issued
issued(*map(Path, sys.argv[1:]))
"""
PROGRAM = f"""{FORCED}
from ladder.cli import main
main()
"""


def in_a_process(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True,
        timeout=1800, env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "300"},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_canaries_of_a_passport_hold_in_another_process(
    tiny: Path, tmp_path: Path, precision: str
) -> None:
    """Within a thousandth of a nat: nothing is different that the arithmetic hangs on."""
    student = tmp_path / "student"
    shutil.copytree(tiny, student)
    done = in_a_process(ISSUE, precision, student, tiny)
    assert done.returncode == 0, done.stderr
    passport = read_passport(student)
    assert passport
    assert passport.canaries
    assert (passport.canaries.precision, passport.canaries.repeated) == (precision, 0.0)
    done = in_a_process(PROGRAM, precision, "passport", student)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first tokens moved by up to 0.0000 nats, 0.0010 allowed" in done.stdout
