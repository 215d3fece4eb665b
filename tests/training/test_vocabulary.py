"""A trimmed vocabulary: the same logits, the same encoding of the task, any text still written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import random_llama
from habits import HABITS
from hypothesis import given
from hypothesis import strategies as st

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.errors import EngineError
from ladder.training.rows import prompt_of, reply_to
from ladder.training.vocabulary import joined, refusal, trim_vocabulary, trimmed_copy

pytestmark = pytest.mark.slow

TASK = [
    "Intent of the message\nMessage: My new oar has not come yet?\nIntent: oar_delivery\n",
    "Message: Which knots do you teach at €1,000?\nIntent: knot_course_price\n",
    "<|im_start|>user\nMy naïve Straße <|im_end|>\n",
]


@pytest.fixture(scope="module")
def pair(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny model with the bundled model's tokenizer, and its trimmed copy."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(smollm)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    full = tmp_path_factory.mktemp("vocabulary") / "full"
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(full)
    tokenizer.save_pretrained(full)
    trim_vocabulary(full, full.parent / "trimmed", TASK, common=300)
    return full, full.parent / "trimmed"


@pytest.fixture(scope="module")
def encoders(pair):
    from tokenizers import Tokenizer

    return [Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in pair]


def tokens(encoder, text: str) -> list[str]:
    return encoder.encode(text, add_special_tokens=False).tokens


def test_most_tokens_are_gone(encoders) -> None:
    full, trimmed = encoders
    assert full.get_vocab_size() == 49152
    assert 300 < trimmed.get_vocab_size() < 700


def test_the_task_is_encoded_as_before(encoders) -> None:
    full, trimmed = encoders
    for text in TASK:
        assert tokens(trimmed, text) == tokens(full, text)


@given(st.permutations([word for text in TASK for word in text.split()[:6]]))
def test_its_words_in_any_order_are_encoded_as_before(encoders, words: list[str]) -> None:
    """Each was shown after a space, a newline, or at the start: here all stand after a space."""
    full, trimmed = encoders
    text = " " + " ".join(words[:8])
    before = tokens(full, text)
    if all(trimmed.token_to_id(token) is not None for token in before):
        assert tokens(trimmed, text) == before


@given(st.text())
def test_any_text_comes_back(encoders, text: str) -> None:
    full, _ = encoders
    ids = [encoder.encode(text, add_special_tokens=False).ids for encoder in encoders]
    back = [e.decode(i, skip_special_tokens=False) for e, i in zip(encoders, ids, strict=True)]
    assert back[1] == back[0]
    known = set(full.get_vocab())
    from tokenizers.pre_tokenizers import ByteLevel

    split = ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    if all(sign in known for word, _ in split for sign in word):  # it never had some bytes
        assert back[1] == text


def test_kept_tokens_have_the_same_logits(pair, encoders) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    full, trimmed = (AutoModelForCausalLM.from_pretrained(f, dtype=torch.float32) for f in pair)
    kept = sorted(encoders[0].token_to_id(token) for token in encoders[1].get_vocab())
    for text in TASK:
        ids = [torch.tensor([AutoTokenizer.from_pretrained(f)(text)["input_ids"]]) for f in pair]
        with torch.no_grad():
            old, new = full(ids[0]).logits, trimmed(ids[1]).logits
        assert new.shape[-1] == len(kept) == trimmed.config.vocab_size
        # The same numbers but for the order in which a smaller product sums them.
        torch.testing.assert_close(new, old[..., kept], rtol=0, atol=1e-6)
    assert torch.equal(
        trimmed.get_input_embeddings().weight, full.get_input_embeddings().weight[kept]
    )
    assert trimmed.get_output_embeddings().weight is trimmed.get_input_embeddings().weight


def test_special_tokens_mean_the_same(pair) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    full, trimmed = (AutoTokenizer.from_pretrained(folder) for folder in pair)
    turns = [{"role": "user", "content": "my oar"}]
    assert full.apply_chat_template(turns, tokenize=False) == trimmed.apply_chat_template(
        turns, tokenize=False
    )
    config = json.loads((pair[1] / "config.json").read_text())
    assert trimmed.convert_ids_to_tokens(config["eos_token_id"]) == full.eos_token
    assert GenerationConfig.from_pretrained(pair[1]).eos_token_id == trimmed.eos_token_id


@pytest.mark.parametrize(
    "habit", ["as it is", "bos", "bos in both", "bos and eos", "template in config", "date",
              "refuses system", "instruction marks", "thinks"],
)  # fmt: skip
def test_a_copy_is_asked_as_its_model_is(habit: str, smollm: Path, tmp_path: Path) -> None:
    """Template, BOS and ends are those of the whole model, with the same pieces of text."""
    full = random_llama(tmp_path / "full", smollm)
    HABITS[habit](full)
    messages = (("system", "Name the intent."), ("user", "my naïve oar <|im_end|>"))
    asked = [Request(text=TASK[0]), Request(messages=messages)]
    rows = [
        {"prompt": prompt_of(request), "completion": reply_to(request, "oar_delivery")}
        for request in asked
    ]
    before = LocalEngine(full)
    after = LocalEngine(trimmed_copy(full, rows, tmp_path))
    for request, row in zip(asked, rows, strict=True):
        pieces = [
            engine.tokenizer.convert_ids_to_tokens(
                engine.encode(request) + engine.template.reply(row["prompt"], row["completion"])
            )
            for engine in (before, after)
        ]
        assert pieces[0] == pieces[1]
    settings = [
        (e.template.about.keys(), e.template.system, e.template.header) for e in (before, after)
    ]
    assert settings[0] == settings[1]
    ends = [e.tokenizer.convert_ids_to_tokens(e.template.end) for e in (before, after)]
    assert ends[0] == ends[1]


def test_a_copy_is_made_once_and_another_task_has_another(pair, tmp_path: Path) -> None:
    rows = [{"prompt": TASK[0], "completion": " a\n"}]
    first = trimmed_copy(pair[0], rows, tmp_path)
    made = (first / "model.safetensors").stat().st_mtime_ns
    assert trimmed_copy(pair[0], rows, tmp_path) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == made
    turns = [{"role": "user", "content": "Straße"}]
    chat = [{"prompt": turns, "completion": [{"role": "assistant", "content": "b"}]}]
    assert trimmed_copy(pair[0], chat, tmp_path) != first


def test_the_way_to_a_token_is_that_of_byte_pair_encoding() -> None:
    ranks = {("a", "b"): 0, ("c", "d"): 1, ("ab", "cd"): 2, ("b", "c"): 3}
    assert joined("abcd", ranks) == ["ab", "cd", "abcd"]
    assert joined("abab", ranks) == ["ab", "ab"]
    assert joined("x", ranks) == []


def test_another_kind_of_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
    assert "not Unigram" in str(refusal(tmp_path))
    with pytest.raises(EngineError, match="only a BPE vocabulary"):
        trim_vocabulary(tmp_path, tmp_path / "out", ["a"])
    (tmp_path / "tokenizer.json").unlink()
    assert "no tokenizer.json" in str(refusal(tmp_path))
