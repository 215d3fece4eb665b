"""The model card of an artefact whose names, fields and prompts are hostile."""

from __future__ import annotations

import ast

import pytest
import yaml
from harmful import HOSTILE, acting, headings, live, tokens

from ladder.artefacts.card import model_card
from ladder.evidence import Passport

RECORD = {
    "rows": 9, "steps": 3, "tokens": 100, "seconds": 5.0, "peak_memory_mb": 100.0,
    "loss_curve": [[1, 2.0], [3, 1.0]],
}  # fmt: skip


def passport(kind: str, text: str) -> Passport:
    named = {text: text}
    return Passport(
        ladder_version=text, created=text, kind=kind, parts=named, base=f"{text}@{text}",
        base_folder=text, base_parts=named, data=text, recipe=text, recipe_digests=named,
        overrides=named, prompt=f"{text}\n```\n{{input}}", versions=named,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["adapter", "encoder", "model", "head", "other"])
def test_nothing_in_a_card_acts(kind):
    text = HOSTILE.replace("\ud800", "")
    card = model_card(text, passport(kind, text), RECORD, text, [f"{text} on 9 rows"])
    assert not acting(card)
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == text
    assert headings(body)[1:] == [
        "How to load it", "What it was trained on", "How well it answers", "Limits",
    ]  # fmt: skip
    fences = [token for token in tokens(body) if token.type == "fence"]
    assert [fence.info for fence in fences] == ["python", "text"]
    assert {found for found in live(body) if not found.startswith("fence")} == set()
    calls = [node for node in ast.walk(ast.parse(fences[0].content)) if isinstance(node, ast.Call)]
    assert len(calls) <= 4  # the names that stand in the program are texts in it
