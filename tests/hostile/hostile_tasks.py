"""Folders as somebody hostile would send them: each tries to run, read, write or reach out.

What runs writes a file named PWNED; what is read holds SECRET.
"""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SECRET = "sesame-4711-open"


@dataclass(frozen=True)
class World:
    """Where a hostile folder stands: a home with a secret, and a task folder in it."""

    home: Path

    @property
    def task(self) -> Path:
        return self.home / "from elsewhere"

    @property
    def pwned(self) -> Path:
        return self.home / "PWNED"

    @property
    def secret(self) -> Path:
        return self.home / "secret.jsonl"

    @property
    def code(self) -> str:
        """A program that betrays itself."""
        return f"open({str(self.pwned)!r}, 'a').write(__name__ + chr(10))\n"

    def pickle(self) -> bytes:
        class Evil:
            def __reduce__(inner) -> tuple[Any, ...]:  # noqa: N805
                return os.system, (f"touch '{self.pwned}'",)

        return pickle.dumps(Evil())


Case = Callable[[World], dict[str, Any]]
"""Writes files; returns what the task says beside the usual."""
CASES: dict[str, Case] = {}


def case(make: Case) -> Case:
    CASES[make.__name__] = make
    return make


def build(home: Path, name: str) -> World:
    """Write the home, the secret and the task of a case."""
    world = World(home)
    world.task.mkdir(parents=True)
    world.secret.write_text(json.dumps({"input": SECRET, "target": SECRET}) + "\n")
    (home / "secret.yaml").write_text(f"{SECRET}: [{SECRET}\n")
    for part, count in (("train", 60), ("test", 120)):
        rows = ({"input": f"{part} row {n * 7919}", "target": "ab"[n % 2]} for n in range(count))
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (world.task / f"{part}.jsonl").write_text(text)
    values: dict[str, Any] = {
        "name": "t",
        "goal": "Say the word.",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label"},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
    }
    for key, value in CASES[name](world).items():
        merged = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if merged else value
    raw = values.pop("raw", None)
    (world.task / "task.yaml").write_text(raw or yaml.safe_dump(values))
    return world


