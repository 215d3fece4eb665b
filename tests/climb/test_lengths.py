"""What `ladder check` says of rows and answers that are too long."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_tasks import write_task

from ladder.commands.check import check_task


def said(folder: Path, target: str, words: int = 5, **answer: object) -> str:
    """Return what check says of rows whose inputs have so many words, all of them their own."""
    path = write_task(
        folder,
        lambda name, n: {
            "input": " ".join(f"{name}{n * 7919 + word * 104729}" for word in range(words)),
            "target": f"{target} {n}",
        },
        *(20, 60),
        answer={"type": "text", **answer},
        score="token_f1",
        gate={"min_score": 0.5, "when_undecided": "lean"},
    )
    return "\n".join(check_task(path, None))


@pytest.mark.slow
def test_targets_beyond_the_limit_are_counted_and_the_limit_that_would_do_is_named(tmp_path):
    lines = said(tmp_path, "a long way down the road " * 20, max_tokens=64)
    assert "80 of 80 targets have more tokens than answer.max_tokens: 64" in lines
    assert "Write max_tokens: " in lines
    wanted = int(lines.split("Write max_tokens: ")[1].split()[0])
    assert "targets have more tokens" not in said(
        tmp_path, "a long way down the road " * 20, max_tokens=wanted
    )


def test_without_a_limit_of_the_tasks_none_is_too_short(tmp_path):
    assert "targets have more tokens" not in said(tmp_path, "a long way down the road " * 20)


@pytest.mark.slow
def test_inputs_beyond_the_context_are_counted(tmp_path):
    lines = said(tmp_path, "yes", 1500)
    assert "80 of 80 inputs do not fit the model's context of" in lines
    assert "inputs do not fit" not in said(tmp_path, "yes")
