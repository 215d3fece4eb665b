"""What README, docs and runbooks say is true: commands are run; links, figures, words compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import yaml
from benches import saying
from conftest import EVALSETS, ROOT, ladder, program
from engines.faulty_server import Seen
from pydantic import BaseModel

from ladder.evidence import CauseName, Status, VerdictWord
from ladder.task import RungName, Task

BASH = re.compile(r"```bash\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TRIED = re.compile(r"`([\w/]+\.py)::(\w+)`")
FLAG = re.compile(r"(?<!\S)--[a-z][a-z-]*")
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.md"))
PAGES = (
    README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS, *RUNBOOKS,
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "evalsets", "recipes", "examples")),
    *sorted((ROOT / "examples").glob("*/README.md")),
)  # fmt: skip
SETTING_UP = ("pip ", "make ")
"""They fetch packages or run everything, so they are compared with what they name instead."""
AS_TYPED = """ladder() {
  [ "$1" != init ] || set -- "$@" --yes
  command ladder "$@" || [ "$?$1" = 1assess ]
}"""
"""Nobody is there whom `init` could ask; an assessment that ends with 1 has answered too."""
RUN_BELOW = {
    "README.md", "trust.md", "training.md", "artefacts.md", "drift.md", "probe.md", "release.md",
    "schedules.md", "quickstart.md", "isolation.md", "evidence-pack.md", "sizing.md",
}  # fmt: skip
"""Pages of README and docs whose bash blocks a test runs: here, or beside what they are about."""
AUDITS = ("keys", "init", "sign", "anchor", "verify", "erase", "quiet", "export", "weights")
GROUPED = [
    ["release", "check"], ["recipes", "copy"], ["bundle", "verify"],
    *(["audit", verb] for verb in AUDITS),
]  # fmt: skip
"""Verbs of two words."""
ORDER = [
    "Install", "Quickstart", "Your task", "How it decides", "Verbs", "Results", "Limits", "More",
]  # fmt: skip


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def bash_lines(path: Path) -> list[str]:
    """Return the lines of a page's bash blocks, in order."""
    return "\n".join(BASH.findall(path.read_text())).splitlines()


def run_pages(
    pages: Sequence[Path], folder: Path, timeout: int = 3000
) -> subprocess.CompletedProcess[str]:
    """Run the bash blocks of pages in order, in one shell, on a copy of what they may touch."""
    lines = [line for page in pages for line in bash_lines(page)]
    script = [
        "set -euo pipefail",
        AS_TYPED,
        *(line for line in lines if not line.startswith(SETTING_UP)),
    ]
    for name in ("evalsets", "recipes", "examples"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "examples/ticket_routing/tickets.csv", folder)
    bin_folder = str(Path(sys.executable).parent)
    return subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )  # fmt: skip