def model(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


# Code as a scorer


@case
def own_module(world: World) -> dict[str, Any]:
    (world.task / "mine.py").write_text(world.code + "def score(): pass\n")
    return {"score": "mine:score"}


@case
def own_package(world: World) -> dict[str, Any]:
    (world.task / "pkg").mkdir()
    (world.task / "pkg" / "__init__.py").write_text(world.code)
    (world.task / "pkg" / "mine.py").write_text("def score(): pass\n")
    return {"score": {"pkg.mine:score": {}}}


@case
def own_module_second(world: World) -> dict[str, Any]:
    (world.task / "mine.py").write_text(world.code + "def score(): pass\n")
    return {"score": ["exact_match", {"mine:score": {}}]}


@case
def starts_a_process(world: World) -> dict[str, Any]:
    return {"score": {"subprocess:run": {"args": ["touch", str(world.pwned)]}}}


@case
def starts_a_shell(world: World) -> dict[str, Any]:
    return {"score": {"os:system": {"command": f"touch '{world.pwned}'"}}}


@case
def reads_a_pickle(world: World) -> dict[str, Any]:
    (world.task / "evil.pkl").write_bytes(world.pickle())
    return {"score": {"joblib:load": {"filename": str(world.task / "evil.pkl")}}}


@case
def reads_a_pickle_with_pandas(world: World) -> dict[str, Any]:
    (world.task / "evil.pkl").write_bytes(world.pickle())
    return {"score": {"pandas:read_pickle": {"filepath_or_buffer": str(world.task / "evil.pkl")}}}


@case
def a_process_of_an_installed_package(world: World) -> dict[str, Any]:
    return {"score": {"sklearn.utils._testing:check_call": {"args": ["touch", str(world.pwned)]}}}


@case
def ladders_own_functions(world: World) -> dict[str, Any]:
    place = {"path": str(world.pwned), "text": "x"}
    return {"score": {"ladder.files:write_whole": place}}


@case
def a_path_as_a_module(world: World) -> dict[str, Any]:
    (world.home / "evil.py").write_text(world.code)
    return {"score": "../evil:score"}


@case
def a_linked_module(world: World) -> dict[str, Any]:
    (world.home / "evil.py").write_text(world.code + "def score(): pass\n")
    (world.task / "mine.py").symlink_to(world.home / "evil.py")
    return {"score": "mine:score"}


@case
def a_metric_folder(world: World) -> dict[str, Any]:
    (world.task / "metric").mkdir()
    (world.task / "metric" / "metric.py").write_text(world.code)
    return {"score": "evaluate:metric"}


@case
def a_metric_elsewhere(world: World) -> dict[str, Any]:
    (world.home / "metric").mkdir()
    (world.home / "metric" / "metric.py").write_text(world.code)
    return {"score": f"evaluate:{world.home / 'metric'}"}


# Files that lie where a program may look


@case
def modules_beside_the_task(world: World) -> dict[str, Any]:
    for name in ("typer", "yaml", "rich", "httpx", "pydantic", "numpy", "sklearn", "sitecustomize"):
        (world.task / f"{name}.py").write_text(world.code)
    return {}


@case
def settings_beside_the_task(world: World) -> dict[str, Any]:
    (world.task / "mine.py").write_text(world.code + "def score(): pass\n")
    for place in ("config.yaml", "ladder/config.yaml", ".config/ladder/config.yaml"):
        (world.task / place).parent.mkdir(parents=True, exist_ok=True)
        (world.task / place).write_text("trusted_packages: [mine]\n")
    return {"score": "mine:score"}


@case
def a_matplotlibrc(world: World) -> dict[str, Any]:
    (world.task / "matplotlibrc").write_text("backend: module://evil\ntext.usetex: True\n")
    (world.task / "evil.py").write_text(world.code)
    return {}


# Recipes


@case
def a_recipe_with_its_program(world: World) -> dict[str, Any]:
    (world.task / "mine.yaml").write_text("program: sft.py\nlearning_rate: 1.0e-4\n")
    (world.task / "sft.py").write_text(world.code)
    return {"training": {"recipe": "mine.yaml"}}


def _recipe(field: str, value: object) -> Case:
    def make(world: World) -> dict[str, Any]:
        (world.task / "mine.yaml").write_text(yaml.safe_dump({"learning_rate": 1e-4, field: value}))
        return {"training": {"recipe": "mine.yaml"}}

    make.__name__ = f"a_recipe_with_{field}"
    return make


REFUSED_FIELDS = {
    "env": {"LD_PRELOAD": "evil.so"},
    "trust_remote_code": True,
    "output_dir": "/tmp/elsewhere",
    "logging_dir": "/tmp/elsewhere",
    "deepspeed": "evil.json",
    "fsdp_config": "evil.json",
    "resume_from_checkpoint": "evil",
    "chat_template_path": "../secret.jsonl",
    "model_name_or_path": "../evil",
    "train_file": "../secret.jsonl",
    "reward_funcs": ["evil.reward"],
    "push_to_hub": True,
    "hub_token": "x",
    "report_to": "wandb",
    "dataset_name": "someone/evil",
    "model_init_kwargs": "{}",
    "optim_args": "x",
    "accelerator_config": "evil.json",
    "learning_rate": {"a": 1},
}
for _field, _value in REFUSED_FIELDS.items():
    case(_recipe(_field, _value))


@case
def a_recipe_elsewhere(world: World) -> dict[str, Any]:
    return {"training": {"recipe": "../secret.yaml"}}


@case
def a_recipe_elsewhere_by_its_stem(world: World) -> dict[str, Any]:
    return {"training": {"recipe": str(world.home / "secret")}}


@case
def a_linked_recipe(world: World) -> dict[str, Any]:
    (world.task / "mine.yaml").symlink_to(world.home / "secret.yaml")
    return {"training": {"recipe": "mine.yaml"}}


# Models


@case
def a_model_with_code(world: World) -> dict[str, Any]:
    names = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": "evil.T"}
    folder = model(world.task / "model", auto_map=names)
    (folder / "evil.py").write_text(world.code)
    return {"models": {"base": "hf:model"}, "rules": {"remote_code": ["hf:model"]}}


@case
def a_pickled_model(world: World) -> dict[str, Any]:
    (model(world.task / "model") / "pytorch_model.bin").write_bytes(world.pickle())
    return {"models": {"base": "hf:model"}}


@case
def an_embedding_of_other_classes(world: World) -> dict[str, Any]:
    folder = model(world.task / "model")
    (folder / "evil.py").write_text(world.code)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    return {"models": {"embedding": "hf:model", "reranker": "hf:model"}}


@case
def a_head_that_reads_files(world: World) -> dict[str, Any]:
    (world.task / "head").mkdir()
    features = {"n_grams": {"input": "filename", "ngram_range": [1, 2]}}
    config = {"labels": ["a", "b"], "features": features}
    (world.task / "head" / "head.json").write_text(json.dumps(config))
    (world.task / "head" / "head.npz").write_bytes(world.pickle())
    return {"models": {"base": "head:head"}}


@case
def a_recording_elsewhere(world: World) -> dict[str, Any]:
    return {"models": {"base": "replay:../secret.jsonl"}}


@case
def a_host_that_wants_the_key(world: World) -> dict[str, Any]:
    base = "openai:m@https://api.openai.com@evil.invalid/v1"
    return {"models": {"base": base}, "rules": {"data_may_leave": True}}


# Stores


@case
def a_store_of_pickles(world: World) -> dict[str, Any]:
    folder = world.task / "store" / "t"
    place = folder / "collection" / "ladder-t"
    place.mkdir(parents=True)
    meta = {"collections": {"ladder-t": {"vectors": {}}}, "aliases": {}}
    (folder / "meta.json").write_text(json.dumps(meta))
    base = sqlite3.connect(place / "storage.sqlite")
    with base:
        base.execute("CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)")
        base.execute("INSERT INTO points VALUES ('x', ?)", (world.pickle(),))
    base.close()
    return _stored(world, "qdrant:store")


@case
def a_store_that_names_another_place(world: World) -> dict[str, Any]:
    folder = world.task / "store" / "t"
    folder.mkdir(parents=True)
    meta = {"collections": {"../../../../outside": {"vectors": {}}}, "aliases": {}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return _stored(world, "qdrant:store")


@case
def a_linked_store(world: World) -> dict[str, Any]:
    (world.home / "mine").mkdir()
    (world.task / "store").mkdir()
    (world.task / "store" / "t").symlink_to(world.home / "mine")
    return _stored(world, "lancedb:store")


@case
def a_store_elsewhere(world: World) -> dict[str, Any]:
    return _stored(world, "lancedb:../store")


def _stored(world: World, place: str) -> dict[str, Any]:
    (world.task / "documents.jsonl").write_text('{"id": "d", "text": "some words"}\n')
    return {"data": {"documents": "documents.jsonl", "store": place}}


# Data


@case
def data_above(world: World) -> dict[str, Any]:
    return {"data": {"train": "../secret.jsonl"}}


@case
def data_by_its_full_name(world: World) -> dict[str, Any]:
    return {"data": {"train": str(world.secret)}}


@case
def linked_data(world: World) -> dict[str, Any]:
    (world.task / "linked.jsonl").symlink_to(world.secret)
    return {"data": {"train": "linked.jsonl"}}


@case
def data_without_an_end(world: World) -> dict[str, Any]:
    (world.task / "zero.jsonl").symlink_to("/dev/zero")
    return {"data": {"train": "zero.jsonl"}}


@case
def data_that_nobody_writes(world: World) -> dict[str, Any]:
    os.mkfifo(world.task / "pipe.jsonl")
    return {"data": {"train": "pipe.jsonl"}}


@case
def a_data_set_with_a_script(world: World) -> dict[str, Any]:
    (world.task / "saved").mkdir()
    (world.task / "saved" / "saved.py").write_text(world.code)
    return {"data": {"train": "datasets:saved"}}


@case
def a_data_set_of_other_files(world: World) -> dict[str, Any]:
    folder = world.task / "saved"
    folder.mkdir()
    files = [{"filename": "../../secret.jsonl"}]
    (folder / "state.json").write_text(json.dumps({"_data_files": files}))
    (folder / "dataset_info.json").write_text("{}")
    return {"data": {"train": "datasets:saved"}}


@case
def a_schema_that_fetches(world: World) -> dict[str, Any]:
    schema = {"$ref": f"file://{world.secret}"}
    return {"answer": {"type": "json", "schema": schema}, "score": "json_fields"}


# The file itself


@case
def yaml_that_makes_objects(world: World) -> dict[str, Any]:
    return {"raw": f"name: !!python/object/apply:os.system [touch '{world.pwned}']\n"}


@case
def a_name_that_is_a_path(world: World) -> dict[str, Any]:
    return {"name": "../../elsewhere"}
