"""An encoder that fills in fields: trained by its recipe's program, then asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import program
from engines.encoders import CODES, DAYS, LETTERS, LONGEST, write_encoder

from ladder.artefacts.issue import issue, kind_of
from ladder.engines import open_engine
from ladder.engines.base import Request
from ladder.engines.encoder import PARTS, EncoderEngine
from ladder.engines.passport import PASSPORT
from ladder.errors import EngineError, PassportError
from ladder.testing import check_engine

EPOCHS = 14


def orders(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Return orders as text and as JSON: two fields to choose, and a name that no other has."""
    draw = Random(seed)
    texts, answers = [], []
    for _ in range(count):
        goods, day = draw.choice(list(CODES)), draw.choice(list(DAYS))
        name = "".join(draw.choices(LETTERS, k=6)).title()
        texts.append(
            draw.choice(("{0} on {1} for {2}", "for {2}: {1}, {0}")).format(goods, day, name)
        )
        answers.append(json.dumps({"code": CODES[goods], "for": {"day": DAYS[day], "name": name}}))
    return texts, answers


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(folder / "base")
    train(folder / "base", folder / "student", *orders(300, 0), "json")
    return folder / "student"


def train(base: Path, folder: Path, texts: list[str], answers: list[str], answer: str) -> None:
    """Train by the parts of the recipe's program."""
    assert program("running").run(trainer(base, folder, texts, answers, answer)) == 0


def trainer(
    base: Path, folder: Path, texts: list[str], answers: list[str], answer: str, **more: object
) -> Any:
    from transformers import TrainingArguments

    module = program("student_encoder")
    encoder = module.Encoder(str(base), answer, max_length=LONGEST)
    settings = {
        "learning_rate": 2e-3, "num_train_epochs": EPOCHS, "per_device_train_batch_size": 16,
        "weight_decay": 0.01, "warmup_steps": 0.1, "logging_steps": 5, "save_strategy": "epoch",
        "report_to": "none", "disable_tqdm": True, "use_cpu": True, **more,
    }  # fmt: skip
    form = program("fields").make_form(texts, answers, answer)
    made = TrainingArguments(str(folder), **settings)
    return module.make_trainer(texts, answers, form, encoder, made)


def answers_of(engine: EncoderEngine, texts: list[str]) -> list[str]:
    found = dict(engine.complete([Request(text=text) for text in texts]))
    return [found[at].text for at in range(len(texts))]


def test_it_fills_in_fields_of_texts_that_no_row_has(student: Path) -> None:
    engine = open_engine(f"encoder:{student.name}", beside=student.parent)
    texts, wanted = orders(60, 1)
    found = [json.loads(answer) for answer in answers_of(engine, texts)]
    right = sum(a == json.loads(b) for a, b in zip(found, wanted, strict=True))
    assert right >= 54  # all 60 when this was written; the name alone cannot be guessed
    copied = [answer["for"].get("name") for answer in found]
    assert all(name is None or name in text for name, text in zip(copied, texts, strict=True))


def test_alone_or_among_many_the_answer_is_the_same(student: Path) -> None:
    engine = EncoderEngine(student)
    texts, _ = orders(40, 2)
    assert answers_of(engine, texts) == [answers_of(engine, [text])[0] for text in texts]


def test_the_contract_of_every_engine_holds(student: Path) -> None:
    check_engine(EncoderEngine(student))


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂" * 600, "for " * 2000])
def test_odd_texts_get_an_answer_too(student: Path, text: str) -> None:
    (answer,) = answers_of(EncoderEngine(student), [text])
    assert set(json.loads(answer)) <= {"code", "for"}


@pytest.mark.slow
def test_a_label_is_one_field(tmp_path: Path) -> None:
    write_encoder(tmp_path / "base")
    texts, orders_ = orders(200, 3)
    labels = [json.loads(order)["code"] for order in orders_]
    train(tmp_path / "base", tmp_path / "student", texts, labels, "label")
    more, wanted = orders(40, 4)
    found = answers_of(EncoderEngine(tmp_path / "student"), more)
    assert found == [json.loads(order)["code"] for order in wanted]


def test_its_passport_knows_what_it_is_and_that_it_changed(student: Path, tmp_path: Path) -> None:
    folder = tmp_path / "student"
    shutil.copytree(student, folder)
    assert kind_of(folder) == "encoder"
    passport = issue(folder, None, "student_encoder", [], [{"text": "a", "label": "b"}], {})
    assert (passport.kind, passport.canaries) == ("encoder", None)
    before = EncoderEngine(folder).fingerprint()
    form = json.loads((folder / "form.json").read_text())
    form["form"]["fields"][0]["values"][0] = '"other"'
    (folder / "form.json").write_text(json.dumps(form))
    with pytest.raises((EngineError, PassportError), match="weights"):
        EncoderEngine(folder)
    (folder / PASSPORT).unlink()
    assert EncoderEngine(folder).fingerprint() != before


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_missing_is_named(student: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "student"
    shutil.copytree(student, folder)
    (folder / name).unlink()
    with pytest.raises(EngineError, match=f"there is no {name}"):
        EncoderEngine(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [("form.json", b"{}"), ("form.json", b'{"form": {"fields": 3}}'), ("form.json", b"["),
     ("heads.safetensors", b""), ("heads.safetensors", b"\x80\x04."), ("config.json", b"{}"),
     ("model.safetensors", b"PK")],
)  # fmt: skip
def test_a_damaged_student_is_named(
    student: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / "student"
    shutil.copytree(student, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(EngineError, match=str(folder)):
        answers_of(EncoderEngine(folder), ["rolls"])


def test_heads_of_another_form_are_refused(student: Path, tmp_path: Path) -> None:
    folder = tmp_path / "student"
    shutil.copytree(student, folder)
    about = json.loads((folder / "form.json").read_text())
    about["form"]["fields"] = about["form"]["fields"][:1]
    (folder / "form.json").write_text(json.dumps(about))
    with pytest.raises(EngineError, match="holds no encoder"):
        answers_of(EncoderEngine(folder), ["rolls"])


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_one_that_ran_through(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    write_encoder(tmp_path / "base")
    rows = orders(60, 0)
    given = (tmp_path / "base", tmp_path / "whole", *rows, "json")
    assert program("running").run(trainer(*given, num_train_epochs=4)) == 0

    class KilledError(Exception):
        pass

    halted = (tmp_path / "base", tmp_path / "halted", *rows, "json")
    halting = trainer(*halted, num_train_epochs=4)
    step, steps = halting.training_step, []

    def killed(*given: Any, **named: Any) -> Any:
        steps.append(1)
        if len(steps) == 10:  # within the third epoch of four steps
            raise KilledError
        return step(*given, **named)

    halting.training_step = killed
    with pytest.raises(KilledError):
        program("running").run(halting)
    assert (tmp_path / "halted" / "checkpoint-8").is_dir()
    assert program("running").run(trainer(*halted, num_train_epochs=4)) == 0

    names = ("whole", "halted")
    whole, again = (load_file(tmp_path / name / "model.safetensors") for name in names)
    assert all((whole[name] == again[name]).all() for name in whole)
    read, anew = (json.loads((tmp_path / name / "training.json").read_text()) for name in names)
    assert anew["steps"] == read["steps"] == 16
    assert anew["tokens"] == read["tokens"] > 0
    assert not list((tmp_path / "halted").glob("checkpoint-*"))
