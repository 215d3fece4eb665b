"""`ladder init owner/name`: a data set from this machine's cache; nothing is downloaded unasked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ladder

from ladder.commands.hub import hub_folder, is_hub_name, roles_of
from ladder.task import load_task

SHA, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40
CACHE = """
import sys
from pathlib import Path
from datasets import DatasetInfo, Features, SplitDict, SplitInfo, Value
from datasets.arrow_writer import ArrowWriter

home, sha, seed = Path(sys.argv[1]), sys.argv[2], 0
folder = home / "datasets/acme___mail/default/0.0.0" / sha
folder.mkdir(parents=True)
features = Features({"text": Value("string"), "label": Value("string")})
splits = SplitDict(dataset_name="mail")
for name, count in (("train", 90), ("validation", 40), ("test", 90), ("odd", 3)):
    writer = ArrowWriter(features=features, path=str(folder / f"mail-{name}.arrow"))
    for at in range(count):
        text = " ".join(f"{name}{at * at + word * 7919}" for word in range(6))
        writer.write({"text": text, "label": ("refund", "invoice")[at % 2]})
    examples, size = writer.finalize()
    splits.add(SplitInfo(name, num_bytes=size, num_examples=examples, dataset_name="mail"))
address = f"hf://datasets/acme/mail@{sha}/data/train.parquet"
DatasetInfo(
    features=features, builder_name="parquet", dataset_name="mail", config_name="default",
    version="0.0.0", splits=splits, download_checksums={address: {"num_bytes": 1}},
).write_to_directory(str(folder))
"""


def test_a_name_is_the_hub_s_where_no_path_can_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    for text, is_one in (
        ("acme/mail", True), ("datasets:acme/mail", True), ("datasets:mail@v1", True),
        ("work/new-task", False), ("mail", False), ("a/b/c", False), ("../mail", False),
    ):  # fmt: skip
        assert is_hub_name(Path(text)) == is_one, text
    assert hub_folder(Path("datasets:acme/mail@v1")) == Path("mail")


def test_splits_become_what_they_are_for() -> None:
    assert roles_of({"train": 1, "validation": 1, "test": 1, "unsupervised": 1}) == (
        {"train": "train", "dev": "validation", "test": "test"}, ["unsupervised"],
    )  # fmt: skip
    assert roles_of({"train": 1, "validation": 1}) == ({"train": "train", "test": "validation"}, [])
    assert roles_of({"train": 1}) == ({"examples": "train"}, [])
    assert roles_of({"train": 1, "extra": 1}) == ({"examples": "train"}, ["extra"])


@pytest.mark.slow
def test_a_data_set_in_the_cache_becomes_a_task_that_pins_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    offline = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-c", CACHE, str(home), SHA], check=True, env={**os.environ, **offline}
    )
    folder = tmp_path / "mail"
    # The hub may not be asked though nobody said that it is not there.
    asked = ladder("init", "acme/mail", folder, "--yes", HF_HOME=str(home), HF_HUB_OFFLINE="")
    assert asked.returncode == 0, asked.stderr
    assert f"acme/mail at revision {SHA}, from the cache" in asked.stdout
    assert "left out odd" in asked.stdout
    task = load_task(folder / "task.yaml")
    assert task.data.files() == {
        "train": f"datasets:acme/mail@{SHA}#train",
        "dev": f"datasets:acme/mail@{SHA}#validation",
        "test": f"datasets:acme/mail@{SHA}#test",
    }
    assert [path.name for path in folder.iterdir()] == ["task.yaml"], "its rows stay where they are"
    checked = ladder("check", folder / "task.yaml", **offline)
    assert checked.returncode == 0, checked.stderr
    assert "40 dev" in checked.stdout
    text = (folder / "task.yaml").read_text().replace(SHA, OTHER)
    (folder / "task.yaml").write_text(text)
    other = ladder("check", folder / "task.yaml", **offline)
    assert other.returncode == 2, "another revision than the pinned one is not taken for it"
    assert f"got the revision {SHA}, wanted {OTHER}" in other.stderr


@pytest.mark.slow
def test_nothing_is_downloaded_unasked(tmp_path: Path) -> None:
    said = ladder("init", "acme/nothing", tmp_path / "t", "--yes", HF_HOME=str(tmp_path / "home"))
    assert said.returncode == 2
    assert "acme/nothing: got no file, and no data set in the cache" in said.stderr
    assert "ladder init acme/nothing --download" in said.stderr
    assert "mkdir acme" in said.stderr
    assert not (tmp_path / "t").exists()
