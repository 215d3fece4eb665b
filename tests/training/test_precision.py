"""Training computes in what the processor computes in, as answering does."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import ROOT
from training.programs import started

from ladder import hardware
from ladder.training.estimate import computed_in, memory_mb, shape_of, slowdown
from ladder.training.prune import prune_layers

sys.path.insert(0, str(ROOT / "recipes"))
settings = importlib.import_module("settings")
BOTH = pytest.mark.parametrize("rule", [hardware, settings], ids=["ladder", "recipes"])
PLAIN, WIDE = "fpu sse4_2 avx2 fma avx512f avx512_vnni", "fpu avx2 avx512f avx512_bf16 amx_bf16"


@BOTH
@pytest.mark.parametrize(
    ("flags", "most", "wanted"),
    [
        (WIDE, "", "bfloat16"),
        ("avx512_bf16", "", "bfloat16"),
        ("amx_bf16", "DEFAULT", "bfloat16"),
        ("fp asimd i8mm bf16", "", "bfloat16"),  # Arm
        (WIDE, "AVX512_CORE_BF16", "bfloat16"),
        (WIDE, "AVX2", "float32"),
        (WIDE, "avx512_core_vnni", "float32"),
        (PLAIN, "", "float32"),
        ("svebf16x", "", "float32"),  # a flag that only holds the name of another
        ("", "", "float32"),
    ],
)
def test_a_processor_computes_in_what_it_has_a_unit_for(
    rule: ModuleType, flags: str, most: str, wanted: str
) -> None:
    assert rule.precision_of(frozenset(flags.split()), most) == wanted


def test_the_package_and_the_programs_have_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardware.BF16_UNITS == settings.BF16_UNITS
    assert hardware.WITHOUT_BF16 == settings.WITHOUT_BF16
    assert hardware.processor_flags() == settings.processor_flags()
    for most in ("", "AVX2"):
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
        assert hardware.precision() == settings.precision()


@BOTH
@pytest.mark.parametrize(("native", "wanted"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_decides_where_there_is_one(
    rule: ModuleType, native: bool, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only emulates bfloat16 does not compute in it."""
    import torch

    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert rule.precision() == wanted


def test_a_gpu_that_pytorch_cannot_use_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(hardware, "processor_flags", lambda: frozenset(PLAIN.split()))
    assert hardware.precision() == "float32"


CODE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import settings as recipe
from trl import DPOConfig, ModelConfig, SFTConfig
flags, found = set(), []
recipe.processor_flags = lambda: flags
for given, words in json.loads(sys.argv[2]):
    flags = set(given.split())
    sys.argv = ["sft.py", "--output_dir", "out", "--train_file", "rows", *words]
    kind = DPOConfig if any("dpo" in word for word in words) else SFTConfig
    _, settings, model = recipe.parse((recipe.Files, kind, ModelConfig))
    found.append([model.dtype, settings.mixed_precision])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_auto_is_settled_before_the_trainer_sees_it(tmp_path: Path) -> None:
    """Else `dtype` would be what the checkpoint has, and `bf16` what TRL always takes: yes."""
    own = tmp_path / "own.yaml"
    own.write_text("dtype: float32\n")
    half = tmp_path / "half.yaml"
    half.write_text("dtype: float32\nfp16: true\n")
    lora, dpo, full = (str(ROOT / f"recipes/{name}.yaml") for name in ("lora", "dpo", "full"))
    cases = [
        (WIDE, ["--config", lora], ["bfloat16", "no"]),
        (PLAIN, ["--config", lora], ["float32", "no"]),
        (PLAIN, ["--config", dpo], ["float32", "no"]),
        (WIDE, ["--config", lora, "--dtype", "float32"], ["float32", "no"]),
        (PLAIN, ["--config", lora, "--dtype", "bfloat16"], ["bfloat16", "no"]),
        (PLAIN, ["--config", lora, "--dtype=auto"], ["float32", "no"]),
        (WIDE, ["--config", full], ["float32", "bf16"]),
        (PLAIN, ["--config", full], ["float32", "no"]),
        (WIDE, ["--config", full, "--bf16", "false"], ["float32", "no"]),
        (PLAIN, ["--config", full, "--bf16", "true"], ["float32", "bf16"]),
        (PLAIN, ["--config", full, "--bf16", "auto"], ["float32", "no"]),
        (WIDE, ["--config", str(own)], ["float32", "bf16"]),
        (PLAIN, ["--config", str(own)], ["float32", "no"]),
        (WIDE, ["--config", str(half)], ["float32", "fp16"]),
        (PLAIN, ["--config", str(half)], ["float32", "fp16"]),
    ]
    asked = json.dumps([(flags, words) for flags, words, _ in cases])
    command = [sys.executable, "-c", CODE, str(ROOT / "recipes"), asked]
    whole = {**os.environ, "ONEDNN_MAX_CPU_ISA": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=whole)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [wanted for *_, wanted in cases]


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_no_shipped_recipe_names_a_precision_that_a_processor_may_lack(path: Path) -> None:
    values = yaml.safe_load(path.read_text())
    assert values.get("dtype", "float32") in ("auto", "float32")
    assert values.get("bf16") in ("auto", False) or values["program"] == "student_label.py"


