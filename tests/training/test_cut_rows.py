"""Training rows are cut as the model will be asked, whatever its template and tokenizer do."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import program
from habits import CHATLESS, HABITS, opener

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.training.rows import prompt_of, reply_to

pytest.importorskip("trl")

CHAT = Request(
    messages=(
        ("system", "Name the colour."),
        ("user", "Grass?"),
        ("assistant", "green"),
        ("user", "The sky <|im_end|> at noon?"),
    )
)
PLAIN = Request(text="Text: The sky <|im_end|>\nColour:")
ANSWERS = ("blue", "  blue <file_sep> and\nwhite ", "12.5")


@pytest.fixture(scope="module")
def models(smollm, tmp_path_factory):
    return opener(smollm, tmp_path_factory.mktemp("habits"))


@cache
def opened(folder: str) -> Any:
    settings = program("settings")
    model = SimpleNamespace(model_name_or_path=folder, model_revision="main")
    return settings.tokenizer_of(model, SimpleNamespace(trust_remote_code=False))


def tokenizer_of(engine: LocalEngine) -> Any:
    """As a training program opens it."""
    return opened(str(engine.folder))


def row_of(request: Request, answer: str) -> dict[str, Any]:
    return {"prompt": prompt_of(request), "completion": reply_to(request, answer)}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("request_", [PLAIN, CHAT], ids=["plain", "chat"])
def test_a_row_is_learnt_behind_the_very_tokens_that_are_asked(habit, request_, models):
    engine = models(habit)
    if request_.messages and habit in CHATLESS:
        return
    rows = [row_of(request_, answer) for answer in ANSWERS]
    found = program("rows").supervised(tokenizer_of(engine), rows, None)
    asked = engine.encode(request_)
    for row, answer in zip(found, ANSWERS, strict=True):
        ids, mask = row["input_ids"], row["completion_mask"]
        assert ids[: len(asked)] == asked
        assert mask == [0] * len(asked) + [1] * (len(ids) - len(asked))
        learnt = ids[len(asked) :]
        assert engine.template.end in learnt, "it learns to stop"
        until = learnt[: learnt.index(engine.template.end)]
        said = engine.tokenizer.decode(until, skip_special_tokens=True)
        inert = answer.replace("<file_sep>", "< file_sep>")
        wanted = inert if request_.messages else " ".join(inert.split())
        assert said.rpartition("</think>")[2].strip() == wanted.strip()
        assert learnt[: len(until)].count(engine.template.end) == 0


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["as it is", "several templates", "trims", "bos in both"])
def test_usual_rows_are_cut_as_trl_cuts_them(habit, models):
    """The same prompts, answers and ends; what is special inside a text aside."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTTrainer

    engine = models(habit)
    own = AutoTokenizer.from_pretrained(engine.folder)
    clean = Request(messages=(*CHAT.messages[:3], ("user", "The sky at noon?")))
    for request in (clean, Request(text="Text: The sky\nColour:")):
        rows = [row_of(request, answer) for answer in ("blue", "12.5")]
        if habit == "as it is" or request.messages:
            cut = SFTTrainer._prepare_dataset(
                SimpleNamespace(
                    _tokenizer=own, chat_template=None, completion_only_loss=True, _is_vlm=False
                ),
                Dataset.from_list(rows), own,
                SimpleNamespace(
                    dataset_num_proc=None, dataset_text_field="text", max_length=None,
                    assistant_only_loss=False, packing=False, use_liger_kernel=False,
                    shuffle_dataset=False,
                ),
                False, None, "train",
            )  # fmt: skip
            ours = program("rows").supervised(tokenizer_of(engine), rows, None)
            assert [row["input_ids"] for row in ours] == cut["input_ids"]
            labels = [
                [at if learnt else -100 for at, learnt in zip(*row.values(), strict=True)]
                for row in ours
            ]
            assert labels == cut["labels"]


@pytest.mark.parametrize("habit", sorted(HABITS.keys() - set(CHATLESS)))
def test_scored_answers_are_learnt_where_they_are_scored(habit, models):
    """A label is scored without a thought before it, and learnt in the same place."""
    engine = models(habit)
    scored = engine.encode(Request(messages=CHAT.messages, choices=("blue", "red")))
    (row,) = program("rows").supervised(tokenizer_of(engine), [row_of(CHAT, "blue")], None)
    ids = row["input_ids"]
    assert ids[: len(scored)] == scored
    label = engine.template.following("blue")
    if habit != "instruction marks":  # the template itself writes a space before the answer
        assert ids[len(scored) :][: len(label)] == label


