"""Files to serve with: each is read by the checker of its platform."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
import yaml

from ladder.evidence import Decoding
from ladder.lifecycle.serving import PLATFORMS
from ladder.lifecycle.serving.compose import FILE
from ladder.lifecycle.serving.service import ENGINES, Service

PLAIN = Service("shop", "bundled:smollm2-135m", False, "float32", 1, 515.0, 256)
WHOLE = Service(
    "My Täsk: 'it' ${HOME} $(id)",
    "hf:team/model\n# not a comment",
    True,
    "bfloat16",
    4,
    40_000.5,
    8192,
    gpu=True,
    may_leave=True,
    region="eu-central-1",
    image="registry.example/$team/vllm@sha256:0f1e",
)
CASES = list(product(ENGINES, (PLAIN, WHOLE, replace(WHOLE, gpu=False, may_leave=False))))


def passes(*command: str | Path) -> None:
    own = Path(sys.executable).with_name(str(command[0]))
    done = subprocess.run([own, *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def written(platform: str, folder: Path) -> list[Path]:
    found = []
    for number, (engine, service) in enumerate(CASES):
        [(name, text)] = PLATFORMS[platform](service, ENGINES[engine](service)).items()
        found.append(folder / f"{number}-{name}")
        found[-1].write_text(text, encoding="utf-8")
    return found


@pytest.mark.slow
def test_compose_files_follow_the_specification(tmp_path: Path) -> None:
    files = written("compose", tmp_path)
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


@pytest.mark.slow
def test_manifests_are_what_kubernetes_knows(tmp_path: Path) -> None:
    passes("kubernetes-validate", "--strict", *written("kubernetes", tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_compose_file_is_reached_from_this_machine_alone(engine: str) -> None:
    service = replace(PLAIN, machines=3)
    text = PLATFORMS["compose"](service, ENGINES[engine](service))[FILE]
    model = yaml.safe_load(text)["services"]["model"]
    assert model["ports"][0].startswith("127.0.0.1:8000-8002:")
    assert model["deploy"]["replicas"] == 3
    assert model["volumes"] == ["./models:/models:ro"]
    assert "devices" not in str(model)


@pytest.mark.parametrize(("may_leave", "kinds"), [(False, 3), (True, 2)])
def test_what_may_not_leave_is_held_by_a_network_policy(may_leave: bool, kinds: int) -> None:
    service = replace(PLAIN, may_leave=may_leave)
    [text] = PLATFORMS["kubernetes"](service, ENGINES["vllm"](service)).values()
    parts = list(yaml.safe_load_all(text))
    assert len(parts) == kinds
    closed = [part["spec"]["egress"] for part in parts if part["kind"] == "NetworkPolicy"]
    assert closed == ([] if may_leave else [[]])
    assert "&id" not in text


def test_a_region_chooses_the_nodes() -> None:
    [text] = PLATFORMS["kubernetes"](WHOLE, ENGINES["vllm"](WHOLE)).values()
    pod = next(iter(yaml.safe_load_all(text)))["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"topology.kubernetes.io/region": "eu-central-1"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_variables_of_the_platform_stay_the_text_they_are() -> None:
    compose = PLATFORMS["compose"](WHOLE, ENGINES["vllm"](WHOLE))[FILE]
    assert yaml.safe_load(compose)["services"]["model"]["image"].startswith(
        "registry.example/$$team"
    )


def test_a_name_from_outside_stays_in_its_comment() -> None:
    for platform, make in PLATFORMS.items():
        [text] = make(WHOLE, ENGINES["vllm"](WHOLE)).values()
        assert "\n# not a comment" not in text, platform
        assert text.count("\nservices:") == (platform == "compose")


def test_an_engine_serves_what_was_sized() -> None:
    asked = " ".join(ENGINES["vllm"](WHOLE).args)
    assert "--dtype=bfloat16" in asked
    assert "--max-num-seqs=1" in asked
    assert "--lora-modules=adapter=/models/adapter" in asked
    assert "--ctx-size=256 --parallel=1" in " ".join(ENGINES["llama.cpp"](PLAIN).args)


@pytest.mark.parametrize("asked", [*get_args(Decoding), "mean", "letter"])
def test_how_requests_must_be_put_is_told(asked: Decoding) -> None:
    service = replace(PLAIN, asked=asked)
    text = PLATFORMS["compose"](service, ENGINES["llama.cpp"](service))[FILE]
    assert ("assess it as an endpoint" in text) is (asked != "free")


def test_two_tasks_never_share_a_name() -> None:
    names = {replace(PLAIN, task=task).name for task in ("a b", "a-b", "A-b", "é" * 80, "ê" * 80)}
    assert len(names) == 5
    assert all(len(name) <= 52 for name in names)
