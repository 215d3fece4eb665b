"""What a folder must hold to be loaded, and that an adapter has an effect."""

from __future__ import annotations

import json
import sys

import pytest

from ladder.engines.local.loading import ADAPTER, load_model, quiet_transformers, refuse_other
from ladder.errors import EngineError, MissingExtraError

torch = pytest.importorskip("torch")


@pytest.fixture
def adapter(tiny, tmp_path):
    """A LoRA adapter as training begins with it: without effect."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(tiny)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(base, settings).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_folders_that_hold_something_else_are_named_with_what_they_lack(tiny, adapter, tmp_path):
    refuse_other(tiny, adapter)  # says nothing
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match=r"holds no model: there is no config\.json in it"):
        refuse_other(tmp_path / "empty", None)
    with pytest.raises(EngineError, match=r"ladder export .* --to merged"):
        refuse_other(adapter, None)
    with pytest.raises(EngineError, match=f"holds no adapter: there is no {ADAPTER}"):
        refuse_other(tiny, tiny)


def test_weights_that_are_only_there_as_a_pickle_are_refused(tiny, adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(EngineError, match=r"adapter_model\.bin"):
        refuse_other(tiny, adapter)


def test_an_adapter_without_effect_is_an_error(tiny, adapter):
    with pytest.raises(EngineError, match="does not change the model's answers"):
        load_model(tiny, adapter)


def test_an_adapter_is_merged_into_the_weights(tiny, adapter):
    from safetensors.torch import load_file, save_file

    weights = adapter / "adapter_model.safetensors"
    trained = {name: torch.ones_like(value) for name, value in load_file(weights).items()}
    save_file(trained, weights, metadata={"format": "pt"})
    plain, merged = load_model(tiny, None), load_model(tiny, adapter)
    assert type(merged) is type(plain)
    assert not merged.training
    names = {name for name, value in plain.named_parameters()
             if not torch.equal(value, merged.get_parameter(name))}  # fmt: skip
    assert names == {f"model.layers.{layer}.self_attn.q_proj.weight" for layer in (0, 1)}


def test_an_architecture_that_transformers_does_not_have(tiny):
    config = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps({**config, "model_type": "own"}))
    with pytest.raises(EngineError, match=r"cannot be loaded\. Wanted: safetensors weights"):
        load_model(tiny, None)


def test_a_missing_library_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"transformers is not installed.*\[local\]"):
        quiet_transformers()
