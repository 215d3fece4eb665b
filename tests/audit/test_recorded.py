"""What is written while a climb goes on: looks, readings of the test set, and trainings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benches import bench_at, bench_over, chat, saying, task_with

from ladder.audit.keys import make_keys, public_keys
from ladder.audit.ledger import LEDGER, begin, read_ledger
from ladder.audit.signing import STATEMENT, payload_of
from ladder.audit.statements import PROVENANCE
from ladder.audit.training import note_training, statement_of
from ladder.audit.verify import verify
from ladder.evaluation.confirm import confirm
from ladder.evaluation.measure import measure
from ladder.evidence import LedgerRecord, Passport
from ladder.samples.data import Data
from ladder.samples.rows import Sample

ROWS = tuple(Sample(id=f"s{at}", input=f"question {at}", target="yes") for at in range(40))


def records(folder: Path, kind: str) -> list[LedgerRecord]:
    found = read_ledger(folder / LEDGER, public_keys(())).records
    return [record for record in found if record.kind == kind]


def test_each_look_is_written_with_the_rows_and_the_verdict_by_then(tmp_path):
    make_keys("machine")
    begin(tmp_path)
    with saying(lambda _: "yes") as server:
        bench = bench_at(server.url, tmp_path, ROWS)
        measured, verdict, _ = measure(bench.evaluator, chat(bench), bench.data.gate)
        bench.evaluator.models.cache.close()
    looks = records(tmp_path, "look")
    assert [look.facts["rows"] for look in looks] == list(measured.looks)
    assert looks[-1].facts["verdict"] == "pass" == verdict.status
    assert len({look.digests["eval set"] for look in looks}) == 1
    assert "question" not in (tmp_path / LEDGER).read_text(), "no row stands in the ledger"


def test_a_reading_of_the_test_set_is_written_before_it_is_read(tmp_path):
    make_keys("machine")
    begin(tmp_path)
    task = task_with(score="contains", models={"base": "openai:tiny@http://127.0.0.1:9/v1"})
    seen = []
    with saying(
        lambda _: seen.append(len(records(tmp_path, "test set opened"))) or "yes"
    ) as server:
        task = task.with_models(base=f"openai:tiny@{server.url}")
        bench = bench_over(task, Data((), (), (), ROWS), tmp_path)
        found, _ = confirm(bench.evaluator, chat(bench))
        bench.evaluator.models.cache.close()
    assert found.openings == 1
    assert set(seen) == {1}


def test_a_training_leaves_its_provenance_once(tmp_path):
    make_keys("machine")
    path = begin(tmp_path / "runs")
    folder = path.parent / "artefacts" / "lora-12ab"
    folder.mkdir(parents=True)
    (folder / "adapter.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text("a card")
    (folder / "rows.jsonl").write_text("{}")
    (folder / "train.log").write_text("loss 1")
    passport = Passport(
        ladder_version="9.9", created="2026-01-01T00:00:00+00:00", kind="adapter",
        parts={"weights": "ab" * 32}, base="bundled:m", base_folder="m",
        base_parts={"weights": "cd" * 32}, data="ef" * 32, recipe="lora",
        recipe_digests={"lora.yaml": "01" * 32}, versions={"python": "3.11"},
    )  # fmt: skip
    (folder / "passport.json").write_text(passport.model_dump_json())
    for _ in range(2):
        note_training(folder, passport)
    [record] = records(path.parent, "training")
    assert record.place == "artefacts"
    inside = ("adapter.safetensors", "passport.json", "rows.jsonl", "train.log")
    assert sorted(record.files) == ["lora-12ab.dsse.json", *(f"lora-12ab/{n}" for n in inside)]
    assert len(list(folder.iterdir())) == 5, "what an engine is known by stays as it was"
    content = statement_of(folder).read_bytes()
    told = payload_of(content, STATEMENT, public_keys(()))
    assert told["predicateType"] == PROVENANCE
    subject = {each["name"]: each["digest"]["sha256"] for each in told["subject"]}
    left = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in inside}
    rows, log = left.pop("rows.jsonl"), left.pop("train.log")
    assert subject == {"weights": "ab" * 32, **left}, "others match a subject by a file's sha256"
    run = told["predicate"]["runDetails"]
    assert run["metadata"] == {"finishedOn": "2026-01-01T00:00:00Z"}
    assert run["byproducts"] == [{"name": "train.log", "digest": {"sha256": log}}]
    made_of = told["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"name": "training examples", "digest": {"sha256": "ef" * 32}} in made_of
    assert {"name": "training examples: rows.jsonl", "digest": {"sha256": rows}} in made_of
    assert json.loads(content)["payloadType"] == "application/vnd.in-toto+json"
    (folder / "README.md").write_text("a card with figures")
    assert verify(path.parent, public_keys(())).faults == ()
    (folder / "adapter.safetensors").write_bytes(b"other weights")
    [said] = verify(path.parent, public_keys(())).faults
    assert "adapter.safetensors: the file was changed since record 2 (training of" in said
