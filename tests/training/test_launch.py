"""Starting a recipe's program and reading what it left. The programs here train nothing."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ladder.errors import EngineError, MissingExtraError, TrainingError
from ladder.evidence import Build, TrainingEstimate
from ladder.progress import Quiet
from ladder.training.launch import _worked, otherwise, read_build, training_missing
from ladder.training.launch import train as launch
from ladder.training.prune import kept_layers
from ladder.training.recipes import (
    copy_recipe,
    find_recipe,
    read_recipe,
)

ROWS = [{"prompt": "é?", "completion": " a"}]


def train(recipe: Path, *rest: Any, **named: Any) -> Build:
    return launch(read_recipe(recipe), *rest, **named)


def train_own(recipe: Path, *rest: Any) -> Build:
    """As when a person names the recipe: the program beside it is run."""
    return launch(read_recipe(recipe, own=True), *rest)


PROGRAM = """\
import json, os, pathlib, signal, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(words["--output_dir"])
with (folder / "starts").open("a") as file:
    file.write(json.dumps(words) + "\\n")
(folder / "progress.jsonl").write_text('{"step": 1, "steps": 1}\\n')
until = time.monotonic() + 60
while "--wait" in words and not (folder / "go").exists() and time.monotonic() < until:
    time.sleep(0.02)
if "--die" in words:
    os.kill(os.getpid(), signal.SIGKILL)
if "--fail" in words:
    print("Traceback", file=sys.stderr)
    sys.exit("the rows are too long")
record = {"seconds": 2.5, "tokens": 7, "peak_memory_mb": 10, "peak_gpu_memory_mb": 30}
(folder / "training.json").write_text(json.dumps(record))
"""


needs_libraries = pytest.mark.skipif(
    training_missing() is not None, reason="the training libraries are not installed"
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe copied beside a task, with a program of its own."""
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "mine.yaml").write_text("learning_rate: 1e-4\n")
    (tmp_path / "copied" / "sft.py").write_text(PROGRAM)
    return tmp_path / "copied" / "mine.yaml"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    return tmp_path / "base"