@pytest.mark.parametrize("habit", ["refuses system", "bos", "thinks", "date"])
def test_pairs_and_graded_answers_are_cut_alike(habit, models):
    engine = models(habit)
    chosen, rejected = reply_to(CHAT, "blue"), reply_to(CHAT, "red")
    pair = {"prompt": prompt_of(CHAT), "chosen": chosen, "rejected": rejected}
    (row,) = program("preference").with_ids(
        tokenizer_of(engine), [pair], None, "chosen", "rejected"
    )
    assert row["prompt_ids"] == engine.encode(CHAT)
    (learnt,) = program("rows").supervised(tokenizer_of(engine), [row_of(CHAT, "blue")], None)
    assert row["prompt_ids"] + row["chosen_ids"] == learnt["input_ids"]
    assert row["chosen_ids"] != row["rejected_ids"]


def test_rows_that_are_too_long_are_counted_with_all_their_tokens(models):
    """BOS and the template's marks count."""
    engine = models("bos")
    rows = [row_of(PLAIN, "blue")]
    (row,) = program("rows").supervised(tokenizer_of(engine), rows, None)
    size = len(row["input_ids"])
    assert program("rows").supervised(tokenizer_of(engine), rows, size)
    with pytest.raises(SystemExit, match="1 of 1 rows are longer"):
        program("rows").supervised(tokenizer_of(engine), rows, size - 1)


def test_turns_for_a_model_without_a_template_end_the_program(models):
    rows = [row_of(CHAT, "blue")]
    with pytest.raises(SystemExit, match="no chat template that takes them"):
        program("rows").supervised(tokenizer_of(models("no template")), rows, None)


def test_turns_that_a_template_refuses_end_the_program_with_their_row(models):
    rows = [row_of(CHAT, "blue"), {**row_of(CHAT, "blue"), "prompt": prompt_of(CHAT)[2:3]}]
    with pytest.raises(SystemExit, match="row 2: the model's chat template refuses its turns"):
        program("rows").supervised(tokenizer_of(models("alternates")), rows, None)


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["bos", "refuses system"])
def test_what_the_trainers_learn_from_is_what_was_cut_here(habit, tiny, tmp_path):
    """TRL cuts no row anew: prompts in its data sets are those that will be asked."""
    from trl import DPOConfig, KTOConfig, SFTConfig

    HABITS[habit](tiny)
    engine = LocalEngine(tiny)
    rows: list[dict[str, Any]] = []
    for at in range(24):
        turns = (("system", "Name the colour."), ("user", f"Thing {at}?"))
        sides = [reply_to(CHAT, answer) for answer in ("blue", "red")]
        prompt = prompt_of(Request(messages=turns))
        both = {"chosen": sides[0], "rejected": sides[1]}
        rows.append({"prompt": prompt, "completion": sides[0], "label": at % 2 == 0, **both})
    asked = {tuple(engine.template.prompt(row["prompt"])) for row in rows}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    model = SimpleNamespace(
        model_name_or_path=str(tiny), dtype="float32", attn_implementation="sdpa",
        model_revision="main", use_peft=False, load_in_4bit=False, load_in_8bit=False,
    )  # fmt: skip
    common = {"output_dir": str(tmp_path), "use_cpu": True, "report_to": "none", "bf16": False}
    for name, settings in (("sft", SFTConfig), ("dpo", DPOConfig), ("kto", KTOConfig)):
        module = program(name)
        found = module.make_trainer(module.Files(str(path)), settings(**common), model)
        trainer = found[0] if isinstance(found, tuple) else found
        assert len(trainer.train_dataset) > 10
        for row in trainer.train_dataset:
            if name == "sft":
                learnt = sum(label != -100 for label in row["labels"])
                prompt_ids = row["input_ids"][:-learnt]
            else:
                prompt_ids = row["prompt_ids"]
            assert tuple(prompt_ids) in asked
