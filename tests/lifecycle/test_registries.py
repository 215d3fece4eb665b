"""The registry in MLflow and in the hub's layout, read back by their own libraries."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from runs_made import checked, made_run
from trained import issued, make_adapter

from ladder.errors import EngineError, StateError
from ladder.evidence import Candidate
from ladder.lifecycle.plan import load_plan
from ladder.lifecycle.promotion import Wish, promote, roll_back
from ladder.lifecycle.registry import read_registry
from ladder.lifecycle.to_hub import hand_to_hub

ASK = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
found = client.get_model_version_by_alias("shop", "champion")
all_ = client.search_model_versions("name = 'shop'")
print(json.dumps({"version": str(found.version), "tags": found.tags, "source": found.source,
                  "all": sorted(str(each.version) for each in all_)}))
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    one, two = made_run(runs, "one"), made_run(runs, "two")
    promote(one, Wish())
    checked(two, one)
    promote(two, Wish())
    return runs


def in_mlflow(folder: Path) -> dict[str, object]:
    """What MLflow itself says, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, f"sqlite:///{folder / 'mlflow.db'}"],
        capture_output=True, text=True, check=True,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_mlflow_has_a_version_a_promotion_and_the_alias(
    runs: Path, ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(library)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # no server is asked
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    command = ("models", "--to", "mlflow", "--out", tmp_path / "out",
               "--registry", runs / "registry.jsonl")  # fmt: skip
    said = ladder(*command)
    assert said.code == 0, (said.errors, (tmp_path / "out/mlflow.log").read_text())
    assert "models:/shop@champion is version 2" in said.out
    monkeypatch.undo()
    found = in_mlflow(tmp_path / "out")
    [_, entry] = read_registry(runs / "registry.jsonl").entries
    assert (found["version"], found["all"]) == ("2", ["1", "2"])
    assert found["tags"]["ladder.plan"] == entry.system.plan
    assert found["tags"]["ladder.release"] == entry.release
    assert found["tags"]["ladder.score_mean"] == "0.84"
    assert found["source"] == (runs / "shop/two").resolve().as_uri()
    roll_back(runs / "registry.jsonl", "shop")
    assert "0 new of 2 versions" in ladder(*command).out
    assert in_mlflow(tmp_path / "out")["version"] == "1"


def test_options_that_do_not_fit(runs: Path, ladder, tmp_path: Path) -> None:
    registry = ("--registry", runs / "registry.jsonl")
    assert ladder("models", "--to", "mlflow", *registry).code == 2
    assert ladder("models", "--out", tmp_path / "out", *registry).code == 2
    assert "mlflow, hf" in ladder("models", "--to", "hub", "--out", tmp_path, *registry).errors


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
def test_a_card_that_the_hubs_library_reads(runs: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    said = list(hand_to_hub(read_registry(runs / "registry.jsonl"), tmp_path / "out"))
    assert "Nothing was sent" in said[-1]
    folder = tmp_path / "out/shop"
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.base_model == "smollm2-135m"
    assert card.data.model_name == "shop"
    test, eval_ = card.data.eval_results
    assert (test.dataset_split, test.metric_value, test.metric_type) == (
        "test", 0.84, "exact_match",
    )  # fmt: skip
    assert "0.7900 to 0.8900" in test.metric_name
    assert (eval_.dataset_split, eval_.metric_value) == ("eval", 0.85)
    assert test.dataset_revision == "fedc"
    assert json.loads((folder / "candidate.json").read_text())["rung"] == "prompt"
    assert str(tmp_path) not in card.content
    assert {path.name for path in folder.iterdir()} == {"README.md", "candidate.json"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_an_adapter_goes_with_its_passport(tiny: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    adapter = make_adapter(tiny, tmp_path / "adapter")
    (adapter / "training_args.bin").write_bytes(b"a pickle")
    runs = tmp_path / "runs"
    run = made_run(runs, "one")
    candidate = Candidate(rung="lora", description="lora", model=f"hf:{tiny}", adapter=str(adapter))
    trained(run, candidate)
    promote(run, Wish())
    registry = read_registry(runs / "registry.jsonl")
    with pytest.raises(EngineError, match="has no passport"):
        list(hand_to_hub(registry, tmp_path / "out"))
    passport = issued(adapter, tiny)
    said = list(hand_to_hub(registry, tmp_path / "out"))
    assert "training prompts" in said[1]
    folder = tmp_path / "out/shop"
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "passport.json"} <= names
    assert "training_args.bin" not in names
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.base_model == passport.base.partition("@")[0]
    assert card.data.base_model_relation == "adapter"
    assert card.data.library_name == "peft"
    assert str(adapter) not in (folder / "candidate.json").read_text()


def test_a_plan_that_was_changed_is_not_handed_on(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with (runs / "shop/two/revalidation.yaml").open("a") as file:
        file.write("\n")
    with pytest.raises(StateError, match="not the plan that was promoted"):
        list(hand_to_hub(read_registry(runs / "registry.jsonl"), tmp_path / "out"))


def trained(run: Path, candidate: Candidate) -> None:
    """Put another candidate into a run's plan."""
    import yaml

    path = run / "revalidation.yaml"
    plan = load_plan(path).but(candidate=candidate)
    path.write_text(yaml.safe_dump(plan.model_dump(mode="json")))
