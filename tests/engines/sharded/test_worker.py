"""A worker computes as the driver does, and says what it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ladder import hardware
from ladder.engines.local import LocalEngine
from ladder.engines.sharded import whole_address
from ladder.engines.sharded.worker import Conditions, differences, passport
from ladder.errors import EngineError


def test_a_passport_names_all_that_floats_depend_on(smollm):
    found = passport(LocalEngine(smollm))
    named = {"weights", "tokenizer.json", "precision", "transformers", "torch", "processor flags"}
    assert named <= found.keys()
    assert differences(found, found) == []


def test_differences_are_told_in_words():
    here = {"weights": "a" * 64, "torch": "2.13.0", "processor flags": "avx avx2 fma"}
    there = {"weights": "b" * 64, "torch": "2.13.0", "processor flags": "avx avx2 avx512f"}
    assert differences(here, there) == [
        "weights bbbbbbbbbbbb (here aaaaaaaaaaaa)",
        "processor flags +avx512f -fma",
    ]


def test_a_process_takes_over_how_the_driver_computes(monkeypatch):
    """The precision is decided once: a worker with another processor would decide otherwise."""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setattr(hardware, "_HELD", ["bfloat16"])
    conditions = Conditions.here(threads=3)
    program = (
        "import json, os, sys; from ladder.engines.sharded.worker import Conditions\n"
        "from ladder.hardware import precision, threads\n"
        "environment, name = json.loads(sys.argv[1])\n"
        "Conditions(environment, name).take_over()\n"
        "names = ('ATEN_CPU_CAPABILITY', 'ONEDNN_MAX_CPU_ISA', 'RAY_USAGE_STATS_ENABLED')\n"
        "print(json.dumps([precision(), threads(), *map(os.environ.get, names)]))"
    )
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX")  # the worker's own, which does not count
    said = json.dumps([dict(conditions.environment), conditions.precision])
    done = subprocess.run(
        [sys.executable, "-c", program, said], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["bfloat16", 3, "avx2", None, "0"]


def test_auto_is_what_ray_address_says(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.2:6379")
    assert whole_address("auto") == "127.0.0.2:6379"
    assert whole_address("10.0.0.7:6379") == "10.0.0.7:6379"


@pytest.mark.parametrize("said", ["", "ray://head:10001", "local"])
def test_an_address_that_names_no_cluster_is_told_with_what_was_wanted(monkeypatch, said):
    monkeypatch.setenv("RAY_ADDRESS", said)
    with pytest.raises(EngineError, match="wanted HOST:PORT"):
        whole_address("auto")
