"""What the training programs share, where a fault has to be forced."""

from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "recipes"))
running = importlib.import_module("running")
program_rows = importlib.import_module("rows")
steps = importlib.import_module("steps")

SETTINGS = SimpleNamespace(
    per_device_train_batch_size=16, gradient_accumulation_steps=1, output_dir="out"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no rows to train on"),
        ('{"prompt": "a"}\n', "line 1: no `completion`"),
        ('{"prompt": "a", "completion": "b"}\n{"prompt', "line 2: not JSON"),
        ("[1]\n", "line 1: no `prompt`"),
    ],
)
def test_rows_that_cannot_be_learnt_from(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(SystemExit, match=why):
        program_rows.read_rows(tmp_path / "rows.jsonl", ("prompt", "completion"))


def test_a_few_rows_that_are_too_long_are_left_out_and_many_end_the_run(capsys) -> None:
    assert program_rows.fitting("abcdefghijk", [5] * 10 + [9], 8) == list("abcdefghij")
    assert "1 of 11 rows are longer than 8 tokens: left out" in capsys.readouterr().out
    with pytest.raises(
        SystemExit, match=r"2 of 11 rows are longer than 8 tokens \(the longest has 9"
    ):
        program_rows.fitting("abcdefghijk", [5] * 9 + [9, 9], 8)
    assert program_rows.fitting("abc", [8, 8, 8], 8) == list("abc")
    assert capsys.readouterr().out == ""


def test_rows_of_like_length_pass_together_as_many_as_fit() -> None:
    parts = steps.like_lengths([5, 3000, 700, 600, 1024], 2048)
    assert parts == [[1], [4, 2], [3, 0]]
    assert steps.like_lengths([4, 4, 4], 8) == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory: set per_device_train_batch_size to 8"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "gradient_accumulation_steps to 2",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left"),
        (RuntimeError('Io(Os { code: 28, message: "No space left on device" })'), "no space left"),
    ],
)
def test_a_fault_of_the_machine_is_said_with_what_mends_it(error: BaseException, said: str) -> None:
    assert said in running._fault(error, SETTINGS)


def test_any_other_error_is_raised() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        running._fault(RuntimeError("shapes do not match"), SETTINGS)


def test_one_row_at_a_time_can_still_be_made_smaller() -> None:
    one = SimpleNamespace(per_device_train_batch_size=1, gradient_accumulation_steps=4)
    assert "qlora" in running.smaller(one)
    three = SimpleNamespace(per_device_train_batch_size=3, gradient_accumulation_steps=2)
    assert "to 1 and gradient_accumulation_steps to 6" in running.smaller(three)


def test_the_curve_counts_a_step_that_was_done_again_once(tmp_path: Path) -> None:
    progress = running.Progress(tmp_path / "progress.jsonl")
    for step, loss in [(1, 2.0), (2, 1.5), (2, None), (3, float("nan"))]:
        progress.write(step, 4, loss)
    again = running.Progress(tmp_path / "progress.jsonl")
    again.write(2, 4, 1.25)
    assert again.curve() == [[1, 2.0], [2, 1.25]]
    assert (progress.broken_at, again.broken_at) == (3, None)
    lines = (tmp_path / "progress.jsonl").read_text().splitlines()
    assert all("NaN" not in line and json.loads(line) for line in lines)


def test_a_checkpoint_that_was_cut_is_passed_over(tmp_path: Path) -> None:
    assert running.last_whole_checkpoint(tmp_path) is None
    for step, state in (("2", "{}"), ("10", '{"global_step": 1'), ("12", None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert running.last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")


@pytest.mark.slow
def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("learning_rte: 1.0e-4\n")
    command = [sys.executable, ROOT / "recipes/sft.py", "--config", recipe, "--train_file", "x"]
    done = subprocess.run([*command, "--output_dir", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == "unknown key `learning_rte`: did you mean `learning_rate`?"


def test_the_peak_is_that_of_the_program_and_not_of_what_started_it() -> None:
    held = bytearray(b"x") * (400 * 2**20)
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'recipes')!r}); import running; " + (
        "print(running.peak_memory_mb()); few = bytearray(b'x') * (150 * 2**20); "
        "print(running.peak_memory_mb())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(float, out.stdout.split())
    assert len(held) == 400 * 2**20
    assert before < 200
    assert 140 < after - before < 250
