"""What a task's models are asked is counted, all of it, by what for."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines.faulty_server import FaultyServer
from small_tasks import write_task

from ladder.commands.assess import assess
from ladder.engines.local.engine import LocalEngine
from ladder.engines.speed import SMALL_MODEL_MB, probing_seconds
from ladder.evidence import Assessment
from ladder.files import digest_of
from ladder.models.cache import Cache
from ladder.models.models import Models
from ladder.progress import Quiet
from ladder.task import load_task


def row(split: str, number: int) -> dict[str, str]:
    word = digest_of([split, number])[:40]
    return {"input": " ".join(word[at : at + 5] for at in range(0, 40, 5)), "target": word}


@pytest.mark.slow  # measures the speed of a model
def test_what_is_measured_is_said_before_with_its_seconds_and_measured_once(
    tmp_path: Path, tiny: Path
) -> None:
    base = f"hf:{tiny}"
    task = load_task(write_task(tmp_path, row, 20, 20, score="contains", models={"base": base}))
    said: list[str] = []

    class Heard(Quiet):
        def say(self, text: str) -> None:
            said.append(text)

    cache = Cache(tmp_path / "completions.sqlite")
    speeds = [Models(task, cache, Heard()).speed() for _ in range(2)]
    assert speeds[0] == speeds[1]
    [line] = said
    assert line.startswith(f"measuring the speed of {base} here, once: for about ")
    assert 0 < probing_seconds(1) < probing_seconds(0) == probing_seconds(SMALL_MODEL_MB) < 60


@pytest.mark.slow
def test_all_that_a_server_is_asked_is_counted_and_again_where_it_is_kept(tmp_path: Path) -> None:
    found: list[Assessment] = []
    with FaultyServer() as server:
        base = f"openai:any@{server.url}"
        fields = {"score": "contains", "rungs": ["prompt", "rag"], "models": {"base": base}}
        task = load_task(write_task(tmp_path, row, 100, 150, **fields))
        for _ in range(2):
            assessment, _ = assess(task, tmp_path / "runs", Quiet())
            found.append(assessment)
            if len(found) == 1:
                seen = len(server.seen)
        assert len(server.seen) == seen  # all of it was kept
    first, again = (each.effort.by_purpose for each in found)
    assert sum(asked.calls for asked in first.values()) == seen
    assert {"greeting", "race", "measuring", "latency", "diagnosis"} <= set(first)
    answered = {purpose: asked for purpose, asked in first.items() if purpose != "greeting"}
    warm_ups = first["latency"].calls - again["latency"].calls  # these are not kept
    assert 0 < warm_ups <= 16
    for purpose, asked in answered.items():
        if purpose != "latency":
            assert again[purpose].calls == asked.calls, purpose
            assert again[purpose].tokens == asked.tokens, purpose


@pytest.mark.slow
def test_what_a_chat_template_takes_is_kept_until_its_files_change(
    tiny: Path, tmp_path: Path
) -> None:
    def opened() -> LocalEngine:
        engine = Models(task, cache, Quiet()).engine(base).engine
        assert isinstance(engine, LocalEngine)
        return engine

    base = f"hf:{tiny}"
    task = load_task(write_task(tmp_path, row, 10, 10, score="exact_match", models={"base": base}))
    cache = Cache(tmp_path / "runs" / "completions.sqlite")
    first, again = opened(), opened()
    assert "tokenizer" in vars(first)
    assert first.abilities.system
    assert (again.abilities, again.fingerprint()) == (first.abilities, first.fingerprint())
    assert "tokenizer" not in vars(again)  # a run whose answers are all kept loads nothing

    template = tiny / "chat_template.jinja"
    users = "{% for m in messages if m.role != 'system' %}{{ m.role + m.content }}{% endfor %}"
    template.write_text(users)
    changed = opened()
    assert not changed.abilities.system
    assert changed.fingerprint() != first.fingerprint()
    cache.close()
