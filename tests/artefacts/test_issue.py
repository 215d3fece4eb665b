"""Passports of artefacts on a tiny model: written, checked before loading, asked again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from assessments import assessment, attempt
from trained import ROWS, issued, make_adapter, perturb

from ladder.artefacts.canaries import (
    LEAST_REPEATED,
    PROMPTS,
    check_canaries,
    choose_prompts,
    conditions_of,
    take_canaries,
)
from ladder.artefacts.card import write_card
from ladder.artefacts.inspection import inspect
from ladder.artefacts.issue import form_of
from ladder.climb.opening import open_bench
from ladder.engines import open_engine
from ladder.engines.local import LocalEngine
from ladder.engines.passport import PASSPORT, PICKLES, parts_of, read_passport
from ladder.errors import EngineError, PassportError, TaskError
from ladder.files import write_json_lines
from ladder.hardware import precision
from ladder.lifecycle.probe_prompts import chats
from ladder.progress import Quiet
from ladder.task import load_task
from ladder.training.launch import train
from ladder.training.recipes import find_recipe
from ladder.wording import span

pytestmark = pytest.mark.slow  # each makes or climbs something real, and takes seconds

torch = pytest.importorskip("torch")


@pytest.fixture
def adapter(tiny: Path, tmp_path: Path) -> Path:
    folder = make_adapter(tiny, tmp_path / "lora-1")
    issued(folder, tiny)
    return folder


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_an_artefact_answers_its_canaries_after_it_is_loaded_anew(tiny, adapter, student):
    for folder, found in ((adapter, inspect(adapter)), (student, inspect(student))):
        assert found.holds, found.lines
        canaries = read_passport(folder).canaries
        assert len(canaries.prompts) == PROMPTS
        assert all(len(canary.logprobs) == 5 for canary in canaries.prompts)
        assert 0 <= canaries.noise < canaries.tolerance
    assert inspect(adapter, str(tiny)).holds


def test_canaries_are_the_log_probabilities_of_one_plain_forward(tiny, adapter):
    engine = open_engine(f"hf:{tiny}", str(adapter))
    recorded = read_passport(adapter).canaries
    text = next(c for c in recorded.prompts if isinstance(c.prompt, str))
    ids = torch.tensor([engine.tokenizer(text.prompt, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        plain = engine.model(ids).logits[0, -1].float().log_softmax(-1)
    top = plain.topk(5)
    for token, value in text.logprobs.items():
        assert float(plain[token]) == pytest.approx(value, abs=recorded.tolerance)
        assert value >= float(top.values[-1]) - recorded.tolerance


def test_perturbed_weights_are_told_by_the_digest_and_by_the_canaries(student):
    """Loaded unchecked, as where libraries or machines change, the canaries alone must tell."""
    recorded = read_passport(student).canaries
    perturb(student / "model.safetensors", "lm_head", 0.02)
    with pytest.raises(PassportError, match=r"not what its training left.*weights: got \w{12}, "):
        open_engine(f"hf:{student}")
    (student / PASSPORT).rename(student / "away.json")
    drift = check_canaries(LocalEngine(student), recorded)
    assert not drift.holds
    assert drift.largest > 2 * drift.tolerance


def test_a_change_within_the_noise_holds(student):
    recorded = read_passport(student).canaries
    perturb(student / "model.safetensors", "lm_head", 1e-7)
    (student / PASSPORT).rename(student / "away.json")
    assert check_canaries(LocalEngine(student), recorded).holds


def test_a_small_change_is_found_where_nothing_else_has_changed(student):
    """Elsewhere another processor, library or number of threads could have moved as much."""
    recorded = read_passport(student).canaries
    assert recorded.repeated == 0
    perturb(student / "model.safetensors", "lm_head", 3e-4)
    (student / PASSPORT).rename(student / "away.json")
    engine = LocalEngine(student)
    drift = check_canaries(engine, recorded)
    assert LEAST_REPEATED == drift.tolerance < drift.largest < recorded.tolerance
    assert drift.moved > drift.far == 0
    assert check_canaries(engine, recorded, exported=True).holds
    assert check_canaries(engine, recorded.but(conditions="")).holds  # written by an older ladder


def test_other_threads_are_other_conditions(student):
    import torch

    engine, threads = LocalEngine(student), torch.get_num_threads()
    here = conditions_of(engine)
    torch.set_num_threads(threads + 1)
    try:
        assert conditions_of(engine) != here
    finally:
        torch.set_num_threads(threads)
    assert conditions_of(engine) == here == read_passport(student).canaries.conditions


@pytest.mark.slow
def test_one_tensor_of_a_real_model_moved_by_a_hundredth_is_found(smollm, tmp_path):
    """By 1 % of its spread, in the first layer.

    In bfloat16 that is less than other batches may move elsewhere; in float32 it may be more.
    """
    from safetensors import safe_open

    base = shutil.copytree(smollm, tmp_path / "base")
    prompts = [*chats(system=True)]
    recorded = take_canaries(LocalEngine(base), prompts)
    same = check_canaries(LocalEngine(base), recorded)
    assert same.largest < same.tolerance / 4
    name = "model.layers.0.self_attn.q_proj.weight"
    with safe_open(base / "model.safetensors", "pt") as file:
        spread = float(file.get_tensor(name).float().std())
    perturb(base / "model.safetensors", name, 0.01 * spread)
    drift = check_canaries(LocalEngine(base), recorded)
    assert drift.moved > 0
    assert drift.largest > drift.tolerance
    elsewhere = check_canaries(LocalEngine(base), recorded.but(conditions=""))
    assert elsewhere.tolerance > 2 * drift.tolerance
    assert elsewhere.holds == (elsewhere.largest <= elsewhere.tolerance) == (drift.far == 0)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("weights", lambda base: perturb(base / "model.safetensors", "lm_head", 0.1)),
        ("chat template", lambda base: (base / "chat_template.jinja").write_text("{{ 1 }}")),
        ("tokenizer", lambda base: rewrite(
            base / "tokenizer.json", lambda v: v["model"]["merges"].pop()
        )),
        ("config", lambda base: rewrite(base / "config.json", lambda v: v.update(rms_norm_eps=1))),
    ],
)  # fmt: skip
def test_an_adapter_on_a_changed_base_is_refused_before_it_is_loaded(tiny, adapter, part, change):
    change(tiny)
    with pytest.raises(PassportError, match=f"{part}: got ") as caught:
        open_engine(f"hf:{tiny}", str(adapter))
    assert str(caught.value).count(": got ") == 1
    assert "trained on tiny" in str(caught.value)
    assert ("another model" in str(caught.value)) == (part == "weights")
    found = inspect(adapter)
    assert not found.holds
    assert any(line.startswith(f"base changed, {part}") for line in found.lines)


def test_a_base_that_has_moved_is_the_same_base(tiny, adapter, tmp_path):
    tiny.rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    rewrite(moved / "config.json", lambda v: v.update(_name_or_path="elsewhere"))
    assert open_engine(f"hf:{moved}", str(adapter)).model is not None
    with pytest.raises(EngineError, match="name it with --base"):
        inspect(adapter)
    assert inspect(adapter, f"hf:{moved}").holds


def test_a_changed_adapter_file_is_refused(tiny, adapter):
    perturb(adapter / "adapter_model.safetensors", "layers.1.mlp.up_proj.lora_B", 0.1)
    with pytest.raises(PassportError, match="not what its training left") as caught:
        open_engine(f"hf:{tiny}", str(adapter))
    assert "Put the original file back" in str(caught.value)
    (adapter / PASSPORT).unlink()
    assert open_engine(f"hf:{tiny}", str(adapter)).model is not None
    assert not inspect(adapter).holds
    assert "nothing to check it by" in inspect(adapter).lines[0]


def test_an_adapter_without_effect_gets_no_passport(tiny, tmp_path):
    folder = make_adapter(tiny, tmp_path / "idle", effect=False)
    with pytest.raises(EngineError, match="does not change the model's answers"):
        issued(folder, tiny)
    assert not (folder / PASSPORT).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}'])
def test_what_is_no_passport_is_named(student, text):
    (student / PASSPORT).write_text(text)
    with pytest.raises(PassportError, match="so it is no passport"):
        open_engine(f"hf:{student}")


def test_weights_as_pickles_are_refused_and_the_command_converts_them(tiny, adapter):
    import shlex
    import subprocess
    import sys

    from safetensors.torch import load_file

    for folder, name, safe, other in (
        (tiny, "pytorch_model.bin", "model.safetensors", None),
        (adapter, "adapter_model.bin", "adapter_model.safetensors", adapter),
    ):
        before = load_file(folder / safe)
        torch.save(before, folder / name)
        (folder / safe).unlink()
        with pytest.raises(EngineError, match="wanted safetensors") as caught:
            open_engine(f"hf:{tiny}", other)
        command = shlex.split(str(caught.value).split("convert it once: ")[1])
        subprocess.run([sys.executable, *command[1:]], check=True)
        after = load_file(folder / safe)
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert open_engine(f"hf:{tiny}", other).model is not None


def test_code_in_a_folder_is_not_run(tiny, tmp_path):
    unit = tmp_path / "ran"
    code = f"open({str(unit)!r}, 'w').close()\n"
    for name in ("configuration_own.py", "modeling_own.py", "tokenization_own.py"):
        (tiny / name).write_text(code)
    auto = {"AutoConfig": "configuration_own.Own", "AutoModelForCausalLM": "modeling_own.Own"}
    rewrite(tiny / "config.json", lambda v: v.update(auto_map=auto, model_type="own"))
    tokenizer = {"AutoTokenizer": [None, "tokenization_own.Own"]}
    rewrite(tiny / "tokenizer_config.json", lambda v: v.update(auto_map=tokenizer))
    with pytest.raises(EngineError, match=r"only where rules\.remote_code names the model"):
        _ = open_engine(f"hf:{tiny}").model
    assert open_engine(f"hf:{tiny}").tokenizer.eos_token == "<|im_end|>"  # the library's own class
    assert not unit.exists()


@pytest.mark.slow
def test_code_runs_for_a_model_that_the_task_names(tiny, tmp_path, monkeypatch):
    """The base answers and is trained; its code is part of what the adapter was trained on."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))  # for the training program
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    own = tmp_path / "own"
    shutil.copytree(tiny, own)
    (own / "configuration_own.py").write_text(
        "from transformers import LlamaConfig\n\n\nclass OwnConfig(LlamaConfig):\n"
        "    model_type = 'own'\n"
    )
    (own / "modeling_own.py").write_text(
        "from transformers import LlamaForCausalLM\n"
        "from .configuration_own import OwnConfig\n\n\n"
        "class OwnForCausalLM(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    auto = {
        "AutoConfig": "configuration_own.OwnConfig",
        "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
    }
    rewrite(own / "config.json", lambda v: v.update(auto_map=auto, model_type="own"))
    name = f"hf:{own}"
    rows = [{"input": f"word {at}", "target": str(at % 2)} for at in range(60)]
    write_json_lines(tmp_path / "rows.jsonl", rows)
    text = f"name: t\ngoal: say it\ndata: {{examples: rows.jsonl}}\nmodels: {{base: '{name}'}}\n"
    (tmp_path / "task.yaml").write_text(text + "score: exact_match\ngate: {min_score: 0.5}\n")
    silent = load_task(tmp_path / "task.yaml")
    models = open_bench(silent, tmp_path / "runs", Quiet()).evaluator.models
    with pytest.raises(EngineError, match=r"only where rules\.remote_code names the model"):
        _ = models.engine(name).engine.model
    (tmp_path / "task.yaml").write_text(
        text + f"score: exact_match\ngate: {{min_score: 0.5}}\nrules: {{remote_code: ['{name}']}}\n"
    )
    with pytest.raises(TaskError, match="consent that stands outside the task"):
        open_bench(load_task(tmp_path / "task.yaml"), tmp_path / "runs", Quiet())
    task = load_task(tmp_path / "task.yaml", granted="all")
    bench = open_bench(task, tmp_path / "runs", Quiet())
    assert type(bench.evaluator.models.engine(name).engine.model).__name__ == "OwnForCausalLM"
    learnt = [{"prompt": row["input"], "completion": " " + row["target"]} for row in rows]
    recipe = find_recipe("lora", tmp_path)
    few = {"max_steps": "2", "dtype": "float32", "learning_rate": "1e-2"}
    build = bench.trainer.train(recipe, own, learnt, few)
    passport = read_passport(Path(build.folder))
    assert passport.overrides["trust_remote_code"] == "true"
    assert passport.canaries is not None
    assert bench.evaluator.models.engine(name, build.folder).engine.model is not None
    (own / "modeling_own.py").write_text("raise SystemExit('another code')\n")
    with pytest.raises(PassportError, match="code: got"):
        open_engine(name, build.folder, own_code=True)


