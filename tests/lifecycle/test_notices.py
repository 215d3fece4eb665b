"""Which references are pinned snapshots, and how soon their models may go."""

from __future__ import annotations

import pytest

from ladder.lifecycle.notices import alias_fault, base_note, notice_of

OPENAI = "@https://api.openai.com/v1"
ELSEWHERE = "@https://models.example/v1"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "model",
    [
        "",
        "bundled:smollm2-135m",
        f"hf:org/name@{COMMIT}",
        "hf:/srv/models/mine",
        "hf:./mine",
        "head:student",
        f"openai:gpt-4o-2024-08-06{OPENAI}",
        f"openai:gpt-4-0613{OPENAI}",
        f"openai:claude-sonnet-4-5-20250929{ELSEWHERE}",
        f"openai:mistral-large-2411{ELSEWHERE}",
        f"openai:gemini-2.0-flash-001{ELSEWHERE}",
        f"openai:ft:gpt-4o-mini-2024-07-18:us::id{OPENAI}",
        "openai:whatever@http://127.0.0.1:8000/v1",
    ],
)
def test_a_pinned_snapshot(model: str) -> None:
    assert alias_fault(model) == ""


@pytest.mark.parametrize(
    "model",
    [
        f"openai:gpt-4o{OPENAI}",
        f"openai:gpt-4o-latest{OPENAI}",
        f"openai:gpt-4.1-mini{OPENAI}",
        f"openai:context-8192{ELSEWHERE}",
        f"openai:ft:gpt-4o-mini:us:run-2024-07-18:id{OPENAI}",
        f"openai:llama-3.1-70b{ELSEWHERE}",
        "hf:org/name",
        "hf:org/name@main",
        "hf:org/name@v1.0",
        f"hf:org/name@{COMMIT[:12]}",
    ],
)
def test_a_name_that_somebody_else_moves(model: str) -> None:
    assert model.split("@")[0] in alias_fault(model)


@pytest.mark.parametrize(
    ("model", "name", "days"),
    [
        ("", "own", None),
        ("bundled:m", "own", None),
        ("openai:m@http://localhost:1/v1", "own", None),
        (f"openai:gpt-4o-2024-08-06{OPENAI}", "general", 91),
        (f"openai:gpt-4o-audio-2024-12-17{OPENAI}", "specialised", 91),
        (f"openai:gpt-4.5-preview-2025-02-27{OPENAI}", "preview", 14),
        (f"openai:gpt-4o{OPENAI}", "alias", 14),
        (f"openai:m-2024-08-06{ELSEWHERE}", "unknown", 14),
    ],
)
def test_notice_classes(model: str, name: str, days: int | None) -> None:
    found = notice_of(model)
    assert (found.name, found.days) == (name, days)


def test_a_notice_that_was_seen_can_only_shorten() -> None:
    model = f"openai:gpt-4o-2024-08-06{OPENAI}"
    assert notice_of(model, 30).days == 30
    assert notice_of(model, 400).days == 91


def test_a_hosted_tune_dies_with_its_base() -> None:
    assert "gpt-4o-mini-2024-07-18" in base_note(f"openai:ft:gpt-4o-mini-2024-07-18:us::id{OPENAI}")
    assert base_note(f"openai:gpt-4o-2024-08-06{OPENAI}") == ""
    assert base_note("openai:ft:m:a::b@http://127.0.0.1:1/v1") == ""
