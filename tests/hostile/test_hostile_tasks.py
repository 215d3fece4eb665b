"""A task file is data: whatever it says, nothing runs, nothing leaks, and the program ends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile.hostile_tasks import CASES, REFUSED_FIELDS, SECRET, World, build

from ladder.climb.opening import open_bench
from ladder.commands.check import check_task
from ladder.engines import open_engine
from ladder.engines.base import Request
from ladder.engines.embedding import open_embedder
from ladder.errors import LadderError, StateError, TaskError
from ladder.progress import Quiet
from ladder.retrieval.stores.store import Row, open_store
from ladder.task import load_task

pytestmark = pytest.mark.slow  # every test starts the program anew

SECONDS = 300
ACCEPTED = {
    "own_module", "own_package", "own_module_second", "a_metric_folder", "a_metric_elsewhere",
    "modules_beside_the_task", "a_matplotlibrc", "a_recipe_with_its_program",
    "settings_beside_the_task", "a_model_with_code", "a_pickled_model",
    "an_embedding_of_other_classes", "a_head_that_reads_files", "a_recording_elsewhere",
    "a_host_that_wants_the_key", "a_store_of_pickles", "a_store_that_names_another_place",
    "a_linked_store",
}  # fmt: skip
"""Check finds no mistake in these: what they bring is not touched, or is refused when it is."""
IN_A_PROCESS = (
    "own_module", "own_package", "starts_a_process", "reads_a_pickle", "a_metric_folder",
    "modules_beside_the_task", "settings_beside_the_task", "a_recipe_with_its_program",
    "a_model_with_code", "a_host_that_wants_the_key", "data_that_nobody_writes",
    "yaml_that_makes_objects", "a_linked_recipe", "a_store_of_pickles",
)  # fmt: skip


def snapshot(home: Path) -> dict[str, str]:
    """Return every file and link beneath a folder, with its content."""
    found = {}
    for parent, folders, names in os.walk(home):
        for name in (*folders, *names):
            path = Path(parent, name)
            plain = path.is_file() and not path.is_symlink()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if plain else "-"
            found[str(path.relative_to(home))] = digest
    return found


def run(world: World, *words: str) -> tuple[int, str]:
    """Run a command in the hostile folder, as its victim would, with secrets in the environment."""
    env = {**os.environ, "HOME": str(world.home), "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    env |= {"LADDER_API_KEY": SECRET, "OPENAI_API_KEY": SECRET, "QDRANT_API_KEY": SECRET}
    env |= {"LADDER_CACHE": str(world.home / ".cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("LADDER_CONFIG", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        env.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "ladder", *words], cwd=world.task, env=env, text=True,
        capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def unharmed(world: World, before: dict[str, str], said: str, made: tuple[str, ...] = ()) -> None:
    assert not world.pwned.exists()
    assert SECRET not in said
    assert "\x1b" not in said
    after = snapshot(world.home)
    changed = {name for name in after | before if after.get(name) != before.get(name)}
    own = (".cache", *made)
    assert {name for name in changed if not name.startswith(own)} == set()


@pytest.mark.parametrize("name", sorted(CASES))
def test_check_runs_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = build(tmp_path / "home", name)
    monkeypatch.chdir(world.task)
    for variable in ("LADDER_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, SECRET)
    before = snapshot(world.home)
    try:
        said, refused = "\n".join(check_task(Path("task.yaml"), None)), False
    except LadderError as error:
        said, refused = str(error), True
    unharmed(world, before, said)
    assert refused is (name not in ACCEPTED), said


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_the_command_runs_nothing_in_that_folder(name: str, tmp_path: Path) -> None:
    world = build(tmp_path / "home", name)
    before = snapshot(world.home)
    code, said = run(world, "check", "task.yaml")
    assert code == (0 if name in ACCEPTED else 2), said
    unharmed(world, before, said)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_dry_run_runs_nothing(name: str, tmp_path: Path) -> None:
    world = build(tmp_path / "home", name)
    before = snapshot(world.home)
    code, said = run(world, "assess", "task.yaml", "--dry-run")
    assert code in (0, 2), said
    unharmed(world, before, said, made=(f"{world.task.name}/runs",))


@pytest.mark.parametrize("name", ["own_module", "a_metric_folder", "a_model_with_code"])
def test_without_consent_an_assessment_does_not_begin(name: str, tmp_path: Path) -> None:
    world = build(tmp_path / "home", name)
    before = snapshot(world.home)
    code, said = run(world, "assess", "task.yaml")
    assert code == 2
    assert "ladder trust task.yaml" in said
    assert "--allow-code" in said
    unharmed(world, before, said)


def test_a_dry_run_runs_no_code_that_is_trusted_either(tmp_path: Path) -> None:
    world = build(tmp_path / "home", "own_module")
    assert run(world, "trust", "task.yaml", "--yes")[0] == 0
    code, said = run(world, "assess", "task.yaml", "--dry-run")
    assert code == 0, said
    assert not world.pwned.exists()
    code, said = run(world, "check", "task.yaml")
    assert code == 0
    assert "check does not run it" in said
    assert not world.pwned.exists()


def test_somebody_elses_report_is_only_read(tmp_path: Path) -> None:
    world = build(tmp_path / "home", "modules_beside_the_task")
    (world.task / "assessment.json").write_text(json.dumps({"task": {"scorer": "os:system"}}))
    (world.task / "report.md").symlink_to(world.secret)
    before = snapshot(world.home)
    for words in (("report", "."), ("report", "assessment.json", "--markdown")):
        code, said = run(world, *words)
        assert code == 2
        unharmed(world, before, said)


# What is opened later than by check


@pytest.mark.parametrize("name", ["a_store_of_pickles", "a_store_that_names_another_place"])
def test_a_store_from_elsewhere_runs_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    world = build(tmp_path / "home", name)
    with pytest.raises(StateError):
        open_store("qdrant:store", "t", folder=world.task)
    assert not world.pwned.exists()
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("kind", ["lancedb", "qdrant"])
def test_a_store_is_not_written_through_a_link(kind: str, tmp_path: Path) -> None:
    pytest.importorskip({"lancedb": "lancedb", "qdrant": "qdrant_client"}[kind])
    world = build(tmp_path / "home", "a_linked_store")
    with pytest.raises(StateError, match="link"):
        open_store(f"{kind}:store", "t", folder=world.task)
    assert not list((world.home / "mine").iterdir())


def test_a_store_of_ones_own_is_read_again(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    for _ in range(2):
        with open_store("qdrant:store", "t", folder=tmp_path) as store:
            store.hold([Row("d", "some words")])
            assert [hit.id for hit in store.search(["words"], 1)[0]] == ["d"]


def test_a_models_code_needs_more_than_the_tasks_word(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    world = build(tmp_path / "home", "a_model_with_code")
    task = load_task(world.task / "task.yaml")
    with pytest.raises(TaskError, match="consent that stands outside the task"):
        open_bench(task, tmp_path / "runs", Quiet())
    with pytest.raises(LadderError):
        _ = open_engine("hf:model", None, world.task).model  # type: ignore[attr-defined]
    assert not world.pwned.exists()


def test_pickles_and_classes_in_model_folders_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    world = build(tmp_path / "pickled", "a_pickled_model")
    with pytest.raises(LadderError, match="pickle"):
        open_engine("hf:model", None, world.task)
    assert not world.pwned.exists()
    world = build(tmp_path / "classes", "an_embedding_of_other_classes")
    with pytest.raises(LadderError):
        open_embedder(world.task / "model")
    assert not world.pwned.exists()


def test_a_head_opens_no_file_that_a_row_names(tmp_path: Path) -> None:
    world = build(tmp_path / "home", "a_head_that_reads_files")
    engine = open_engine("head:head", None, world.task)
    with pytest.raises(LadderError, match=r"head\.json|head\.npz"):
        list(engine.complete([Request(text=str(world.secret))]))
    assert not world.pwned.exists()


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS))
def test_a_recipe_of_a_task_is_refused_by_its_field(field: str, tmp_path: Path) -> None:
    world = build(tmp_path / "home", f"a_recipe_with_{field}")
    with pytest.raises(TaskError, match=rf"training\.recipe: .*{field}"):
        check_task(world.task / "task.yaml", None)
