"""What README and the runbooks say is true: commands are run, tree and help are compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from conftest import EVALSETS, ROOT, ladder, program
from pydantic import BaseModel

from ladder.task import Task

BASH = re.compile(r"```bash\n(.*?)```", re.DOTALL)
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.md"))


def run_blocks(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a page's bash blocks in order, in one shell, on a copy of what they may touch."""
    script = "set -euo pipefail\n" + "\n".join(BASH.findall(path.read_text()))
    (folder / "evalsets").symlink_to(ROOT / "evalsets")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    bin_folder = str(Path(sys.executable).parent)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder, capture_output=True, text=True, timeout=1500, check=False,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.slow
def test_the_commands_of_the_runbooks_run(tmp_path, smollm):
    """In one folder, in the order of a first assessment and its revalidation."""
    pages = [ROOT / "runbooks" / name for name in ("assess.md", "revalidate.md")]
    joined = tmp_path / "all.md"
    joined.write_text("\n".join(page.read_text() for page in pages))
    done = run_blocks(joined, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.name)
def test_a_runbook_has_its_headings(path):
    if path.name == "README.md":
        return
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    assert headings == ["When", "Needs", "Steps", "Check", "If it fails"]


def test_the_readme_begins_with_two_commands():
    blocks = BASH.findall((ROOT / "README.md").read_text())
    assert [line.split("#")[0].strip() for line in blocks[0].strip().splitlines()] == [
        "make assess",
        "make test",
    ]


def test_make_alone_explains_itself():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("assess", "test", "check", "slow", "long"):
        assert re.search(rf"^{target}\s+\S", shown, re.MULTILINE)


def test_the_readme_names_every_verb_and_every_file_of_its_tree():
    readme = (ROOT / "README.md").read_text()
    verbs = re.findall(r"^│ (\w+) ", ladder("--help").stdout, re.MULTILINE)
    assert verbs
    for verb in verbs:
        assert f"ladder {verb}" in readme, f"README does not name `ladder {verb}`"
    tree = readme.split("```text\nladder/")[1].split("```")[0]
    for line in tree.splitlines()[1:]:
        name = line.split()[0] if line.split() else ""
        indent = len(line) - len(line.lstrip())
        if name.endswith((".py", ".md", "/")) and indent == 2:
            assert (ROOT / "ladder" / name).exists(), f"README's tree names {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.name)
def test_a_recipe_says_how_to_start_it_and_has_known_keys(path):
    """Its first comment is the command; its keys are TRL's and PEFT's own."""
    from dataclasses import fields

    from trl import DistillationConfig, DPOConfig, KTOConfig, ModelConfig, SFTConfig
    from trl.experimental.orpo import ORPOConfig

    teaching = program("distill_logits").Teaching
    configs = {
        "sft.py": (SFTConfig,),
        "dpo.py": (DPOConfig,),
        "orpo.py": (ORPOConfig,),
        "kto.py": (KTOConfig,),
        "distill_logits.py": (SFTConfig, teaching),
        "distill_on_policy.py": (DistillationConfig,),
        "student_label.py": (program("student_label").Head,),
    }
    values = yaml.safe_load(path.read_text())
    first = path.read_text().splitlines()[0]
    assert first == f"# ladder train {path.stem} --task task.yaml"
    kinds = (*configs[values["program"]], ModelConfig)
    known = {field.name for kind in kinds for field in fields(kind)}
    assert set(values) <= {*known, "program", "starts_from"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes/accelerate").iterdir()), ids=lambda p: p.name
)
def test_a_launch_configuration_is_one(path):
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(path))
    assert found.num_processes >= 2
    assert path.read_text().startswith(
        f"# accelerate launch --config_file recipes/accelerate/{path.name}"
    )


@pytest.mark.parametrize("name", EVALSETS)
def test_an_evalset_has_a_card_and_no_mistake(name):
    folder = ROOT / "evalsets" / name
    assert "Apache-2.0" in (folder / "CARD.md").read_text()
    checked = ladder("check", folder / "task.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "no mistake found" in checked.stdout
    assert "no leak found" in checked.stdout
    assert "0 near-duplicates" in checked.stdout


def test_r4_is_the_job_of_r3():
    for name in ("train.jsonl", "test.jsonl"):
        left, right = (ROOT / "evalsets" / f / name for f in ("r3_bakery_orders", "r4_bakery_fast"))
        assert left.read_bytes() == right.read_bytes()


def test_nothing_names_a_machine_or_a_registry():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in tracked:
        if name.endswith((".py", ".md", ".yaml", ".yml", ".toml", ".txt", "Makefile")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"(^|[^A-Za-z0-9_.])/(work|farm|root|opt)/", text), name


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        inner = [field.annotation, *get_args(field.annotation)]
        for kind in inner:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from keys_of(kind)


def test_the_page_of_the_task_file_names_every_key_and_is_a_task():
    text = (ROOT / "docs/task.md").read_text()
    block = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    for key in keys_of(Task):
        if key not in ("parameters",):
            assert re.search(rf"\b{key}:", block), key
    written = Task.model_validate(yaml.safe_load(block))
    least = {"name": "t", "goal": "Do it.", "data": {"test": "t"}, "score": "contains"}
    default = Task.model_validate({**least, "gate": {"min_score": 0.5}})
    for section in ("models", "use", "hardware", "rules", "search", "training", "rungs", "seed"):
        assert getattr(written, section) == getattr(default, section), section
    assert written.gate.when_undecided == default.gate.when_undecided
