"""`ladder synth`: who is shown what, what is sieved out, and who may train on the rest."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from benches import saying
from conftest import ROOT, ladder
from engines.faulty_server import Seen

from ladder.climb.opening import open_bench
from ladder.engines.base import Completion, Request
from ladder.engines.replay import record
from ladder.errors import DataError, TaskError
from ladder.evidence import SyntheticRecord
from ladder.inference.prompts import request_for
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.samples.reading import read_rows
from ladder.samples.rows import Sample
from ladder.samples.synthetic import record_path, refuse_unproven
from ladder.selection.proving import learning_rows, proving_rows
from ladder.synthesis.filters import answerer
from ladder.synthesis.synth import describe, synthesise
from ladder.synthesis.writing import drafts
from ladder.task import ModelRef, Task, load_task

LETTERS = random.Random(0)
WORDS = {
    label: ["".join(LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(300)]
    for label in ("ferry", "bakery")
}
"""Label -> the words that its notes are made of; nobody else's."""


def sentences(label: str, count: int, seed: int, words: int = 7) -> list[str]:
    draw = random.Random(f"{label}{seed}")
    return [
        " ".join(draw.choices(WORDS[label], k=words)) + f" number{seed}{at}" for at in range(count)
    ]


def written(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    text = "".join(json.dumps({"id": f"{name}-{at}"} | row) + "\n" for at, row in enumerate(rows))
    (folder / f"{name}.jsonl").write_text(text)


def task_in(folder: Path, **more: object) -> Task:
    """Return a label task with few training examples, and held-out examples of the same words."""
    for name, count, seed in (("train", 10, 1), ("test", 100, 2)):
        rows = [
            {"input": text, "target": label}
            for label in WORDS
            for text in sentences(label, count, seed)
        ]
        written(folder, name, rows)
    return task_of(folder, **more)


def task_of(folder: Path, **more: object) -> Task:
    values = {
        "name": "sorted",
        "goal": "Sort the note.",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label"},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
        "rules": {"data_may_leave": True},
        **more,
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(values))
    return load_task(folder / "task.yaml")


def is_writing(request: Seen) -> bool:
    return "Write one more text" in request.payload["messages"][0]["content"]


def asked_label(request: Seen) -> str:
    return request.question.rsplit("Label: ", 1)[1].split("\n")[0]


def label_of(text: str) -> str:
    return max(WORDS, key=lambda label: sum(word in text for word in WORDS[label]))


def speaking(invent: Callable[[str, int], str]) -> Callable[[Seen], str]:
    """Return a teacher that invents inputs, and answers by the words that it reads."""

    def speak(request: Seen) -> str:
        if is_writing(request):
            return invent(asked_label(request), int(request.payload["seed"]))
        return label_of(request.question)

    return speak


def fresh(label: str, draw: int) -> str:
    return sentences(label, 1, 1000 + draw)[0]


def teacher(url: str) -> dict[str, str]:
    return {"teacher": f"openai:tiny@{url}"}


def run(task: Task, folder: Path, count: int = 20, **more: object) -> tuple[SyntheticRecord, Path]:
    watch = more.pop("watch", Quiet())
    return synthesise(task, count, folder / "s.jsonl", folder / "runs", watch, **more)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# What is shown, and what is written


@pytest.mark.slow
def test_only_training_rows_are_ever_shown(tmp_path):
    with saying(speaking(fresh)) as server:
        task = task_in(tmp_path, models=teacher(server.url))
        run(task, tmp_path, 30)
        said = "\n".join(json.dumps(request.payload["messages"]) for request in server.seen)
    bench = open_bench(task, tmp_path / "other", Quiet())
    data = bench.data
    assert any(row.input in said for row in data.train)
    held = (*data.dev, *data.gate, *data.sealed, *data.reserve)
    assert len(held) > 150
    assert [row.id for row in held if row.input in said] == []


def test_each_label_is_asked_for_in_turn_after_its_own_examples(tmp_path):
    with saying(speaking(fresh)) as server:
        task = task_in(tmp_path, models=teacher(server.url))
        bench = open_bench(task, tmp_path / "runs", Quiet())
        found = drafts(bench, bench.evaluator.models.engine(task.models.teacher), 10)
    assert sorted(draft.kind for draft in found) == ["bakery"] * 5 + ["ferry"] * 5
    for draft in found:
        own = [row.target == draft.kind for row in draft.shown]
        assert own == [False, False, True, True, True, True]
    assert len({tuple(row.id for row in draft.shown) for draft in found}) > 5


def test_a_row_says_where_it_comes_from_and_is_a_row_of_the_task(tmp_path):
    with saying(speaking(fresh)) as server:
        task = task_in(tmp_path, models=teacher(server.url))
        found, path = run(task, tmp_path)
    row = lines(path)[0]
    assert set(row) == {"id", "input", "target", "meta"}
    assert set(row["meta"]) == {"teacher", "prompt_digest", "seed", "draw"}
    assert row["meta"]["seed"] == task.seed
    assert found.counts.kept == len(lines(path)) == 20
    as_train = task.model_copy(update={"data": task.data.model_copy(update={"train": path.name})})
    assert len(read_rows(as_train).train) == 20


def test_the_users_own_column_names_are_kept(tmp_path):
    with saying(speaking(fresh)) as server:
        task_in(tmp_path)
        for name in ("train", "test"):
            rows = lines(tmp_path / f"{name}.jsonl")
            written(tmp_path, name, [{"note": r["input"], "kind": r["target"]} for r in rows])
        columns = {"input": "note", "target": "kind"}
        data = {"train": "train.jsonl", "test": "test.jsonl", "columns": columns}

        def speak(request: Seen) -> str:
            if is_writing(request):
                label = request.question.rsplit("Kind: ", 1)[1].split("\n")[0]
                return fresh(label, int(request.payload["seed"]))
            return label_of(request.question)

        server.script = saying(speak).script
        _, path = run(task_of(tmp_path, data=data, models=teacher(server.url)), tmp_path)
    assert set(lines(path)[0]) == {"id", "note", "kind", "meta"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    with saying(speaking(fresh)) as server:
        found = {}
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            folder = tmp_path / name
            folder.mkdir()
            _, path = run(task_in(folder, models=teacher(server.url), seed=seed), folder)
            found[name] = path.read_bytes(), record_path(path).read_bytes()
    assert found["a"] == found["b"]
    assert found["a"][0] != found["c"][0]


class Killed(Quiet):
    """Ctrl-C after so many completions."""

    def __init__(self, title: str, after: int) -> None:
        self.title, self.after = title, after

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        def advance(done: int, note: str = "") -> None:
            if title == self.title and done == self.after:
                raise KeyboardInterrupt

        yield advance


@pytest.mark.slow
@pytest.mark.parametrize("step", ["writing inputs", "checking the answers"])
def test_a_killed_run_asks_nothing_twice(tmp_path, step):
    with saying(speaking(fresh)) as server:
        task = task_in(tmp_path, models=teacher(server.url))
        with pytest.raises(KeyboardInterrupt):
            run(task, tmp_path, watch=Killed(step, 7))
        assert not list(tmp_path.glob("s.*"))
        kept = open_bench(task, tmp_path / "runs", Quiet()).evaluator.models.cache
        before = len(kept._run("SELECT key FROM kept WHERE value LIKE '%tokens_out%'", ()))
        assert before >= 7
        asked = len(server.seen)
        run(task, tmp_path)
        assert len(server.seen) - asked == 2 * 20 - before
        asked = len(server.seen)
        run(task, tmp_path)
        assert len(server.seen) == asked


# What is sieved out


@pytest.mark.slow
def test_every_row_is_counted_where_it_is_lost(tmp_path):
    bench = open_bench(task_in(tmp_path), tmp_path / "other", Quiet())
    known, gate, sealed = bench.data.train[0], bench.data.gate[0], bench.data.sealed[0]
    other = {"ferry": "bakery", "bakery": "ferry"}
    told: dict[int, Callable[[str], str]] = {
        0: lambda label: " ",
        1: lambda label: "...",
        2: lambda label: f"one note Label: {label}",
        3: lambda label: known.input.upper(),
        5: lambda label: gate.input,
        6: lambda label: f"it was said that {sealed.input} and more such things",
        7: lambda label: fresh(other[label], 7),
        10: lambda label: fresh(label, 4),  # as draw 4, which asks for the same label
    }

    def invent(label: str, draw: int) -> str:
        return told[draw](label) if draw in told else fresh(label, draw)

    with saying(speaking(invent)) as server:
        task = task_of(tmp_path, models=teacher(server.url))
        found, path = run(task, tmp_path, 20)
    assert found.counts.model_dump() == {
        "asked": 20,
        "unanswered": 1,
        "form": 2,
        "duplicates": 2,
        "held_out": 2,
        "disagreed": 1,
        "kept": 12,
    }
    lost = {f"synth-{draw}" for draw in told}
    assert {row["id"] for row in lines(path)} == {f"synth-{at}" for at in range(20)} - lost
    assert describe(found, path, task)[0] == (
        "asked for 20 rows, kept 12: 1 not answered, 2 empty or of a broken form, 2 "
        "near-duplicates of training examples or of each other, 2 too near held-out examples, 1 "
        "whose "
        "answer was not agreed upon"
    )


@pytest.mark.slow
def test_errors_are_no_rows(tmp_path):
    from engines.faulty_server import failing

    with saying(speaking(fresh)) as server:
        good = server.script
        server.script = lambda seen: (
            failing(400) if is_writing(seen) and seen.payload["seed"] < 5 else good(seen)
        )
        found, _ = run(task_in(tmp_path, models=teacher(server.url)), tmp_path)
    assert (found.counts.unanswered, found.counts.kept) == (5, 15)


def test_a_number_is_kept_where_two_answers_agree(tmp_path):
    rows = [{"input": f"What is {a} plus {a + 3}, my friend?", "target": str(2 * a + 3)}
            for a in range(1, 180)]  # fmt: skip
    written(tmp_path, "examples", rows)

    def speak(request: Seen) -> str:
        draw = int(request.payload.get("seed", 0))
        if is_writing(request):
            return f"Question {draw}: what do {draw} crates and {draw * draw} boxes come to?"
        if "Question " not in request.question:
            return "7"  # a dev example
        asked = int(request.question.rsplit("Question ", 1)[1].split(":")[0])
        if asked == 3:
            return "nobody knows"
        return str(asked + draw) if asked in (4, 5) else str(asked * 10)

    with saying(speak) as server:
        task = task_of(
            tmp_path, data={"examples": "examples.jsonl"}, answer={"type": "number"},
            score="number", models={"base": f"openai:tiny@{server.url}"},
        )  # fmt: skip
        found, path = run(task, tmp_path, 12)
    assert (found.counts.form, found.counts.disagreed) == (1, 2)
    assert {row["id"]: row["target"] for row in lines(path)}["synth-6"] == "60"
    assert "answers twice alike" in found.check
    assert "nearest training examples" in found.measured
    assert found.gain.n > 20
    assert found.gain.claim == "no difference proven"


# Plain prompts and scored labels, as a model on this machine is asked


@pytest.mark.slow
def test_a_plain_teacher_is_asked_in_plain_form_and_scores_the_labels(tmp_path):
    (tmp_path / "recorded.jsonl").write_text("")
    task = task_in(tmp_path, models={"teacher": "replay:recorded.jsonl"})
    bench = open_bench(task, tmp_path / "other", Quiet())
    engine = bench.evaluator.models.engine(ModelRef("replay:recorded.jsonl"))
    asked = drafts(bench, engine, 6)
    assert all(d.request.text.endswith(f"Label: {d.kind}\nText:") for d in asked)
    assert {d.request.stop for d in asked} == {("\n",)}
    texts = [fresh(draft.kind, draft.number) for draft in asked]
    pairs = [(d.request, Completion(text=f" {t}")) for d, t in zip(asked, texts, strict=True)]
    cut = asked[5].request
    pairs[5] = (cut, Completion(text=f" {texts[5]}", tokens_out=cut.max_tokens, cut=True))
    pairs += scored(bench, [Sample(f"synth-{at}", text, "") for at, text in enumerate(texts)])
    record(tmp_path / "recorded.jsonl", pairs)
    found, path = run(task, tmp_path, 6)
    assert (found.counts.kept, found.counts.form, found.counts.unanswered) == (5, 1, 0)
    assert [row["input"] for row in lines(path)] == texts[:5]
    assert "gives the label asked for" in found.check


def scored(bench: Bench, rows: list[Sample]) -> list[tuple[Request, Completion]]:
    candidate = answerer(bench, ModelRef("replay:recorded.jsonl"))
    assert (candidate.form, candidate.decoding) == ("plain", "scored")
    engine = bench.evaluator.models.engine(ModelRef("replay:recorded.jsonl"))
    requests = [request_for(bench.evaluator, candidate, row, engine) for row in rows]
    found = []
    for request, row in zip(requests, rows, strict=True):
        likely = [-float(choice != label_of(row.input)) for choice in request.choices]
        found.append((request, Completion(choice_logprobs=tuple(likely))))
    return found


# Whether they help, and who may train on them


@pytest.fixture(scope="module")
def helped(tmp_path_factory) -> Path:
    """A task whose few examples show few of the words, and whose teacher knows them all."""
    folder = tmp_path_factory.mktemp("helped")
    for name, seed in (("train", 1), ("test", 2)):
        rows = [
            {"input": text, "target": label}
            for label in WORDS
            for text in sentences(label, 60, seed, words=2)
        ]
        written(folder, name, rows)
    with saying(speaking(fresh)) as server:
        task = task_of(folder, models=teacher(server.url))
        found, path = run(task, folder, 120)
    assert found.accepted, found.reason
    assert path.name == "s.jsonl"
    assert found.gain.low > 0
    assert found.scores[0] > found.scores[1]
    return folder


def using(folder: Path, **more: object) -> Task:
    data = {"train": "train.jsonl", "test": "test.jsonl", "synthetic": "s.jsonl"}
    return task_of(folder, data=data, **more)


def copied(source: Path, folder: Path) -> Path:
    for path in source.glob("*.json*"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_accepted_rows_join_the_training_rows_and_no_others(helped, tmp_path):
    with_them = open_bench(using(copied(helped, tmp_path)), tmp_path / "runs", Quiet())
    without = open_bench(task_of(tmp_path), tmp_path / "runs", Quiet())
    for name in ("dev", "gate", "sealed", "reserve"):
        assert getattr(with_them.data, name) == getattr(without.data, name)
    assert with_them.data.observed == without.data.train
    added = with_them.data.train[len(without.data.train) :]
    assert len(added) > 50
    assert all(row.id.startswith("synth-") for row in added)
    chosen_by = [*proving_rows(with_them.evaluator), *learning_rows(with_them.evaluator)]
    assert not [row.id for row in chosen_by if row.id.startswith("synth-")]


@pytest.mark.slow
def test_check_counts_them(helped, tmp_path):
    using(copied(helped, tmp_path), models={})
    shown = ladder("check", tmp_path / "task.yaml")
    assert shown.returncode == 0, shown.stderr
    assert "of them synthetic" in shown.stdout


@pytest.mark.slow
def test_rows_that_bring_nothing_are_refused_by_name_and_by_the_task(tmp_path):
    """The training examples say it all already: there is nothing to gain."""
    rows = [{"input": t, "target": one} for one in WORDS for t in sentences(one, 90, 1, words=90)]
    written(tmp_path, "examples", rows)
    data = {"examples": "examples.jsonl"}
    with saying(speaking(fresh)) as server:
        task = task_of(tmp_path, data=data, models=teacher(server.url))
        found, path = run(task, tmp_path)
    assert not found.accepted
    assert path.name == "s.refused.jsonl"
    assert found.counts.kept == len(lines(path)) > 0
    assert "no gain proven" in found.reason
    assert not (tmp_path / "s.jsonl").exists()
    for name in ("s.refused.jsonl", "renamed.jsonl"):
        (tmp_path / name).write_bytes(path.read_bytes())
        record_path(tmp_path / name).write_bytes(record_path(path).read_bytes())
        naming = task_of(tmp_path, data={**data, "synthetic": name})
        with pytest.raises(TaskError, match=r"refused .no gain proven.*ladder synth"):
            open_bench(naming, tmp_path / "runs", Quiet())


@pytest.mark.slow
def test_no_row_left_is_a_refusal(tmp_path):
    with saying(speaking(lambda label, draw: "...")) as server:
        found, path = run(task_in(tmp_path, models=teacher(server.url)), tmp_path)
    assert (found.accepted, found.reason, found.gain) == (False, "no row was left", None)
    assert path.read_text() == ""


def test_a_file_that_was_changed_afterwards_is_refused(helped, tmp_path):
    task = using(copied(helped, tmp_path))
    refuse_unproven(task)
    path = tmp_path / "s.jsonl"
    path.write_text(path.read_text().replace('"ferry"', '"bakery"', 1))
    with pytest.raises(TaskError, match=r"changed after s.record.json.*ladder synth"):
        refuse_unproven(task)


def test_a_file_without_a_record_or_of_another_task_is_refused(helped, tmp_path):
    task = using(copied(helped, tmp_path))
    with pytest.raises(TaskError, match="task `sorted`"):
        refuse_unproven(using(tmp_path, name="other"))
    record_path(tmp_path / "s.jsonl").write_text("{}")
    with pytest.raises(TaskError, match="ladder synth"):
        refuse_unproven(task)
    record_path(tmp_path / "s.jsonl").unlink()
    with pytest.raises(TaskError, match="ladder synth"):
        open_bench(task, tmp_path / "runs", Quiet())


def test_a_held_out_row_that_came_later_is_noticed(helped, tmp_path):
    task = using(copied(helped, tmp_path))
    planted = lines(tmp_path / "s.jsonl")[3]
    with (tmp_path / "test.jsonl").open("a") as file:
        late = {"id": "late", "input": planted["input"].upper(), "target": planted["target"]}
        file.write(json.dumps(late) + "\n")
    with pytest.raises(
        DataError, match=f"{planted['id']}: got nearly what the held-out example late"
    ):
        open_bench(task, tmp_path / "runs", Quiet())


def test_a_label_that_the_task_has_no_more_is_named(helped, tmp_path):
    copied(helped, tmp_path)
    for name in ("train", "test"):
        rows = tmp_path / f"{name}.jsonl"
        rows.write_text(rows.read_text().replace('"ferry"', '"ship"'))
    with pytest.raises(DataError, match="the target `ferry`"):
        open_bench(using(tmp_path), tmp_path / "runs", Quiet())


@pytest.mark.slow
def test_the_tasks_own_synthetic_rows_take_no_part_in_writing_more(helped, tmp_path):
    copied(helped, tmp_path)
    with saying(speaking(fresh)) as server:
        task = using(tmp_path, models=teacher(server.url))
        synthesise(task, 10, tmp_path / "more.jsonl", tmp_path / "runs", Quiet())
        said = "\n".join(request.question for request in server.seen if is_writing(request))
    old = [str(row["input"]) for row in lines(tmp_path / "s.jsonl")]
    assert not [text for text in old if text in said]


def test_too_few_training_rows_are_said(tmp_path):
    rows = [{"input": text, "target": one} for one in WORDS for text in sentences(one, 3, 1)]
    written(tmp_path, "train", rows)
    rows = [{"input": text, "target": one} for one in WORDS for text in sentences(one, 50, 2)]
    written(tmp_path, "test", rows)
    with pytest.raises(DataError, match="at least 8"):
        run(task_of(tmp_path), tmp_path)


def test_a_way_to_measure_that_does_not_fit_is_refused_before_anything_is_asked(tmp_path):
    written(
        tmp_path, "examples", [{"input": t, "target": t[::-1]} for t in sentences("ferry", 60, 1)]
    )
    with saying(speaking(fresh)) as server:
        models = {"base": f"openai:tiny@{server.url}"}
        task = task_of(tmp_path, data={"examples": "examples.jsonl"}, answer={}, models=models)
        for way, why in (("linear", "without two labels"), ("lora", "too few to train on")):
            with pytest.raises(TaskError, match=why):
                run(task, tmp_path, way=way)
        assert not server.seen


def test_a_file_of_the_users_is_not_written_over(tmp_path):
    with saying(speaking(fresh)) as server:
        task = task_in(tmp_path, models=teacher(server.url))
        before = (tmp_path / "train.jsonl").read_bytes()
        with pytest.raises(TaskError, match="did not write"):
            synthesise(task, 10, tmp_path / "train.jsonl", tmp_path / "runs", Quiet())
        assert not server.seen
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_a_file_that_is_not_there_yet_names_the_command_that_writes_it(tmp_path):
    task_in(tmp_path)
    with pytest.raises(TaskError, match="run `ladder synth`"):
        using(tmp_path)


@pytest.mark.slow
def test_the_command_line_refuses_what_it_does_not_know(tmp_path):
    task_in(tmp_path)
    for words, said in ((("--measure", "guess"), "lora"), (("--out", "rows.csv"), ".jsonl")):
        done = ladder("synth", tmp_path / "task.yaml", *words)
        assert done.returncode == 2
        assert said in done.stderr


@pytest.mark.parametrize(
    ("way", "adapters"),
    [
        pytest.param("rag", 0, marks=pytest.mark.slow),
        pytest.param("lora", 2, marks=pytest.mark.long),
    ],
)
def test_a_model_on_this_machine_measures_the_gain(tmp_path, tiny, way, adapters):
    task_in(tmp_path)
    train = lines(tmp_path / "train.jsonl") + [
        {"input": text, "target": label} for label in WORDS for text in sentences(label, 30, 7)
    ]
    written(tmp_path, "train", train)
    with saying(speaking(fresh)) as server:
        task = task_of(tmp_path, models={"base": f"hf:{tiny}", **teacher(server.url)})
        found, path = run(task, tmp_path, 12, way=way)
    assert found.counts.kept == len(lines(path)) == 12
    assert found.gain.n > 25
    trained = list((tmp_path / "runs" / "artefacts").glob("*/training.json"))
    rows = sorted(json.loads(one.read_text())["rows"] for one in trained)
    assert len(rows) == adapters
    assert not rows or rows[1] - rows[0] == 12


@pytest.mark.long
def test_the_bundled_model_writes_rows_of_its_own(tmp_path, smollm):
    task = load_task(ROOT / "evalsets" / "r1_guest_feedback" / "task.yaml")
    found, path = run(task, tmp_path, 12)
    assert found.counts.kept == len(lines(path)) > 0
    assert found.counts.unanswered == 0
    assert found.accepted == (path.name == "s.jsonl")
    assert {row["target"] for row in lines(path)} <= {"positive", "negative"}
