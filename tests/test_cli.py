"""The command line as a user meets it: what it prints, and its exit codes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, assessed, ladder

from ladder import __version__

HEAVY = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "evaluate")


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A PYTHONPATH on which none of the heavy libraries can be imported."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in HEAVY:
        (folder / f"{name}.py").write_text(f'raise ModuleNotFoundError("{name}")\n')
    return str(folder)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task that `ladder init` wrote."""
    folder = tmp_path_factory.mktemp("starter") / "task"
    assert ladder("init", folder).returncode == 0
    return folder


@pytest.fixture
def small(starter: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(starter, tmp_path / "task")


def test_help_names_every_verb():
    shown = ladder("--help")
    assert shown.returncode == 0
    for verb in ("init", "check", "assess", "report", "train", "revalidate", "schedule"):
        assert verb in shown.stdout


@pytest.mark.slow
def test_help_check_and_init_work_without_heavy_libraries(bare, tmp_path):
    assert ladder("--help", PYTHONPATH=bare).returncode == 0
    assert ladder("init", tmp_path / "t", PYTHONPATH=bare).returncode == 0
    checked = ladder("check", tmp_path / "t" / "task.yaml", PYTHONPATH=bare)
    assert checked.returncode == 0, checked.stderr
    assert "no mistake found" in checked.stdout


@pytest.mark.slow
def test_assess_without_torch_names_the_command_that_installs_it(bare, small, tmp_path):
    done = ladder("assess", small / "task.yaml", "--runs", tmp_path / "runs", PYTHONPATH=bare)
    assert done.returncode == 2
    assert 'pip install "escalation-ladder[local]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_no_heavy_library():
    code = "import sys, ladder.cli; print([m for m in sys.modules if m in sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", code, *HEAVY, "numpy", "scipy", "pydantic", "sklearn"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_wrong_task_is_exit_2_with_every_mistake(tmp_path):
    task = tmp_path / "task.yaml"
    task.write_text(
        "name: x\ngaol: sort mail\ndata: {tset: a.jsonl}\nscore: exact_match\ngate: {}\n"
    )
    done = ladder("assess", task)
    assert done.returncode == 2
    for said in ("task.yaml:2: gaol", "Did you mean `goal`", "task.yaml:3: data.tset",
                 "Did you mean `test`", "gate.min_score"):  # fmt: skip
        assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_unknown_scorer_or_engine_is_named_with_its_neighbour(small):
    task = small / "task.yaml"
    text = task.read_text()
    task.write_text(text.replace("exact_match            #", "exactmatch  #"))
    assert "Did you mean `exact_match`" in ladder("check", task).stderr
    task.write_text(text + "models: {base: bundeld:smollm2-135m}\n")
    done = ladder("check", task)
    assert done.returncode == 2
    assert "bundeld" in done.stderr


@pytest.mark.slow
def test_wrong_options_are_exit_2(small):
    assert ladder("assess", small / "task.yaml", "--until", "roof").returncode == 2
    assert ladder("climb").returncode == 2
    assert ladder("train", "lora", "--task", small / "task.yaml", "--set", "x").returncode == 2


def test_version():
    done = ladder("--version")
    assert (done.returncode, done.stdout) == (0, f"ladder {__version__}\n")


def test_a_folder_of_data_that_is_not_there_is_exit_2(small):
    done = ladder("assess", small / "task.yaml", "--data", small / "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr


@pytest.mark.slow
def test_until_names_a_rung_of_this_task(small):
    task = small / "task.yaml"
    task.write_text(task.read_text() + "rungs: [prompt, rag]\n")
    done = ladder("assess", task, "--until", "lora")
    assert done.returncode == 2
    assert "this task's rungs are prompt, rag" in done.stderr


@pytest.mark.slow
def test_a_task_is_no_plan(small, tmp_path):
    done = ladder("schedule", small / "task.yaml")
    assert done.returncode == 2
    assert "a task file" in done.stderr
    done = ladder("revalidate", tmp_path)
    assert done.returncode == 2
    assert "revalidation.yaml" in done.stderr


@pytest.mark.slow
def test_init_does_not_overwrite(small):
    done = ladder("init", small)
    assert done.returncode == 2
    assert "new folder" in done.stderr


@pytest.mark.slow
def test_data_stays_on_the_machine_unless_the_task_says_so(small):
    task = small / "task.yaml"
    task.write_text(task.read_text() + "models: {base: openai:gpt@https://example.invalid/v1}\n")
    for verb in ("check", "assess"):
        done = ladder(verb, task)
        assert done.returncode == 2
        assert "data_may_leave" in done.stderr


@pytest.mark.slow
def test_dry_run_asks_no_model(small, tmp_path, bare):
    done = ladder("assess", small / "task.yaml", "--dry-run", "--runs", tmp_path, PYTHONPATH=bare)
    assert done.returncode == 0, done.stderr
    assert "in all" in done.stdout
    assert not list(tmp_path.glob("**/assessment.json"))


@pytest.mark.slow
def test_report_of_nothing_is_exit_2(tmp_path):
    done = ladder("report", tmp_path)
    assert done.returncode == 2
    assert "a finished run" in done.stderr


@pytest.mark.slow
def test_a_full_disk_is_named(small, tmp_path):
    done = ladder("assess", small / "task.yaml", "--runs", "/dev/full/runs")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "/dev/full" in done.stderr


@pytest.mark.slow
def test_an_unwritable_runs_folder_is_a_clear_error(small, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = ladder("assess", small / "task.yaml", "--runs", blocked / "runs")
    assert done.returncode == 2
    assert str(blocked) in done.stderr


@pytest.mark.slow
def test_a_broken_cache_is_named(small, tmp_path):
    (tmp_path / "completions.sqlite").write_text("this is no database " * 100)
    done = ladder("assess", small / "task.yaml", "--runs", tmp_path)
    assert done.returncode == 2
    assert "completions.sqlite" in done.stderr


@pytest.mark.slow
def test_prompt_rung_then_repeat_then_revalidate(small, tmp_path, bare, smollm):
    """One climb on the real model, the same again for free, and its record shown."""
    task, runs = small / "task.yaml", tmp_path / "runs"
    task.write_text(task.read_text().replace("min_score: 0.85", "min_score: 0.55"))
    first = ladder("assess", task, "--runs", runs, "--json", "--until", "prompt")
    assert first.returncode == 0, first.stderr
    found = assessed(first.stdout)
    assert found["recommendation"]["rung"] == "prompt"
    assert found["attempts"][0]["measurement"]["latency_ms"]["n"] >= 20

    second = ladder("assess", task, "--runs", runs, "--until", "prompt", PYTHONPATH=bare)
    assert second.returncode == 0, second.stderr  # no torch: nothing could have been asked

    shown = ladder("report", runs)
    assert "Answer: prompt" in shown.stdout
    assert ladder("report", runs, "--markdown").stdout.startswith("# my-task")

    plan = max(runs.glob("*/*/revalidation.yaml"))
    assert ladder("schedule", plan.parent).stdout == ladder("schedule", plan).stdout
    assert ladder("revalidate", plan, "--if-due").stdout.startswith("Not due")
    held = ladder("revalidate", plan)
    assert held.returncode == 0, held.stdout + held.stderr
    assert "still holds" in held.stdout
    rows = small / "test.jsonl"
    rows.write_text(rows.read_text().replace("negative", "positive", 60))
    changed = ladder("revalidate", plan)
    assert changed.returncode == 1, changed.stdout
    assert "data: test" in changed.stdout

    for target, said in (("cron", "17 6 * * 1"), ("github", "workflow_dispatch")):
        job = ladder("schedule", plan, "--target", target)
        assert said in job.stdout
        assert "revalidate" in job.stdout
    assert ladder("schedule", plan, "--target", "sundial").returncode == 2


@pytest.mark.slow
def test_ctrl_c_is_exit_130_and_loses_nothing(small, tmp_path, smollm):
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "ladder", "assess", str(small / "task.yaml"), "--runs", runs]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    # A background job starts with Ctrl-C ignored; a person's terminal does not.
    kept = runs / "completions.sqlite"
    while rows_kept(kept) < 20:
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()[1].decode()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert b"run the same command to go on" in errors
    assert rows_kept(kept) >= 20


def rows_kept(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
            return base.execute("SELECT count(*) FROM kept").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # not there yet


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("ladder re", {"report", "revalidate", "recipes", "release"}),
        ("ladder assess --un", {"--until"}),
    ],
)
def test_a_shell_completes_verbs_and_options(typed: str, wanted: set[str]) -> None:
    """As the script of `ladder --show-completion` asks for them."""
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    said = subprocess.run(
        [Path(sys.executable).with_name("ladder")],
        env={**os.environ, **asked, "_LADDER_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert set(said.stdout.split()) == wanted, said.stderr