@needs_libraries
class TestTrain:
    def starts(self, folder: str) -> list[dict[str, str]]:
        return [json.loads(x) for x in (Path(folder) / "starts").read_text().splitlines()]

    def test_the_program_gets_the_rows_and_its_record_is_read(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        build = train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"max_steps": "3"})
        assert (build.seconds, build.train_tokens, build.peak_memory_mb) == (2.5, 7, 30)
        assert build.folder is not None
        folder = Path(build.folder)
        assert folder.parent == tmp_path / "made"
        assert folder.name.startswith("mine-")
        rows = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(row) for row in rows] == ROWS
        [words] = self.starts(build.folder)
        assert words == {
            "--config": str(recipe),
            "--model_name_or_path": str(base),
            "--train_file": str(folder / "rows.jsonl"),
            "--output_dir": str(folder),
            "--max_steps": "3",
        }
        assert read_build(folder) == build

    @pytest.mark.slow
    def test_a_finished_training_is_found_again_and_any_other_input_is_another(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        made = tmp_path / "made"
        first = train_own(recipe, base, ROWS, made, Quiet())
        assert train_own(recipe, base, ROWS, made, Quiet()) == first
        assert len(self.starts(str(first.folder))) == 1
        folders = {first.folder}
        folders.add(train_own(recipe, base, ROWS * 2, made, Quiet()).folder)
        folders.add(train_own(recipe, base, ROWS, made, Quiet(), {"max_steps": "3"}).folder)
        (base / "config.json").write_text('{"layers": 2}')
        folders.add(train_own(recipe, base, ROWS, made, Quiet()).folder)
        recipe.write_text("learning_rate: 2e-4\n")
        folders.add(train_own(recipe, base, ROWS, made, Quiet()).folder)
        (recipe.parent / "sft.py").write_text(PROGRAM + "\n")
        folders.add(train_own(recipe, base, ROWS, made, Quiet()).folder)
        assert len(folders) == 6

    def test_a_failure_names_its_last_words_and_its_log(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError, match="the rows are too long") as caught:
            train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"fail": "now"})
        [log] = (tmp_path / "made").glob("*/train.log")
        assert str(log) in str(caught.value)
        assert "mine.yaml" in str(caught.value)
        assert "Traceback" in log.read_text()

    def test_a_training_that_the_system_killed_is_told_what_needs_less(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        """Out of memory: the kernel ends the process and leaves no last words."""
        with pytest.raises(TrainingError, match="for want of memory") as caught:
            train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"die": "now"})
        assert "per_device_train_batch_size" in str(caught.value)

    def test_an_unfinished_training_goes_on_in_its_folder(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        for _ in range(2):
            with pytest.raises(TrainingError):
                train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"fail": "now"})
        [folder] = (tmp_path / "made").iterdir()
        assert len(self.starts(str(folder))) == 2

    def test_a_second_training_into_the_same_folder_is_refused(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError):
            train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"fail": "now"})
        [folder] = (tmp_path / "made").iterdir()
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(TrainingError, match="another training is writing"):
                train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"fail": "now"})
        assert len(self.starts(str(folder))) == 1
        with pytest.raises(TrainingError, match="too long"):
            train_own(recipe, base, ROWS, tmp_path / "made", Quiet(), {"fail": "now"})

    @pytest.mark.slow
    def test_a_training_that_outlives_its_launcher_keeps_its_folder(
        self, recipe: Path, base: Path, tmp_path: Path
    ) -> None:
        """The launcher is killed, its program is not: a second run would write beside it."""
        made, wait = tmp_path / "made", {"wait": "go"}
        names = ", ".join(repr(str(place)) for place in (recipe, base, made))
        code = f"""
from pathlib import Path
from ladder.progress import Quiet
from ladder.training.launch import train
from ladder.training.recipes import read_recipe
recipe, base, made = map(Path, ({names}))
train(read_recipe(recipe, own=True), base, {ROWS!r}, made, Quiet(), {wait!r})
"""
        launcher = subprocess.Popen([sys.executable, "-c", code])
        give_up = time.monotonic() + 60
        while not (found := list(made.glob("*/starts"))) and time.monotonic() < give_up:
            time.sleep(0.02)
        [folder] = [path.parent for path in found]
        launcher.kill()
        launcher.wait()
        orphan = int((folder / ".lock").read_text())
        with pytest.raises(TrainingError, match=f"end process {orphan}"):
            train_own(recipe, base, ROWS, made, Quiet(), wait)
        (folder / "go").touch()
        while Path(f"/proc/{orphan}").exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        assert train_own(recipe, base, ROWS, made, Quiet(), wait).train_tokens == 7
        assert len(self.starts(str(folder))) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_a_launcher_that_is_told_to_end_takes_its_program_along(
        self, recipe: Path, base: Path, tmp_path: Path, number: int
    ) -> None:
        made, wait = tmp_path / "made", {"wait": "go"}
        names = ", ".join(repr(str(place)) for place in (recipe, base, made))
        code = f"""
import signal
from pathlib import Path
from ladder.ending import end_on_signals
from ladder.progress import Quiet
from ladder.training.launch import train
from ladder.training.recipes import read_recipe
recipe, base, made = map(Path, ({names}))
signal.signal(signal.SIGINT, signal.default_int_handler)
received = end_on_signals()
try:
    train(read_recipe(recipe, own=True), base, {ROWS!r}, made, Quiet(), {wait!r})
except KeyboardInterrupt:
    raise SystemExit(128 + received[0])
"""
        launcher = subprocess.Popen([sys.executable, "-c", code])
        give_up = time.monotonic() + 60
        while not (found := list(made.glob("*/starts"))) and time.monotonic() < give_up:
            time.sleep(0.02)
        [folder] = [path.parent for path in found]
        program = int((folder / ".lock").read_text())
        launcher.send_signal(number)
        assert launcher.wait(timeout=60) == 128 + number
        assert not Path(f"/proc/{program}").exists()
        assert (folder / "train.log").stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"seconds": 1}', "\xff", '{"seconds": "x", "tokens": 1, "peak_memory_mb": 1,'
     '"peak_gpu_memory_mb": 0}', '{"seconds": 1, "tokens": 1, "peak_memory_mb": 1, '
     '"peak_gpu_memory_mb": 0, "loss_curve": [1]}', '{"seconds": NaN, "tokens": 1, '
     '"peak_memory_mb": 1, "peak_gpu_memory_mb": 0}'],
)  # fmt: skip
def test_a_damaged_record_of_a_training_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text, encoding="latin-1")
    with pytest.raises((TrainingError, EngineError), match=r"training\.json"):
        read_build(tmp_path)


def test_damaged_figures_of_what_was_foreseen_are_left_out(tmp_path: Path) -> None:
    figures = {"seconds": 1, "tokens": 7, "peak_memory_mb": 3, "peak_gpu_memory_mb": 0}
    (tmp_path / "training.json").write_text(json.dumps(figures))
    (tmp_path / "foreseen.json").write_text('{"seconds"')
    assert read_build(tmp_path).estimated is None


