"""Model references, taken apart."""

from __future__ import annotations

import pytest

from ladder.task import ModelRef


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("bundled:smollm2-135m", ("bundled", "smollm2-135m", None)),
        ("hf:org/model@main", ("hf", "org/model", "main")),
        ("openai:gpt@http://user@host:80/v1", ("openai", "gpt", "http://user@host:80/v1")),
    ],
)
def test_a_model_reference_falls_into_parts(
    reference: str, parts: tuple[str, str, str | None]
) -> None:
    found = ModelRef(reference)
    assert (found.kind, found.name, found.place) == parts
    assert found == reference


def test_a_model_reference_without_a_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind:name, e"):
        ModelRef("smollm2")
