"""A certified answer behind `ladder serve`, and another one behind the same name: it is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, train_head
from engines.endpoint.llama_server import free_port
from probed import plan_in
from trained import perturb

from ladder.lifecycle.probing import probe
from ladder.progress import Quiet


@contextmanager
def ladder_serve(run: Path, port: int) -> Iterator[None]:
    """Serve a run by the program itself, until the end of the block."""
    command = [sys.executable, "-m", "ladder", "serve", str(run), "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        assert process.poll() is None, said
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
def test_another_student_behind_the_name_is_found_by_its_labels(
    folder: Path, plan_path: Path, tmp_path: Path
) -> None:
    """A student tells the chance of its answer alone: eval prompts are asked."""
    port = free_port()
    client = tmp_path / "client"
    client.mkdir()
    plan = plan_in(client, f"systemone:shop@http://127.0.0.1:{port}/v1")
    with ladder_serve(plan_path, port):
        first = probe(plan, Quiet())
        assert (first.look.probe, first.look.calls) == ("outputs", 8 + 20 * 8)
    with ladder_serve(plan_path, port):
        same = probe(plan, Quiet()).look
    assert (same.verdict, same.calls) == ("same", 20 * 2)
    assert same.shifts[0].effect == 0
    things = ["loafs", "baguettes", "rolls", "muffins", "tarts", "eclairs"]
    train_head(folder / "student", [f"two {thing}" for thing in things],
               ["cake"] * 3 + ["bread"] * 3, 0)  # fmt: skip
    with ladder_serve(plan_path, port):
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 20 * 2)
    assert found.shifts[0].effect > 0.02


@pytest.mark.slow
def test_another_base_behind_the_name_is_found_by_the_chances_of_the_labels(
    smollm: Path, tmp_path: Path
) -> None:
    """A model that scores labels tells each one's: 32 calls on texts of our own, no row is sent."""
    base, port = tmp_path / "base", free_port()
    shutil.copytree(smollm, base)
    homes = [tmp_path / "system", tmp_path / "client"]
    for home in homes:
        home.mkdir()
    system = plan_in(homes[0], f"hf:{base}", decoding="scored")
    plan = plan_in(homes[1], f"systemone:shop@http://127.0.0.1:{port}/v1")
    with ladder_serve(system, port):
        first = probe(plan, Quiet())
        assert first.taken
        assert (first.look.probe, first.look.calls) == ("log-probabilities", 8 + 8 * 16)
        assert "loaves" not in first.taken.model_dump_json()
        same = probe(plan, Quiet()).look
    assert (same.verdict, same.calls) == ("same", 32)
    perturb(base / "model.safetensors", "layers.15.mlp.down_proj", 0.3)
    with ladder_serve(system, port):
        found = probe(plan, Quiet()).look
    assert (found.verdict, found.calls) == ("revalidate", 32)
    assert found.shifts[0].effect > 0.05