def test_missing_libraries_are_named_with_their_command(
    recipe: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ladder.training.launch.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install .*train"):
        train_own(recipe, base, ROWS, tmp_path, Quiet())


def test_a_pruned_student_keeps_the_first_layers_and_the_last() -> None:
    assert kept_layers(30, 10) == [0, 1, 2, 3, 4, 5, 6, 7, 28, 29]
    assert kept_layers(30, 3) == [0, 1, 29]
    assert kept_layers(4, 4) == [0, 1, 2, 3]
    assert kept_layers(4, 9) == [0, 1, 2, 3]


@pytest.mark.parametrize("layers", [2, 5, 12, 30])
def test_kept_layers_are_as_many_as_asked_and_in_order(layers: int) -> None:
    for keep in range(1, layers + 1):
        kept = kept_layers(layers, keep)
        assert len(set(kept)) == len(kept) == keep
        assert kept == sorted(kept)
        assert kept[-1] == layers - 1
        assert keep == 1 or kept[0] == 0


def test_a_distillation_under_another_name_still_starts_from_the_student(tmp_path: Path) -> None:
    made, *_ = copy_recipe("distill_sequence", tmp_path)
    mine = made.rename(tmp_path / "mine.yaml")
    assert find_recipe(str(mine), tmp_path).starts_from == "student"
    assert find_recipe("lora", tmp_path).starts_from == "base"


def lines(*steps: tuple[int, float, int]) -> list[dict[str, float]]:
    """Return lines of a progress file of 100 steps: (step, seconds, tokens)."""
    return [{"step": s, "steps": 100, "seconds": t, "tokens": n} for s, t, n in steps]


ESTIMATED = TrainingEstimate(
    seconds=240, memory_mb=1, available_mb=2, tokens=10_000, precision="float32"
)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], None),
        ([(0, 0.1, 0)], None),
        ([(0, 0.1, 0), (1, 60, 100)], None),  # the first step warms up
        ([(0, 0.1, 0), (1, 2, 100), (2, 4, 200)], None),  # too short to say
        ([(0, 0.1, 0), (1, 30, 500), (2, 54, 1500)], ""),  # as estimated, for so many tokens
        ([(0, 0.1, 0), (1, 30, 0), (2, 90, 100)], "about 98 min are left; 4 min in all"),
        ([(0, 0.1, 0), (1, 30, 0), (2, 36, 1000)], "about 1 min are left; 4 min in all"),
        ([(50, 0.1, 0), (51, 30, 0), (52, 90, 100)], "about 48 min are left"),  # it goes on
        ([(50, 0.1, 0), (51, 60, 100)], None),
    ],
)
def test_the_first_steps_check_what_was_foreseen(steps: Any, said: str | None) -> None:
    found = otherwise(find_recipe("lora", Path()), ESTIMATED, lines(*steps))
    assert found == said if not said else said in str(found)


def test_where_tokens_are_not_counted_alike_steps_tell() -> None:
    """A preference program reads both answers of a pair, each with the prompt."""
    steps = lines((0, 0.1, 0), (1, 30, 0), (2, 90, 9_000))
    assert "98 min are left" in str(otherwise(find_recipe("dpo", Path()), ESTIMATED, steps))


SLOW_PROGRAM = PROGRAM.replace(
    """write_text('{"step": 1, "steps": 1}\\n')""",
    """write_text("".join(
    json.dumps({"step": at, "steps": 50, "loss": None, "seconds": 120 * at, "tokens": at}) + "\\n"
    for at in range(4)
))""",
)


@pytest.mark.slow
@needs_libraries
def test_a_training_that_takes_longer_than_foreseen_is_said_once(
    recipe: Path, base: Path, tmp_path: Path
) -> None:
    said: list[str] = []

    class Heard(Quiet):
        def say(self, text: str) -> None:
            said.append(text)
            if "are left" in text:
                (next((tmp_path / "made").glob("mine-*")) / "go").touch()

    assert "120 * at" in SLOW_PROGRAM
    (recipe.parent / "sft.py").write_text(SLOW_PROGRAM)
    estimated = ESTIMATED.model_copy(update={"tokens": 50})
    own = read_recipe(recipe, own=True)
    launch(own, base, ROWS, tmp_path / "made", Heard(), {"wait": "go"}, lambda: estimated)
    first, second = said
    assert first == ("  training mine: about 4 min and 0.0 GB of 0.0 GB that are free, in float32")
    assert second == (
        "  training mine: by its first 3 steps about 94 min are left; 4 min in all were estimated"
    )


def told(*lines: tuple[int, int]) -> list[dict[str, int]]:
    """Return lines of a progress file of ten steps: step, and the tokens learnt by then."""
    return [{"step": step, "steps": 10, "tokens": tokens} for step, tokens in lines]


@pytest.mark.parametrize(
    ("lines", "counted", "worked"),
    [
        ([], 2000, (0.0, 1.0)),
        (told((1, 300)), 2000, (0, 1800)),  # the first step warms up, and is no part of the pace
        (told((1, 300), (2, 580)), 2000, (280, 1800)),
        (told((1, 300), (9, 5000)), 2000, (1800, 1800)),  # more than was counted before
        (told((1, 300), (10, 1500)), 2000, (1800, 1800)),  # fewer, and it is over
        (told((6, 100), (7, 200)), 2000, (100, 800)),  # a killed one goes on
        (told((1, 0), (4, 0)), 2000, (600, 1800)),  # a program that counts no tokens
        (told((1, 0), (4, 0)), 0, (3, 9)),
    ],
)
def test_how_far_a_training_is_goes_by_tokens_where_they_are_known(lines, counted, worked):
    estimated = TrainingEstimate(seconds=60, memory_mb=1, available_mb=2, tokens=counted)
    assert _worked(lines, estimated) == pytest.approx(worked)
    if not counted:
        assert _worked(lines, None) == pytest.approx(worked)
