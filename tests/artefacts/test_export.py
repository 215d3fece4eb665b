"""Artefacts in other forms answer as they did: merged into the base, and as GGUF."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ladder, random_llama
from habits import HABITS
from trained import issued, make_adapter

from ladder.artefacts.gguf_file import SPLITS, in_pairs, split_name, write_gguf
from ladder.artefacts.inspection import hand_on, inspect
from ladder.engines import open_engine
from ladder.engines.passport import PASSPORT, read_passport
from ladder.errors import EngineError

pytestmark = pytest.mark.slow  # each makes or climbs something real, and takes seconds

torch = pytest.importorskip("torch")
gguf = pytest.importorskip("gguf")

TEXTS = ("Label: 12 loaves, don't", "  spaces\n\n\tand tabs", "café – naïve 😀", "<|im_start|>user")


@pytest.fixture
def adapter(tiny: Path, tmp_path: Path) -> Path:
    folder = make_adapter(tiny, tmp_path / "lora-1")
    issued(folder, tiny)
    return folder


def logits(model: object) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.arange(100, 164)[None]).logits.float()


def test_a_merged_copy_answers_as_the_adapter_on_its_base(tiny, adapter, tmp_path):
    said = hand_on(adapter, "merged", tmp_path / "out" / "whole")
    whole = tmp_path / "out" / "whole"
    assert f"wrote {whole}" in said
    assert any(f"vllm serve {whole}" in line for line in said)
    before = logits(open_engine(f"hf:{tiny}", str(adapter)).model)
    after = logits(open_engine(f"hf:{whole}").model)
    assert float((before - after).abs().max()) < 1e-6
    assert float((before - logits(open_engine(f"hf:{tiny}").model)).abs().max()) > 1e-3
    assert (whole / "chat_template.jinja").read_text() == (tiny / "chat_template.jinja").read_text()
    assert read_passport(whole).parts["tokenizer"] == read_passport(adapter).base_parts["tokenizer"]
    assert inspect(whole).holds
    assert "base_model: tiny" in (whole / "README.md").read_text()
    assert {path.suffix for path in whole.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}
    with pytest.raises(EngineError, match="is there already"):
        hand_on(adapter, "merged", whole)
    with pytest.raises(EngineError, match="a whole model already"):
        hand_on(whole, "merged", tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "tied",
    [pytest.param(True, marks=pytest.mark.long), pytest.param(False, marks=pytest.mark.long)],
)
def test_a_gguf_file_is_read_back_with_the_same_logits_and_tokens(smollm, tmp_path, tied):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = random_llama(tmp_path / "tiny", smollm, tie_word_embeddings=tied, rope_theta=5000.0)
    adapter = make_adapter(base, tmp_path / "lora-1")
    issued(adapter, base)
    said = hand_on(adapter, "gguf", None)
    file = tmp_path / "lora-1.gguf"
    assert any(f"llama-server -m {file}" in line for line in said)
    engine = open_engine(f"hf:{base}", str(adapter))
    found = {"pretrained_model_name_or_path": tmp_path, "gguf_file": file.name}
    read = AutoModelForCausalLM.from_pretrained(**found, dtype=engine.model.dtype)
    assert read.config.rope_parameters["rope_theta"] == 5000.0
    assert float((logits(engine.model) - logits(read)).abs().max()) < 1e-6
    tokenizer = AutoTokenizer.from_pretrained(**found)
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == engine.tokenizer(text)["input_ids"]
    assert tokenizer.chat_template == engine.tokenizer.chat_template
    assert tokenizer.eos_token_id == engine.tokenizer.eos_token_id
    names = [tensor.name for tensor in gguf.GGUFReader(file).tensors]
    assert ("output.weight" in names) != tied


def test_float32_stays_float32(tiny, tmp_path):
    engine = open_engine(f"hf:{tiny}")
    engine.model.float()
    write_gguf(engine.model, engine.tokenizer, tiny, tmp_path / "out.gguf", "tiny")
    weights = engine.model.state_dict()
    for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors:
        assert tensor.tensor_type.name == "F32"
        if tensor.name == "blk.1.ffn_down.weight":
            ours = weights["model.layers.1.mlp.down_proj.weight"].numpy()
            assert (tensor.data == ours).all()


@pytest.mark.parametrize(
    ("habit", "adds"),
    [("as it is", False), ("bos", True), ("eos", False), ("several templates", False)],
)
def test_a_gguf_file_begins_texts_as_the_tokenizer_does_and_never_ends_them(
    habit, adds, tiny, tmp_path
):
    HABITS[habit](tiny)
    engine = open_engine(f"hf:{tiny}")
    write_gguf(engine.model, engine.tokenizer, tiny, tmp_path / "out.gguf", "tiny")
    fields = gguf.GGUFReader(tmp_path / "out.gguf").fields
    assert fields["tokenizer.ggml.add_bos_token"].contents() is adds
    assert fields["tokenizer.ggml.add_eos_token"].contents() is False
    written = engine.tokenizer.get_chat_template()
    assert fields["tokenizer.chat_template"].contents() == written


def test_a_tokenizer_that_begins_texts_with_another_token_is_refused(tiny, tmp_path):
    HABITS["bos and eos"](tiny)
    engine = open_engine(f"hf:{tiny}")
    with pytest.raises(
        EngineError, match=r"puts `<\|endoftext\|>` before each text, wanted its BOS"
    ):
        write_gguf(engine.model, engine.tokenizer, tiny, tmp_path / "out.gguf", "tiny")


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        ("refuses system", "without a system turn: the instruction begins the first user turn"),
        ("date", "its template writes today's date; here it was asked as on 26 July 2024"),
        ("does not begin the answer", 'add "<|im_start|>assistant\\n"'),
    ],
)
def test_an_export_says_how_its_template_wants_to_be_asked(habit, said, tiny, tmp_path):
    HABITS[habit](tiny)
    adapter = make_adapter(tiny, tmp_path / "lora-1")
    issued(adapter, tiny)
    lines = hand_on(adapter, "merged", tmp_path / "whole")
    assert any(said in line for line in lines), lines
    assert inspect(tmp_path / "whole").holds


def test_rows_of_a_head_are_paired():
    rows = torch.arange(2 * 6)[:, None]  # two heads of six
    assert in_pairs(rows, 2)[:, 0].tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_other_architectures_and_tokenizers_are_refused_by_name(smollm, tiny, adapter, tmp_path):
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    other = tmp_path / "qwen"
    config = Qwen2Config(
        vocab_size=49152, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(other)
    AutoTokenizer.from_pretrained(smollm).save_pretrained(other)
    issued(other, tiny)
    with pytest.raises(EngineError, match="got Qwen2ForCausalLM, wanted LlamaForCausalLM"):
        hand_on(other, "gguf", tmp_path / "qwen.gguf")
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    long = random_llama(tmp_path / "long", smollm, rope_parameters=scaled)
    issued(long, tiny)
    with pytest.raises(EngineError, match="rope of type linear"):
        hand_on(long, "gguf", tmp_path / "long.gguf")
    words = json.loads((tiny / "tokenizer.json").read_text())
    with pytest.raises(EngineError, match="got a Unigram tokenizer"):
        split_name({**words, "model": {"type": "Unigram"}}, tiny)
    with pytest.raises(EngineError, match=r"cuts text by \['Metaspace'\]"):
        split_name({**words, "pre_tokenizer": {"type": "Metaspace"}}, tiny)
    for name, steps in SPLITS.items():
        assert split_name({**words, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}},
                          tiny) == name  # fmt: skip
    assert not list(tmp_path.glob("*.gguf"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("to", ["merged", pytest.param("gguf", marks=pytest.mark.slow)])
def test_an_export_that_would_answer_otherwise_is_not_kept(tiny, adapter, tmp_path, to):
    passport = read_passport(adapter)
    first, *rest = passport.canaries.prompts
    wrong = first.model_copy(update={"logprobs": {t: v - 5 for t, v in first.logprobs.items()}})
    canaries = passport.canaries.model_copy(update={"prompts": (wrong, *rest)})
    changed = passport.model_copy(update={"canaries": canaries})
    (adapter / PASSPORT).write_text(changed.model_dump_json())
    with pytest.raises(EngineError, match=r"1 canaries moved, by up to [45]\.\d+ nats"):
        hand_on(adapter, to, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (adapter / PASSPORT).unlink()
    with pytest.raises(EngineError, match=r"has no passport\.json"):
        hand_on(adapter, "merged", tmp_path / "out")


@pytest.mark.slow
def test_the_verbs_and_their_exit_codes(tiny, adapter, tmp_path):
    held = ladder("passport", adapter)
    assert held.returncode == 0, held.stderr
    assert "The passport holds." in held.stdout
    assert ladder("export", adapter, "--into", tmp_path / "whole").returncode == 0
    assert "forms are merged, gguf" in ladder("export", adapter, "--to", "exe").stderr
    (tiny / "chat_template.jinja").write_text("{{ messages }}")
    broken = ladder("passport", adapter)
    assert broken.returncode == 1
    assert "base changed, chat template: got" in broken.stdout
    refused = ladder("export", adapter, "--to", "gguf")
    assert refused.returncode == 2
    assert "chat template" in refused.stderr


@pytest.mark.slow
def test_a_gguf_file_is_what_the_converter_of_llama_cpp_wrote(smollm, tmp_path):
    """The bundled model's own file came from that converter: settings, words and rows compared."""
    import importlib.util

    from ladder.engines.bundled import MODELS

    bundled = MODELS["smollm2-135m"]
    spec = importlib.util.find_spec(bundled.package)
    theirs = gguf.GGUFReader(Path(next(iter(spec.submodule_search_locations))) / bundled.file)
    engine = open_engine(f"hf:{smollm}")
    write_gguf(engine.model, engine.tokenizer, smollm, tmp_path / "ours.gguf", "ours")
    ours = gguf.GGUFReader(tmp_path / "ours.gguf")
    own = ("GGUF.", "general.", "tokenizer.ggml.pre")  # transformers forgets how digits are cut
    for key, field in theirs.fields.items():
        if not key.startswith(own):
            assert ours.fields[key].contents() == field.contents(), key
            assert ours.fields[key].types == field.types, key
    rows = {tensor.name: tensor for tensor in ours.tensors}
    assert rows.keys() == {tensor.name for tensor in theirs.tensors}
    for tensor in theirs.tensors:
        wanted = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type))
        mine = rows[tensor.name]
        got = torch.from_numpy(gguf.dequantize(mine.data, mine.tensor_type))
        # The folder was written in bfloat16, whatever this machine loads it in.
        assert torch.equal(got, wanted.to(torch.bfloat16).float()), tensor.name