def assert_ran(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def shape_of(report: str) -> list[str]:
    """Return what does not depend on the machine: title, headings, heads of tables."""
    lines = report.splitlines()
    heads = [line for line, below in pairwise(lines) if below[:4] == "|---"]
    return [line for line in lines if line.startswith("#")] + heads


def answer_in(text: str) -> str:
    """Return the sentence with the answer, without its figures."""
    [found] = re.findall(r"^Answer: .*?\.$", text, re.MULTILINE | re.DOTALL)[:1]
    return re.sub(r"\d+(\.\d+)?", "#", " ".join(found.split()))


@pytest.mark.slow
@pytest.mark.long
def test_the_commands_of_the_runbooks_run(tmp_path, smollm):
    """In one folder, in the order of a first assessment and its revalidation."""
    pages = [ROOT / "runbooks" / name for name in ("assess.md", "revalidate.md")]
    assert_ran(run_pages(pages, tmp_path))


@pytest.mark.long
def test_the_commands_of_the_first_hour_run(tmp_path, smollm):
    done = run_pages([ROOT / "docs/quickstart.md"], tmp_path)
    assert_ran(done)
    answers = re.findall(r"^Answer: (\w+)", done.stdout, re.MULTILINE)
    assert answers[0] == "rag"
    assert len(answers) == 3


@pytest.mark.long
def test_the_commands_of_the_workshop_run(tmp_path, smollm):
    """Its evening too: r3 and r4 are trained, which takes hours on a busy machine."""
    done = run_pages([ROOT / "runbooks/workshop.md"], tmp_path, timeout=6 * 3600)
    assert_ran(done)
    rungs = re.findall(r"^Answer: (\w+)", done.stdout, re.MULTILINE)
    assert rungs[:6] == ["prompt", "rag", "lora", "distill", "prompt", "rag"]
    shown = re.findall(
        r"^ *Answer: (\w+)", (ROOT / "runbooks/workshop.md").read_text(), re.MULTILINE
    )
    assert shown == ["prompt", "rag", "lora"]


@pytest.mark.long
def test_the_commands_of_the_readme_run_and_write_such_a_report(tmp_path, smollm):
    """The same climb is in the gate: `test_real_runs.py`."""
    assert_ran(run_pages([README], tmp_path))
    [report] = (tmp_path / "runs/r2-ferry-handbook").glob("*/report.md")
    example = (ROOT / "docs/example-report.md").read_text()
    again = "write it anew: the quickstart's command, then copy report.md and costs.svg to docs/"
    assert shape_of(example) == shape_of(report.read_text()), again
    assert answer_in(example) == answer_in(report.read_text()), again


@pytest.mark.long
def test_the_commands_about_training_and_artefacts_run(tmp_path, smollm):
    """In one folder: what the first page trains the second checks and exports."""
    assert_ran(
        run_pages([ROOT / "docs" / name for name in ("training.md", "artefacts.md")], tmp_path)
    )
    assert list(tmp_path.rglob("*.gguf"))
    assert (tmp_path / "mine/lora.yaml").is_file()


@pytest.mark.slow
def test_the_commands_about_trust_run(tmp_path):
    """The page's scorer beside a task whose model is a server that knows the answers."""
    assert ladder("init", tmp_path / "made").returncode == 0
    (tmp_path / "made").rename(tmp_path / "run")
    folder, page = tmp_path / "run", ROOT / "docs/trust.md"
    lines = [*(folder / "train.jsonl").open(), *(folder / "test.jsonl").open()]
    target_of = {row["input"]: row["target"] for row in map(json.loads, lines)}

    def speak(request: Seen) -> str:
        asked = [text for text in target_of if text in request.question]
        return target_of[max(asked, key=request.question.rfind)] if asked else "none"

    [scorer] = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (folder / "my_scorers.py").write_text(scorer)
    with saying(speak) as server:
        task = yaml.safe_load((folder / "task.yaml").read_text()) | {
            "score": "my_scorers:close_enough",
            "models": {"base": f"openai:small@{server.url}"},
            "prices": {"input_usd_per_1m": 1, "output_usd_per_1m": 1, "source": "a test"},
            "rungs": ["prompt"],
        }
        (folder / "task.yaml").write_text(yaml.safe_dump(task))
        done = run_pages([page], folder)
    assert_ran(done)
    assert "my_scorers.py" in Path(os.environ["LADDER_CONFIG"]).read_text()
    assert "Answer: prompt" in done.stdout


@pytest.mark.parametrize("path", [README, *DOCS], ids=by_name)
def test_every_page_with_commands_is_run(path):
    assert bool(bash_lines(path)) == (path.name in RUN_BELOW)


def commands() -> list[str]:
    """Return every command that a page names, in a bash block or in its text, without comments."""
    found = set()
    for path in PAGES:
        found |= {line.split("  #")[0].strip() for line in bash_lines(path)}
        found |= {" ".join(span.split()) for span in SPAN.findall(FENCED.sub("", path.read_text()))}
    return sorted(found)


def test_every_command_of_ladder_and_its_options_are_known(ladder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    help_text = ladder("--help").out
    verbs = re.findall(r"^│ (\w+) ", help_text, re.MULTILINE)
    named: dict[str, set[str]] = {}
    for command in commands():
        words = command.split() or [""]
        if words[0] != "ladder" or len(words) == 1:
            continue
        if words[1].startswith("-"):
            assert words[1] in help_text
        else:
            verb = " ".join(words[1:3]) if words[1:3] in GROUPED else words[1]
            named.setdefault(verb, set()).update(FLAG.findall(command))
    grouped = {" ".join(pair) for pair in GROUPED}
    assert set(verbs) == set(named) - grouped, "verbs of the program, and verbs that pages name"
    for verb in verbs:
        assert f"`ladder {verb}`" in README.read_text(), verb
    for verb, flags in named.items():
        shown = ladder(*verb.split(), "--help").out
        assert flags <= set(FLAG.findall(shown)), verb


def benchmark_commands() -> list[str]:
    return [command for command in commands() if command.startswith("python benchmarks/")]


@pytest.mark.parametrize("command", benchmark_commands())
def test_a_benchmark_is_there_and_takes_what_is_named(command):
    source = (ROOT / command.split()[1]).read_text()
    for flag in FLAG.findall(command):
        assert f'"{flag}"' in source, flag


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.name)
def test_a_benchmark_starts(path):
    if "ArgumentParser" not in path.read_text():
        pytest.skip("it takes no options: nothing but the whole measurement would start it")
    done = subprocess.run(
        [sys.executable, path, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_sets_up_is_what_there_is():
    """`pip` and `make` lines name extras, pins and targets that exist."""
    lines = [line for path in PAGES for line in bash_lines(path) if line.startswith(SETTING_UP)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"]) - {"test", "dev"}
    assert set(re.findall(r"`\[(\w+)\]`", README.read_text())) == extras
    makefile = (ROOT / "Makefile").read_text()
    for line in lines:
        command = line.split("#")[0].split()
        if command[0] == "make":
            subprocess.run(["make", "-n", command[1]], cwd=ROOT, capture_output=True, check=True)
            assert command[1] in re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
        for extra in re.findall(r"\[(\w+)\]", line):
            assert extra in extras, line
        for pin in re.findall(r"\S+==\S+", line):
            assert f"MODEL := {pin}\n" in makefile, line


def test_make_assess_is_the_quickstart_and_make_test_is_in_the_gate():
    [quick] = [line for line in bash_lines(README) if line.startswith("ladder assess evalsets")]
    shown = subprocess.run(
        ["make", "-n", "assess"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert f".venv/bin/{quick.split('#')[0].strip()}\n" in shown
    starts = [line.split("#")[0].strip() for line in bash_lines(README)]
    assert {"make assess", "make test"} <= set(starts)
    assert "make test" in (ROOT / ".ci/run").read_text().splitlines()


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made of them on the web."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_links_resolve(path):
    for link in LINK.findall(SPAN.sub("", FENCED.sub("", path.read_text()))):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{by_name(path)}: {link}"
        assert not anchor or anchor in anchors(target), f"{by_name(path)}: {link}"


def test_every_page_of_the_docs_is_linked_from_the_first_pages():
    first = README.read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    linked = {link.split("#")[0] for link in LINK.findall(first)}
    for path in DOCS:
        assert f"docs/{path.name}" in linked, path.name


def test_the_map_names_every_layer_in_the_order_of_the_contract():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer for each in contract["contracts"] for layer in each.get("layers", ())]
    wanted = [name.removeprefix("ladder.") for layer in layers for name in layer.split(" | ")]
    drawn = re.search(r"```text\n(cli .*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert drawn
    lines = [line.split("  ")[0] for line in drawn[1].splitlines()]
    assert [name for line in lines for name in line.split(" | ")] == wanted


def test_what_is_said_to_be_tried_is_tried():
    """Each line of the tables names the test that tries it, and the test is there."""
    text = (ROOT / "docs/tried.md").read_text()
    tables = re.findall(r"^\|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert len(tables) == len(re.findall(r"^## ", text, re.MULTILINE)) - 1  # the last has none
    for line in "".join(tables).splitlines():
        named = TRIED.findall(line)
        assert named, line
        for file, name in named:
            tests = (ROOT / "tests" / file).read_text()
            assert re.search(rf"^def {name}\(", tests, re.MULTILINE), f"{file}::{name}"


def test_the_readme_is_short_and_in_its_order():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ORDER


def test_the_task_in_the_readme_is_one():
    [block] = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert Task.model_validate(yaml.safe_load(block)).gate.max_p95_ms == 800


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def results(path: Path) -> dict[str, dict[str, str]]:
    """Return a page's table of decisions: task -> column -> cell, without bold type."""
    _, head, after = re.split(r"(\| task \| gate \| control \|.*)", path.read_text(), maxsplit=1)
    table = after.removeprefix("\n").split("\n\n")[0].splitlines()[1:]
    names, rows = cells(head), [cells(line.replace("**", "")) for line in table]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


def test_the_results_are_those_that_make_figures_wrote():
    tasks = json.loads((ROOT / "benchmarks/figures.json").read_text())
    short, whole = map(results, (README, ROOT / "benchmarks/README.md"))
    assert whole.keys() == tasks.keys()
    for task, row in whole.items():
        assert row == {name: tasks[task][name] for name in row}, task
    for task, row in short.items():
        figures = {name: re.sub(r" \(.*?\)", "", tasks[task][name]) for name in row}
        assert row == figures, task
    assert not [task for task, figures in tasks.items() if figures["commit"].endswith("-dirty")]
    for commit in {tasks[task]["commit"] for task in short}:
        assert f"`{commit}`" in README.read_text()
    given, shown = (
        {row["answer"].split(",")[0] for row in found.values()} for found in (tasks, short)
    )
    assert shown == given, "each answer that was given is shown"


def test_the_glossary_has_every_word_that_a_record_may_say():
    text = (ROOT / "docs/glossary.md").read_text()
    for kind in (RungName, CauseName, VerdictWord, Status):
        for word in set(get_args(kind)) - {"none", "skipped", "passed", "failed"}:
            assert re.search(rf"\b{word}\b", text), word


def test_the_quickstart_and_the_example_report_are_of_one_run():
    shown = README.read_text().split("## Quickstart")[1].split("## Your task")[0]
    report = (ROOT / "docs/example-report.md").read_text()
    [answer] = re.findall(r"^Answer: .*$", report, re.MULTILINE)
    assert answer in shown
    table = report.split("| rung | score (95 %) |")[1].splitlines()[2:]
    measured = [cells(line)[:4] for line in table[: table.index("")]]
    printed = [re.split(r"  +", line)[:4] for line in shown.splitlines()]
    assert len(measured) == 3
    for row in measured:
        assert row in printed, row


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.name)
def test_a_runbook_has_its_headings(path):
    if path.name == "README.md":
        return
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    assert headings == ["When", "Needs", "Steps", "Check", "If it fails"]


def test_make_alone_explains_itself():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("assess", "test", "check", "slow", "long"):
        assert re.search(rf"^{target}\s+\S", shown, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.name)
def test_a_recipe_says_how_to_start_it_and_has_known_keys(path):
    """Its first comment is the command; its keys are TRL's and PEFT's own."""
    from dataclasses import fields

    from transformers import TrainingArguments
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
        "student_encoder.py": (program("student_encoder").Encoder, TrainingArguments),
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


@pytest.mark.slow
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