@pytest.mark.parametrize(
    ("own", "fields", "computed", "times"),
    [
        ("bfloat16", {"dtype": "auto", "bf16": False}, "bfloat16", 4.5),
        ("float32", {"dtype": "auto", "bf16": False}, "float32", 2.7),
        ("bfloat16", {"dtype": "float32", "bf16": False}, "float32", 2.7 * 3.7),
        ("float32", {"dtype": "bfloat16", "bf16": False}, "bfloat16", 4.5 * 15),
        ("bfloat16", {"dtype": "float32", "bf16": "auto"}, "bfloat16", 4.5),
        ("float32", {"dtype": "float32", "bf16": "auto"}, "float32", 2.7),
        ("float32", {"dtype": "float32", "bf16": "true"}, "bfloat16", 4.5 * 15),  # by --set
        ("bfloat16", {}, "bfloat16", 4.5),  # TRL's own defaults
        ("float32", {}, "float32", 2.7),
    ],
)
def test_a_forecast_knows_the_precision(
    own: str,
    fields: dict[str, Any],
    computed: str,
    times: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ladder.training.estimate.precision", lambda: own)
    settings = {"use_peft": True, **fields}
    assert computed_in(settings) == computed
    assert slowdown(settings) == pytest.approx(times)


def test_float32_weights_take_four_bytes(tiny: Path) -> None:
    shape = shape_of(tiny)
    for technique in ("lora", "dora", "qlora", "full"):
        narrow = memory_mb(shape, technique, 256)
        assert memory_mb(shape, technique, 256, computed="float32") > narrow
    weights = 2 * (shape.embedding + shape.linear) + 8 * shape.adapter(16)
    more = memory_mb(shape, "lora", 0, computed="float32") - memory_mb(shape, "lora", 0)
    assert more * 2**20 == pytest.approx(weights)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_copy_keeps_the_precision_of_its_model(dtype: str, tiny: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(tiny, dtype=dtype).save_pretrained(tiny)
    prune_layers(tiny, tmp_path / "copy", 1)
    kept = {value.dtype for value in load_file(tmp_path / "copy" / "model.safetensors").values()}
    assert kept == {getattr(torch, dtype)}


ROWS = [{"prompt": f"Word {at}:", "completion": f" {at % 3}\n"} for at in range(8)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "more", "wanted"),
    [
        pytest.param("lora", "AVX2", (), "float32", marks=pytest.mark.long),
        ("lora", "", ("--dtype", "bfloat16"), "bfloat16"),
        pytest.param("full", "AVX2", (), "float32", marks=pytest.mark.long),
        ("distill_sequence", "", ("--bf16", "true"), "float32, computed in bfloat16"),
    ],
)
def test_the_record_says_in_what_was_trained(
    name: str,
    most: str,
    more: tuple[str, ...],
    wanted: str,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    done = started(name, ROWS, tiny, tmp_path / "made", "--max_steps", "1", *more)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "made" / "training.json").read_text())["precision"] == wanted
