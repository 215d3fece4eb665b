"""A certified answer that shows training examples goes on with its own, whatever the files hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from benches import saying
from engines.faulty_server import FaultyServer
from lifecycle.two_systems import LABELS, knows, row, write_task

from ladder.climb.opening import open_bench
from ladder.errors import StateError, TaskError
from ladder.evaluation.measure import measure
from ladder.evidence import Attempt, Candidate, Retrieval, RevalidationPlan
from ladder.files import file_digest, write_json_lines
from ladder.lifecycle.own_rows import FILE, kept_rows, reads_rows
from ladder.lifecycle.plan import load_plan, make_plan
from ladder.lifecycle.release import Terms, check_release
from ladder.lifecycle.revalidate import revalidate
from ladder.progress import Quiet
from ladder.samples.rows import Sample
from ladder.task import load_task

SEARCHED = Retrieval(source="examples", k=2)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with saying(lambda seen: knows(seen.question)) as found:
        yield found


def candidate(**more: object) -> Candidate:
    values = {"rung": "rag", "description": "x", "model": "openai:old@http://127.0.0.1:1/v1"}
    return Candidate.model_validate({**values, **more})


@pytest.mark.parametrize(
    ("asked", "reads"),
    [
        (None, True),
        (candidate(), False),
        (candidate(shots=("r1",)), True),
        (candidate(retrieval=SEARCHED), True),
        (candidate(retrieval=SEARCHED.but(source="both")), True),
        (candidate(retrieval=SEARCHED.but(source="documents")), False),
        (candidate(retrieval=SEARCHED.but(source="documents", narrow=True)), True),
    ],
)
def test_who_reads_training_examples(asked: Candidate | None, reads: bool) -> None:
    assert reads_rows(asked) is reads


def taught(folder: Path, turned: bool) -> None:
    """Write training examples, of which each bears its label or the other one."""
    rows = [row(number) for number in range(10_000, 10_040)]
    if turned:
        rows = [{**each, "target": LABELS[1 - LABELS.index(each["target"])]} for each in rows]
    (folder / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def certified(task: Path, runs: str) -> Path:
    """The plan of a prompt that shows two training examples, and of one more that it finds."""
    bench = open_bench(load_task(task), task.parent / runs, Quiet())
    shown = Candidate(
        rung="rag",
        description=runs,
        model=load_task(task).models.base,
        form="chat",
        shots=tuple(each.id for each in bench.data.train[:2]),
        retrieval=SEARCHED,
    )
    measured, verdict, _ = measure(bench.evaluator, shown, bench.data.gate, all_rows=True)
    attempt = Attempt(
        rung="rag", status="passed", candidate=shown, measurement=measured, verdict=verdict
    )
    bench.folder.mkdir(parents=True, exist_ok=True)
    path = bench.folder / "revalidation.yaml"
    path.write_text(make_plan(bench, attempt, measured.score), encoding="utf-8")
    bench.evaluator.models.cache.close()
    return path


def shown_in(server: FaultyServer) -> set[str]:
    """The turns that a server was told as examples of its own answers, with their questions."""
    found = set()
    for seen in server.seen:
        turns = seen.payload.get("messages", [])
        for asked, said in pairwise(turns):
            if said["role"] == "assistant":
                found.add((asked["content"], said["content"]))
    return found


def task_in(folder: Path, server: FaultyServer, rows: int) -> Path:
    """Write a task whose training examples bear their labels."""
    taught(folder, turned=False)
    data = {"train": "train.jsonl", "test": "test.jsonl"}
    return write_task(folder, server.url, rows, data=data)


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Also one with signs that some take for the end of a line."""
    rows = [Sample("a", "one\u2028two\x85three\x0bfour\x1cfive\r\nsix", "x", ("y", "z"), group="g")]
    rows += [Sample("b", "", "")]
    file = tmp_path / "rows.jsonl"
    write_json_lines(file, map(asdict, rows))
    assert kept_rows(file, file_digest(file), "rows", "changed") == tuple(rows)
    with pytest.raises(StateError, match=r"rows\.jsonl: changed"):
        kept_rows(file, "0" * 64, "rows", "changed")


@pytest.mark.slow
def test_the_examples_that_are_shown_are_those_of_the_certification(
    tmp_path: Path, server: FaultyServer
) -> None:
    task = task_in(tmp_path, server, 80)
    plan = certified(task, "old")
    assert load_plan(plan).train is not None
    rows = [json.loads(line) for line in (plan.parent / FILE).read_text().splitlines()]
    assert rows
    right = {(each["input"], each["target"]) for each in rows}
    taught(tmp_path, turned=True)
    later = certified(task, "new")
    server.seen.clear()
    found = revalidate(plan, Quiet())
    assert found.findings == ()
    assert shown_in(server) <= right
    assert shown_in(server)
    server.seen.clear()
    check_release(later, plan, Quiet(), Terms(margin=0.2))
    wrong = shown_in(server) - right
    assert wrong, "the candidate shows the rows of its own certification"
    assert shown_in(server) - wrong, "and the champion those of its own"


def test_a_plan_that_kept_none_is_refused_where_the_rows_have_changed(
    tmp_path: Path, server: FaultyServer
) -> None:
    task = task_in(tmp_path, server, 30)
    plan = certified(task, "old")
    values = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump({**values, "train": None}))
    assert RevalidationPlan.model_validate(values).train
    taught(tmp_path, turned=True)
    later = certified(task, "new")
    with pytest.raises(TaskError, match=r"other rows \(data: train\) than those of"):
        check_release(later, plan, Quiet(), Terms())