def test_folders_that_hold_something_else_are_told_apart(tiny, adapter):
    with pytest.raises(EngineError, match="holds an adapter, not a model"):
        open_engine(f"hf:{adapter}")
    with pytest.raises(EngineError, match="holds no adapter"):
        open_engine(f"hf:{tiny}", str(tiny))


def test_canary_prompts_are_distinct_and_from_the_shorter_half():
    rows = [{"prompt": "x" * at} for at in range(1, 101)] * 2
    prompts = choose_prompts(rows)
    assert len(prompts) == len(set(prompts)) == PROMPTS
    assert max(map(len, prompts)) <= 50
    assert choose_prompts(list(reversed(rows))) == prompts
    assert choose_prompts([{"text": "a", "label": "b"}]) == []
    assert choose_prompts([{"prompt": "only"}] * 3) == ["only"]


def test_the_card_says_what_the_records_say_and_no_row(tiny, adapter):
    (adapter / "README.md").write_text("the training library's own")
    (tiny / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n")
    write_card(adapter)
    text = (adapter / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["base_model"] == "tiny"
    assert head["library_name"] == "peft"
    assert head["license"] == "apache-2.0"
    passport = read_passport(adapter)
    digests = (passport.data[:16], passport.base_parts["weights"][:16])
    told = ("40 training examples", "3,210 tokens", "7 steps", "4.250", "1.500", "512 MB")
    for said in (*told, *digests, "max_steps=7"):
        assert said in text, said
    assert "order number" not in text
    assert "plus one" not in text
    assert "own" not in text.split("---\n")[1]


def test_the_card_says_what_the_last_assessment_measured(adapter):
    lora = attempt("lora", "pass")
    found = assessment(attempts=(lora,))
    write_card(adapter, found, lora)
    text = (adapter / "README.md").read_text()
    assert f"{span(lora.measurement.score)} (mean, 95 % interval) on 200 held-out examples" in text
    assert "passed at a gate of" in text
    best = max(found.control.lines, key=lambda line: line.score.mean)
    assert f"{span(best.score)} ({best.name})" in text
    assert (
        f"{span(found.recommendation.confirmed)} on 150 held-out test examples, read once" in text
    )
    assert "Not measured yet" not in text


def test_the_card_is_what_the_hub_reads(adapter):
    hub = pytest.importorskip("huggingface_hub")
    write_card(adapter)
    card = hub.ModelCard.load(adapter / "README.md")
    assert card.data.base_model == "tiny"
    assert "lora" in card.data.tags


@pytest.mark.slow
def test_a_real_training_leaves_an_artefact_that_holds(smollm, tmp_path):
    """The bundled model, trained for two steps: nothing that is left is a pickle."""
    changes = {"max_steps": "2", "per_device_train_batch_size": "4"}
    made = tmp_path / "made"
    recipe = find_recipe("lora", tmp_path)
    build = train(recipe, smollm, ROWS[:20], made, Quiet(), changes)
    folder = Path(build.folder)
    found = inspect(folder)
    assert found.holds, found.lines
    names = {path.name for path in folder.iterdir()}
    assert {"passport.json", "README.md", "training.json", "adapter_model.safetensors"} <= names
    assert not [name for name in names if name.endswith(PICKLES)]
    passport = read_passport(folder)
    assert passport.base_parts["weights"] == parts_of(smollm)["weights"]
    assert passport.canaries.tolerance < 1
    assert passport.precision == precision()
    assert f"\n- trained in {precision()}\n" in (folder / "README.md").read_text()
    assert "`lora`" in (folder / "README.md").read_text()
    before = (folder / PASSPORT).read_bytes()
    assert train(recipe, smollm, ROWS[:20], made, Quiet(), changes) == build
    assert (folder / PASSPORT).read_bytes() == before


def test_the_form_of_the_prompts_is_what_they_share_and_no_row():
    rows = [{"prompt": f"Text: find {at} more\nLabel:"} for at in range(12)]
    assert form_of(rows) == "Text: find {input} more\nLabel:"
    assert form_of([{"prompt": f"Text: find{at}\nLabel:"} for at in range(12)]) == (
        "Text: {input}\nLabel:"
    )
    assert form_of(rows[:5]) == ""
    assert form_of([{"prompt": [{"role": "user", "content": "a"}]}]) == "chat"
    assert form_of([{"text": "a", "label": "b"}]) == ""
    assert form_of([{"prompt": f"{at}x{at}"} for at in range(12)]) == ""
