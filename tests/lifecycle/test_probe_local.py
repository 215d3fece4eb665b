"""A model on this machine that is not what was certified any more, and how that is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from probed import plan_in
from trained import issued, make_adapter, perturb

from ladder.errors import StateError, TaskError
from ladder.lifecycle.probing import KEPT, RECORD, REFERENCE, probe, probes_so_far
from ladder.progress import Quiet

pytest.importorskip("torch")


@pytest.fixture
def adapter(tiny: Path, tmp_path: Path) -> Path:
    """An adapter without a passport: nothing but the probe guards it."""
    return make_adapter(tiny, tmp_path / "adapter")


@pytest.fixture
def plan(tiny: Path, adapter: Path, tmp_path: Path) -> Path:
    path = plan_in(tmp_path, f"hf:{tiny}", adapter)
    first = probe(path, Quiet())
    assert first.taken is not None
    assert (first.look.verdict, first.look.probe, first.look.moved) == ("same", "canaries", 0)
    assert first.look.effect > 0.01
    return path


def set_in(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.slow
def test_the_same_model_again_and_again(plan):
    for _ in range(2):
        found = probe(plan, Quiet())
        assert (found.look.verdict, found.look.changed, found.taken) == ("same", (), None)
    assert [look.verdict for look in probes_so_far(plan)] == ["same"] * 3
    assert {look.reference for look in probes_so_far(plan)} == {found.look.reference}


@pytest.mark.slow
def test_a_base_swapped_under_an_adapter_blocks(tiny, plan):
    perturb(tiny / "model.safetensors", "lm_head", 0.05)
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert {"base: weights", "model: weights"} <= set(found.changed)
    assert found.moved == found.canaries == 8
    assert found.largest > found.tolerance


def test_a_chat_template_that_changed_blocks_who_asks_by_it(tiny, plan):
    template = tiny / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_start|>user", "<|im_start|>person")
                        + "{{ 'Well: ' }}")  # fmt: skip
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert "base: chat template" in found.changed
    assert found.moved > 0


@pytest.mark.slow
def test_a_tokenizer_that_changed_blocks(tiny, plan):
    file = tiny / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    names = [name for name in ("Ġweather", "Ġtoday", "Ġis", "x") if name in vocabulary]
    others = [name for name in vocabulary if len(name) == 4 and name.isalpha()][: len(names)]
    for name, other in zip(names, others, strict=True):
        vocabulary[name], vocabulary[other] = vocabulary[other], vocabulary[name]
    file.write_text(json.dumps(tokenizer))
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert {"base: tokenizer", "model: tokenizer.json"} <= set(found.changed)


@pytest.mark.slow
def test_what_leaves_the_first_tokens_alone_is_to_be_revalidated(tiny, plan):
    file = tiny / "generation_config.json"
    set_in(file, max_length=77)
    found = probe(plan, Quiet()).look
    assert found.verdict == "revalidate"
    assert found.changed == ("model: generation_config.json",)
    assert (found.canaries, found.moved) == (8, 0)
    set_in(tiny / "tokenizer_config.json", some_new_field=1)
    assert "base: tokenizer" in probe(plan, Quiet()).look.changed


@pytest.mark.slow
def test_an_adapter_without_effect_blocks(tiny, adapter, plan):
    shutil.rmtree(adapter)
    make_adapter(tiny, adapter, effect=False)
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert "does not change the model's answers" in found.refused


@pytest.mark.slow
def test_an_adapter_of_next_to_no_effect_blocks(tiny, adapter, plan):
    """Its tensors are there and none of them is zero: only the answers tell."""
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    weights = {name: 3e-3 * tensor for name, tensor in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert "no effect" in found.refused
    assert found.effect < 0.01


@pytest.mark.slow
def test_a_passport_that_refuses_blocks(tiny, adapter, tmp_path):
    issued(adapter, tiny)
    plan = plan_in(tmp_path, f"hf:{tiny}", adapter)
    assert probe(plan, Quiet()).look.verdict == "same"
    perturb(tiny / "model.safetensors", "lm_head", 0.05)
    found = probe(plan, Quiet()).look
    assert found.verdict == "block"
    assert "is not what that was" in found.refused


def test_no_reference_is_taken_of_a_model_that_differs_already(tiny, tmp_path):
    plan = plan_in(tmp_path, f"hf:{tiny}")
    perturb(tiny / "model.safetensors", "lm_head", 0.05)
    found = probe(plan, Quiet())
    assert (found.look.verdict, found.taken) == ("revalidate", None)
    assert not (plan.parent / KEPT / REFERENCE).exists()


@pytest.mark.slow
def test_a_missing_reference_is_no_new_one(plan):
    (plan.parent / KEPT / REFERENCE).unlink()
    with pytest.raises(StateError, match="is gone"):
        probe(plan, Quiet())
    (plan.parent / RECORD).rename(plan.parent / "aside")
    assert probe(plan, Quiet()).taken is not None


def test_a_reference_that_is_none_is_named(plan):
    (plan.parent / KEPT / REFERENCE).write_text('{"at": 1}')
    with pytest.raises(StateError, match=r"reference\.json"):
        probe(plan, Quiet())


def test_a_broken_line_is_named_and_nothing_is_added(plan):
    record = plan.parent / RECORD
    record.write_text(record.read_text() + "half a li")
    with pytest.raises(StateError, match=r"probes\.jsonl:2: not a look at a model"):
        probe(plan, Quiet())
    assert record.read_text().endswith("half a li")


@pytest.mark.slow
def test_exit_codes_and_what_is_said(plan, tiny, ladder):
    held = ladder("probe", plan.parent)
    assert (held.code, "The model is what it was." in held.out) == (0, True)
    perturb(tiny / "model.safetensors", "lm_head", 0.05)
    out = ladder("probe", plan)
    assert out.code == 1
    assert "Block: this is not the model that was certified." in out.out
    assert "8 of 8 out of tolerance" in out.out
    assert json.loads(ladder("probe", plan, "--json").out)["verdict"] == "block"
    ladder("probe", plan.parent / "nothing").refused("no such file")


@pytest.mark.slow
def test_a_plan_of_the_control_has_no_model(tiny, tmp_path):
    plan = plan_in(tmp_path, f"hf:{tiny}")
    lines = plan.read_text()
    begin, end = lines.index("candidate:"), lines.index("control:")
    plan.write_text(lines[:begin] + lines[end:].replace("control: ''", "control: majority", 1))
    with pytest.raises(TaskError, match="no model to probe"):
        probe(plan, Quiet())
