"""What an evaluator reads off the task's own rows: the decimal mark, the room of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ladder.climb.opening import open_bench
from ladder.evidence import Candidate
from ladder.inference.prompts import answer_tokens, request_for
from ladder.language.tokens import most_tokens
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.task import load_task


def bench_of(folder: Path, targets: list[str], score: str, kind: str) -> Bench:
    """Open a task at an endpoint that nothing is sent to."""
    for name, count in (("train", 30), ("test", 90)):
        rows = (
            {"input": f"{name} {at * 7919} 的问题", "target": targets[at % len(targets)]}
            for at in range(count)
        )
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    documents = ({"id": f"d{at}", "text": f"第{at}份文件，" + "漢字" * 400} for at in range(30))
    (folder / "documents.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in documents))
    files = {name: f"{name}.jsonl" for name in ("train", "test", "documents")}
    values = {
        "name": "mark",
        "goal": "回答问题。",
        "data": files,
        "answer": {"type": kind, "max_tokens": 4096},
        "score": score,
        "gate": {"min_score": 0.5},
        "models": {"base": "openai:far@http://127.0.0.1:9/v1"},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(values))
    return open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())


@pytest.mark.parametrize(
    ("targets", "value"), [(["23,0 %", "1.234"], 1.0), (["23.0 %", "7"], 0.0), (["7"], 0.0)]
)
def test_the_decimal_mark_is_that_of_all_targets(
    tmp_path: Path, targets: list[str], value: float
) -> None:
    bench = bench_of(tmp_path, targets, "number", "number")
    ((_, scorer),) = bench.evaluator.scorers
    assert scorer("1.234 Stück", "1234").value == value


def test_an_answer_in_any_script_has_room_behind_an_endpoint(tmp_path: Path) -> None:
    answer = "秋岁收的仓库位于北京，每周一至周五营业。"
    bench = bench_of(tmp_path, [answer], "exact_match", "text")
    base = bench.task.models.base
    engine = bench.evaluator.models.engine(base)
    candidate = Candidate(rung="prompt", description="chat", model=base, form="chat")
    assert answer_tokens(bench.evaluator, candidate, engine) >= len(answer.encode())


def test_documents_in_any_script_fit_the_context(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, ["答"], "exact_match", "text")
    base = bench.task.models.base
    engine = bench.evaluator.models.engine(base)
    candidate = Candidate(
        rung="rag",
        description="many documents",
        model=base,
        form="chat",
        retrieval={"source": "documents", "k": 30},
    )
    sample = bench.data.gate[0]
    request = request_for(bench.evaluator, candidate, sample, engine)
    text = "".join(content for _, content in request.messages)
    assert "漢字" in text
    assert most_tokens(text) + request.max_tokens <= engine.abilities.context
