"""`ladder init` on files as people have them: what it infers, asks, refuses and writes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from conftest import ROOT, ladder

from ladder.commands.check import check_task
from ladder.commands.init import init_from_rows
from ladder.commands.proposal import Talk, Wishes
from ladder.errors import Problem, ProblemsError
from ladder.progress import Quiet
from ladder.samples.loading import load_data
from ladder.samples.reading import read_rows
from ladder.samples.rows import Sample
from ladder.samples.splits import all_samples
from ladder.task import Task, load_task

SPOKEN = """
amber anchor apple arrow autumn basin beacon birch blanket bottle bridge
butter cabin candle canyon carpet castle cedar cherry circle clover coffee
copper corner cotton crystal dancer desert dinner dragon drawer engine falcon
feather fiddle forest garden ginger glacier hammer harbour hazel helmet honey
island jacket jungle kettle ladder lantern lemon magnet maple marble meadow
mirror morning mountain needle ocean orchard oyster paper pebble pepper pillow
pirate planet pocket quarry rabbit ribbon river rocket saddle salmon shadow
silver spider summer temple thunder timber tunnel velvet violin walnut whistle
willow window winter yellow
"""
WORDS = SPOKEN.split()
LABELS = ("refund", "delivery", "invoice")
TAKES = Wishes(takes_proposals=True)


def texts(count: int, words: int = 10, seed: int = 0) -> list[str]:
    """Texts that no two of share more than a word or two."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(WORDS, words)) for _ in range(count)]


def labelled(count: int = 150, seed: int = 0) -> list[tuple[str, str]]:
    return [(text, LABELS[at % 3]) for at, text in enumerate(texts(count, seed=seed))]


def in_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def in_csv(rows: Sequence[dict[str, Any]], mark: str = ",") -> str:
    made = io.StringIO()
    writer = csv.DictWriter(made, list(rows[0]), delimiter=mark, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


def in_parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    made = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), made)
    return made.getvalue()


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / "given" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def run(
    places: Sequence[Path], wishes: Wishes = TAKES, answers: Sequence[str] | None = None
) -> list[str]:
    """Run `init`; return what it tells, the questions that it asks among it."""
    said: list[str] = []
    left = list(answers or ())

    def ask(question: str, proposal: str) -> str:
        said.append(f"? {question} [{proposal}]")
        return left.pop(0) or proposal

    talk = Talk(said.append, Quiet(), None if answers is None else ask)
    init_from_rows(places, wishes, talk)
    assert not left
    return said


def made(folder: Path, wishes: Wishes = TAKES, *places: Path) -> tuple[Task, list[str]]:
    """Run `init`, prove that the task runs as it stands; return it and what was said."""
    said = run([*places, folder / "task"], wishes)
    checked = check_task(folder / "task" / "task.yaml", None)
    assert checked[0].endswith("no mistake found")
    proven = next(line for line in said if "eval examples, gate at" in line)
    assert proven in checked  # the headline of `ladder check`
    return load_task(folder / "task" / "task.yaml"), said


def samples_of(task: Task) -> tuple[Sample, ...]:
    return all_samples(read_rows(task))


def problems_of(*places: Path, wishes: Wishes = TAKES) -> tuple[Problem, ...]:
    with pytest.raises(ProblemsError) as caught:
        run(places, wishes)
    return caught.value.problems


def the_problem(*places: Path, wishes: Wishes = TAKES) -> Problem:
    problems = problems_of(*places, wishes=wishes)
    assert len(problems) == 1, problems
    return problems[0]


def chat(asked: str, answer: str, system: str = "") -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system else []
    said = (("user", asked), ("assistant", answer))
    return [*first, *({"role": who, "content": text} for who, text in said)]


PAIRS = labelled()
ROWS_OF: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "input and target": lambda a, b: {"input": a, "target": b},
    "messages": lambda a, b: {"messages": chat(a, b)},
    "ShareGPT": lambda a, b: {
        "conversations": [{"from": "human", "value": a}, {"from": "gpt", "value": b}]
    },
    "Alpaca": lambda a, b: {"instruction": "Sort.", "input": a, "output": b},
    "Dolly": lambda a, b: {
        "instruction": a, "context": "", "response": b, "category": "classification",
    },
    "prompt and completion": lambda a, b: {"prompt": a, "completion": b},
    "text and label": lambda a, b: {"text": a, "label": b},
    "sentence and label": lambda a, b: {"sentence": a, "label": b, "idx": len(a)},
    "question and answer": lambda a, b: {"question": a, "answer": b},
    "SQuAD": lambda a, b: {
        "id": a[:30], "title": "none", "context": "A context.", "question": a,
        "answers": {"text": [b, b], "answer_start": [0, 0]},
    },
    "capitals": lambda a, b: {"Question": a, "Answer": b},
    "other names": lambda a, b: {"utterance": a, "intent": b},
    "no known name": lambda a, b: {"ticket_text": a, "queue": b},
}  # fmt: skip


@pytest.mark.parametrize("form", ROWS_OF)
def test_every_layout_becomes_a_task_of_labels_that_runs(form: str, tmp_path: Path) -> None:
    rows = [ROWS_OF[form](asked, answer) for asked, answer in PAIRS]
    task, said = made(tmp_path, TAKES, written(tmp_path, "rows.jsonl", in_lines(rows)))
    assert task.answer.type == "label"
    assert [choice.name for choice in task.score] == ["exact_match"]
    assert task.data.examples == "rows.jsonl"
    assert any("3 labels in 150 rows, the rarest 50 times" in line for line in said)
    assert sum(line.startswith("e.g. ") for line in said) == 5
    read = samples_of(task)
    assert [sample.target for sample in read] == [answer for _, answer in PAIRS]
    assert all(asked in sample.input for sample, (asked, _) in zip(read, PAIRS, strict=True))
    assert check_task(task.source, None)[0].endswith("no mistake found")


PLAIN = [{"ticket": asked, "category": answer} for asked, answer in PAIRS]
FILES: dict[str, bytes] = {
    "comma.csv": in_csv(PLAIN).encode(),
    "semicolon.csv": in_csv(PLAIN, ";").encode(),
    "bom.csv": in_csv(PLAIN, ";").encode("utf-8-sig"),
    "utf16.csv": in_csv(PLAIN, "\t").encode("utf-16"),
    "excel.csv": b"sep=;\r\n" + in_csv(PLAIN, ";").encode(),
    "tabs.tsv": in_csv(PLAIN, "\t").encode(),
    "CAPITALS.CSV": in_csv(PLAIN).encode(),
    "array.json": json.dumps(PLAIN, indent=1).encode(),
    "lines.json": in_lines(PLAIN),
    "lines.ndjson": in_lines(PLAIN),
    "packed.jsonl.gz": gzip.compress(in_lines(PLAIN)),
    "packed.csv.gz": gzip.compress(in_csv(PLAIN).encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_becomes_a_task_and_is_copied_as_it_is(
    name: str, tmp_path: Path
) -> None:
    task, _ = made(tmp_path, TAKES, written(tmp_path, name, FILES[name]))
    assert (tmp_path / "task" / name).read_bytes() == FILES[name]
    assert task.data.columns == {"input": "ticket", "target": "category"}
    assert [(sample.input, sample.target) for sample in samples_of(task)] == PAIRS
    assert task.goal == "Name the category of the ticket."
    assert check_task(task.source, None)[0].endswith("no mistake found")


def test_parquet_with_the_names_of_its_classes(tmp_path: Path) -> None:
    import datasets

    rows = {"text": [asked for asked, _ in PAIRS], "label": [at % 3 for at in range(150)]}
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(LABELS))}
    )
    path = written(tmp_path, "rows.parquet", b"")
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    task, said = made(tmp_path, TAKES, path)
    assert {sample.target for sample in samples_of(task)} == set(LABELS)
    assert task.goal == "Tell which the text is: delivery, invoice or refund."
    assert any("ClassLabel of 3 names" in line for line in said)


def test_lists_of_accepted_answers_in_parquet_and_as_text_in_csv(tmp_path: Path) -> None:
    answers = texts(60, 2, seed=4)
    rows = [
        {"question": asked, "answers": [answers[at], answers[at].upper()]}
        for at, asked in enumerate(texts(60))
    ]
    as_text = [{**row, "answers": json.dumps(row["answers"])} for row in rows]
    for name, content in (("a.parquet", in_parquet(rows)), ("a.csv", in_csv(as_text).encode())):
        folder = tmp_path / name
        folder.mkdir()
        task, _ = made(folder, TAKES, written(folder, name, content))
        assert task.answer.type == "text"
        assert [choice.name for choice in task.score] == ["contains", "token_f1"]
        first = samples_of(task)[0]
        assert first.targets == (answers[0], answers[0].upper())
        assert task.goal == "Answer the question."


@pytest.mark.slow
def test_numbers_objects_and_long_texts_have_forms_and_scores_of_their_own(tmp_path: Path) -> None:
    draw = random.Random(1)
    forms: dict[str, tuple[list[Any], str, list[str]]] = {
        "prices": ([f"${draw.randint(100, 99999) / 100:,.2f}" for _ in range(60)],
                   "number", ["number"]),
        "integers": ([draw.randint(0, 10**6) for _ in range(60)], "number", ["number"]),
        "stars": ([draw.randint(1, 5) for _ in range(60)], "label", ["exact_match"]),
        "truth": ([at % 2 == 0 for at in range(60)], "label", ["exact_match"]),
        "objects": ([{"name": text, "size": at} for at, text in enumerate(texts(60, 2))],
                    "json", ["json_fields"]),
        "spans": ([[{"start": at, "text": text}] for at, text in enumerate(texts(60, 2))],
                  "json", ["json_fields"]),
        "texts of objects": ([json.dumps({"name": text}) for text in texts(60, 2)],
                             "json", ["json_fields"]),
        "long": (texts(60, 14, seed=9), "text", ["token_f1"]),
        "short": (texts(60, 2, seed=9), "text", ["contains", "token_f1"]),
        "dates": ([f"20{at:02}-05-17" for at in range(60)], "text", ["contains", "token_f1"]),
    }  # fmt: skip
    for name, (targets, kind, scores) in forms.items():
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        rows = [
            {"input": asked, "target": target}
            for asked, target in zip(texts(60), targets, strict=True)
        ]
        task, _ = made(folder, TAKES, written(folder, "rows.jsonl", in_lines(rows)))
        found = (task.answer.type, [choice.name for choice in task.score])
        assert found == (kind, scores), name
        if name == "objects":
            assert task.goal == "Write what the text says as JSON with the fields name, size."


def test_the_users_word_goes_before_the_rows(tmp_path: Path) -> None:
    rows = [{"body": a, "stars": at % 5, "mood": b} for at, (a, b) in enumerate(PAIRS)]
    path = written(tmp_path, "rows.csv", in_csv(rows))
    wishes = Wishes(
        goal="Count: the stars # of {a} review.", min_score=0.7, target="stars", answer="number"
    )
    task, _ = made(tmp_path, wishes, path)
    assert task.goal == wishes.goal
    assert task.gate.min_score == 0.7
    assert task.answer.type == "number"
    assert task.data.columns["target"] == "stars"


def test_two_columns_that_may_be_the_target_are_one_question(tmp_path: Path) -> None:
    rows = [{"body": a, "stars": at % 5, "mood": b} for at, (a, b) in enumerate(PAIRS)]
    path = written(tmp_path, "rows.csv", in_csv(rows))
    problem = the_problem(path, tmp_path / "task")
    assert problem.got == "2 columns that may be the target (stars, mood)"
    assert problem.fix == "Say which: --target stars or --target mood."
    assert not (tmp_path / "task").exists()
    said = run([path, tmp_path / "task"], Wishes(), ["mode", "2", "", ""])
    assert said.count("? Which column is the target? Its number or name []") == 2
    assert load_task(tmp_path / "task" / "task.yaml").data.columns["target"] == "mood"


def test_two_texts_of_a_row_are_a_question_about_the_input(tmp_path: Path) -> None:
    others = texts(150, seed=7)
    rows = [{"subject": b, "body": a, "label": c} for (a, c), b in zip(PAIRS, others, strict=True)]
    path = written(tmp_path, "rows.csv", in_csv(rows))
    problem = the_problem(path, tmp_path / "task")
    assert problem.fix.startswith("Say which: --input subject or --input body.")
    assert "write them into one column" in problem.fix
    task, _ = made(tmp_path, replace(TAKES, input="body"), path)
    assert task.data.columns == {"input": "body", "target": "label"}


def test_a_third_column_rivals_the_label_of_an_open_layout_alone(tmp_path: Path) -> None:
    rows = [{"text": a, "label": b, "intent": b[:1]} for a, b in PAIRS]
    path = written(tmp_path, "rows.jsonl", in_lines(rows))
    assert "(label, intent)" in the_problem(path, tmp_path / "task").got
    task, _ = made(tmp_path, replace(TAKES, target="intent"), path)
    assert {sample.target for sample in samples_of(task)} == {"r", "d", "i"}


def test_columns_that_number_link_or_date_the_rows_are_no_target(tmp_path: Path) -> None:
    rows = [
        {"": at, "message": a, "seen": f"2026-03-{at % 28 + 1:02}", "link": f"https://x.test/{at}",
         "key": f"tk-{at * 7919:06}", "team": b, "note": ""}
        for at, (a, b) in enumerate(PAIRS)
    ]  # fmt: skip
    task, said = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))
    assert task.data.columns == {"input": "message", "target": "team"}
    assert "`team` is the target: no other column is left that may be it" in said


def test_without_a_terminal_nothing_is_taken_in_silence(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    problem = the_problem(path, tmp_path / "task", wishes=Wishes(goal="Sort them."))
    for option in ("--yes", "--goal", "--min-score", "--target", "--input", "--answer"):
        assert option in problem.fix
    assert not (tmp_path / "task").exists()
    run([path, tmp_path / "task"], Wishes(goal="Sort them.", min_score=0.6))
    assert load_task(tmp_path / "task" / "task.yaml").goal == "Sort them."


def test_it_asks_for_the_goal_and_the_gate_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    said = run([path, tmp_path / "task"], Wishes(), ["x", "Sort the mail.", "much", "80", "0.8"])
    asked = [line for line in said if line.startswith("?")]
    goal = "? The goal, with which prompts begin [Name the category of the ticket.]"
    assert asked == [goal] * 2 + ["? The least score to pass, from 0 to 1 [0.5]"] * 3
    task = load_task(tmp_path / "task" / "task.yaml")
    assert (task.goal, task.gate.min_score) == ("Sort the mail.", 0.8)
    assert any("gate at 0.8" in line for line in said[said.index(asked[-1]) :])


def test_a_gate_that_the_rows_cannot_prove_goes_by_the_estimate_and_says_so(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN[:40]))
    task, said = made(tmp_path, replace(TAKES, min_score=0.95), path)
    assert task.gate.when_undecided == "lean"
    assert "gate: 0.95 · as you say; 8 eval examples cannot prove it" in said
    assert "when_undecided: lean" in (tmp_path / "task" / "task.yaml").read_text()


def test_the_gate_lies_above_what_the_commonest_label_scores(tmp_path: Path) -> None:
    rows = [{"text": a, "label": "no" if at % 10 else "yes"} for at, (a, _) in enumerate(PAIRS)]
    task, _ = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))
    assert task.gate.min_score == 0.95


def test_more_rows_never_lower_the_gate() -> None:
    from ladder.samples.proposing import gate_for

    gates = [gate_for(rows, 5) for rows in (10, 30, 60, 100, 200, 400)]
    proven = [gate.min_score for gate in gates if gate.provable]
    assert proven == sorted(proven)
    assert proven[-1] == 0.9
    assert not gate_for(3, 5).provable


def test_two_files_are_train_and_test_by_their_names(tmp_path: Path) -> None:
    train = written(tmp_path, "mail_train.csv", in_csv(PLAIN))
    more = [{"ticket": a, "category": b} for a, b in labelled(90, seed=5)]
    more[0]["category"] = "complaint"
    test = written(tmp_path, "mail_test.csv", in_csv(more))
    task, said = made(tmp_path, TAKES, test, train)
    assert (task.data.train, task.data.test) == ("mail_train.csv", "mail_test.csv")
    assert task.answer.labels == ("complaint", "delivery", "invoice", "refund")
    assert any(line.startswith("data: test: mail_test.csv · 54 eval · 36 test") for line in said)
    assert "the same file again" in the_problem(train, train, tmp_path / "b").got
    assert "the same file again" in the_problem(train, test, train).got
    odd = written(tmp_path, "mail_more.csv", in_csv(more))
    assert "names that say which is for training" in the_problem(train, test, odd).wanted
    assert the_problem(train, test, odd, written(tmp_path, "x.csv", "a")).wanted == "one to three"


def test_files_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    train = written(tmp_path, "rows.csv", in_csv(PLAIN))
    (tmp_path / "held").mkdir()
    more = [{"ticket": a, "category": b} for a, b in labelled(90, seed=5)]
    test = written(tmp_path / "held", "rows.csv", in_csv(more))
    task, _ = made(tmp_path, TAKES, train, test)
    assert (task.data.train, task.data.test) == ("rows.csv", "test-rows.csv")


def test_a_folder_of_texts_becomes_documents(tmp_path: Path) -> None:
    rows = [
        {"question": a, "answer": text} for a, text in zip(texts(60), texts(60, 2, 3), strict=True)
    ]
    path = written(tmp_path, "faq.csv", in_csv(rows))
    folder = tmp_path / "handbook"
    (folder / "ferry").mkdir(parents=True)
    (folder / "ferry" / "dogs.md").write_text("# Dogs on board\n\nDogs stay on deck.\n")
    (folder / "bikes.txt").write_bytes("Fahrräder kosten 4 €.".encode("utf-16"))
    (folder / "empty.txt").write_text(" \n")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / ".hidden.txt").write_text("not for anyone")
    (folder / "link.txt").symlink_to("/etc/hostname")
    task, said = made(tmp_path, replace(TAKES, documents=folder), path)
    assert task.data.documents == "documents.jsonl"
    lines = (tmp_path / "task" / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "bikes.txt", "title": "bikes", "text": "Fahrräder kosten 4 €."},
        {
            "id": "ferry/dogs.md",
            "title": "Dogs on board",
            "text": "# Dogs on board\n\nDogs stay on deck.",
        },
    ]
    left = f"{folder}: left out empty.txt (empty), page.html (no .txt, .md)"
    assert left in said
    assert task.goal == "Answer the question from the documents."
    (tmp_path / "nothing").mkdir()
    bare = replace(TAKES, documents=tmp_path / "nothing")
    assert the_problem(path, tmp_path / "b", wishes=bare).got == "no file"


def test_a_file_of_documents_with_columns_of_its_own(tmp_path: Path) -> None:
    pages = [
        {"id": f"p{at}", "heading": "A page", "body": text} for at, text in enumerate(texts(9))
    ]
    rows = [
        {"question": a, "answer": b, "page": f"p{at % 9}"}
        for at, (a, b) in enumerate(zip(texts(60, seed=2), texts(60, 2, 3), strict=True))
    ]
    documents = written(tmp_path, "pages.csv", in_csv(pages))
    path = written(tmp_path, "rows.jsonl", in_lines(rows))
    task, _ = made(tmp_path, replace(TAKES, documents=documents), path)
    assert task.data.columns == {"text": "body", "title": "heading", "doc_ids": "page"}
    read = read_rows(task)
    assert read.examples[0].doc_ids == ("p0",)
    assert read.documents[0].title == "A page"


def test_the_instruction_of_all_rows_is_the_goal(tmp_path: Path) -> None:
    rows = [{"instruction": "Sort the mail.", "input": a, "output": b} for a, b in PAIRS]
    task, _ = made(tmp_path, TAKES, written(tmp_path, "rows.jsonl", in_lines(rows)))
    assert task.goal == "Sort the mail."
    (tmp_path / "given/rows.jsonl").unlink()
    rows[0]["instruction"] = "Where does the mail go?"
    task, _ = made(tmp_path / "two", TAKES, written(tmp_path, "rows.jsonl", in_lines(rows)))
    assert task.goal == "Do what the instruction asks: answer delivery, invoice or refund."


def test_the_system_turn_of_all_chats_is_the_goal(tmp_path: Path) -> None:
    system = 'You route letters.\nAnswer with one word: "refund", …'
    rows = [{"messages": chat(a, b, system)} for a, b in PAIRS]
    task, _ = made(tmp_path, TAKES, written(tmp_path, "rows.jsonl", in_lines(rows)))
    assert task.goal == " ".join(system.split())


BAD: dict[str, tuple[bytes, str, str]] = {
    "rows.xlsx": (b"PK\x03\x04", "another kind", "Save the sheet as CSV"),
    "rows.docx": (b"PK\x03\x04", "another kind", "Convert the file"),
    "empty.csv": (b"", "no rows", "Fill it."),
    "sheet.csv": (b"PK\x03\x04 and more", "an Excel sheet", "Save the rows as .jsonl"),
    "western.csv": (
        "text,label\nGr\xfc\xdfe aus K\xf6ln,a\n".encode("latin-1"),
        "a byte that is not UTF-8", "iconv",
    ),
    "few.csv": (b"text,label\na b c,x\nd e f,y\n", "2 rows", "A verdict needs about 200 rows"),
    "broken.jsonl": (b'{"text": "a"\n', '`{"text": "a"`', "Write each row on one line"),
    "numbers.csv": (b"a,b\n1,2\n3,4\n5,6\n", "2 columns that may be the target", "--target a"),
    "keys.csv": (b"nr\n1\n2\n3\n", "the columns nr", "--target COLUMN"),
    "headless.csv": (
        "\n".join(f"{a},{b}" for a, b in PAIRS).encode(), "a row (", "Write such a line above"
    ),
    "one_label.csv": (
        in_csv([{"text": a, "label": "same"} for a, _ in PAIRS]).encode(),
        "only the label `same`", "nothing to decide",
    ),
    "gap.csv": (
        in_csv([{"text": a, "label": b if at else ""} for at, (a, b) in enumerate(PAIRS)]).encode(),
        "an empty value", "Fill it or take the row out",
    ),
    "no_answer.jsonl": (
        in_lines([{"text": a, **({"label": b} if at else {})} for at, (a, b) in enumerate(PAIRS)]),
        "the columns text", "Give every row of every file this column",
    ),
    "layouts.jsonl": (
        in_lines([*({"text": a, "label": b} for a, b in PAIRS[:50]),
                  *({"question": a, "answer": b} for a, b in PAIRS[50:])]),
        "a row in the layout `question and answer`", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_message_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    content, got, fix = BAD[name]
    problem = the_problem(written(tmp_path, name, content), tmp_path / "task")
    assert problem.got.startswith(got)
    assert fix in problem.fix
    assert name in problem.where
    assert "task.yaml" not in str(problem)
    assert not (tmp_path / "task").exists()


def test_files_that_are_none_and_wishes_that_cannot_be(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    assert the_problem(tmp_path / "none.csv").got == "no such file"
    assert "--download" in the_problem(Path("datasets:owner/name")).fix
    (tmp_path / "folder.csv").mkdir()
    assert the_problem(tmp_path / "folder.csv").got == "a folder"
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert the_problem(tmp_path / "pipe.jsonl").got == "a pipe"
    wrong = replace(TAKES, answer="lable", goal="x", min_score=1.5)
    wheres = [problem.where for problem in problems_of(path, wishes=wrong)]
    assert wheres == ["--answer", "--goal", "--min-score"]
    problem = the_problem(path, wishes=replace(TAKES, target="categroy"))
    assert problem.fix == "Did you mean `category`?"
    assert the_problem(path, tmp_path / "a", tmp_path / "b").got == "a second folder"


def test_ids_that_stand_in_both_files_are_one_message(tmp_path: Path) -> None:
    rows = [{"id": at, **row} for at, row in enumerate(PLAIN)]
    train, test = (written(tmp_path, f"{role}.csv", in_csv(rows)) for role in ("train", "test"))
    problem = the_problem(train, test)
    assert problem.got == "150 ids that stand in train.csv too, such as `0`"
    assert problem.where == f"{test}: id"


def test_what_the_rows_cannot_say_is_noted(tmp_path: Path) -> None:
    rows = [
        {"text": a, "label": at % 2, "split": ("train", "test")[at % 5 == 0]}
        for at, (a, _) in enumerate(PAIRS)
    ]
    said = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))[1]
    notes = [line for line in said if line.startswith("note:")]
    assert "the labels are numbers" in notes[0]
    assert len(notes) == 1
    plain = [{"text": a, "label": b, "split": "train mail"} for a, b in PAIRS]
    (tmp_path / "b").mkdir()
    said = made(tmp_path / "b", TAKES, written(tmp_path / "b", "rows.csv", in_csv(plain)))[1]
    assert not [line for line in said if line.startswith("note:")]


def parted(words: Sequence[str], counts: Sequence[int]) -> list[dict[str, Any]]:
    """Return rows with a column that says which part each belongs to."""
    parts = [word for word, count in zip(words, counts, strict=True) for _ in range(count)]
    rows = labelled(len(parts), seed=9)
    return [
        {"text": a, "label": b, "split": part} for (a, b), part in zip(rows, parts, strict=True)
    ]


def test_a_column_that_parts_the_rows_is_kept(tmp_path: Path) -> None:
    rows = parted(["Train", "validation", "test"], [120, 40, 90])
    task, said = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))
    assert task.data.columns["split"] == "split"
    assert any("split as `split` says: 120 train · 40 dev" in line for line in said)
    data = load_data(task, None, Quiet())
    assert [len(part) for part in (data.train, data.dev)] == [120, 40]
    texts_of = {part: {row["text"] for row in rows if row["split"] == part} for part in
                ("Train", "validation", "test")}  # fmt: skip
    assert {sample.input for sample in data.train} == texts_of["Train"]
    assert {sample.input for sample in data.dev} == texts_of["validation"]
    held = (*data.gate, *data.sealed, *data.reserve)
    assert {sample.input for sample in held} == texts_of["test"]
    assert any("split" in line for line in check_task(task.source, None))


def test_rows_that_choose_judge_where_no_part_is_a_test(tmp_path: Path) -> None:
    rows = parted(["training", "dev"], [90, 90])
    task, _ = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))
    data = load_data(task, None, Quiet())
    held = (*data.gate, *data.sealed, *data.reserve)
    assert {sample.input for sample in held} == {r["text"] for r in rows if r["split"] == "dev"}
    assert data.dev, "drawn from the rows for training"


def test_a_row_without_its_part_is_named(tmp_path: Path) -> None:
    rows = parted(["train", "test"], [60, 60])
    task, _ = made(tmp_path, TAKES, written(tmp_path, "rows.csv", in_csv(rows)))
    rows[3]["split"], rows[5]["split"] = "later", ""
    (task.source.parent / "rows.csv").write_text(in_csv(rows))
    with pytest.raises(ProblemsError) as caught:
        read_rows(load_task(task.source))
    odd, empty = caught.value.problems
    assert (odd.got, odd.wanted) == ("`later`", "train, validation (or dev), or test")
    assert odd.where.endswith("rows.csv:5: split")
    assert empty.got == "an empty value"


@pytest.mark.parametrize("inner", ["", "data"])
def test_a_folder_in_the_layout_of_the_hub_is_a_data_set(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / "mail" / inner
    folder.mkdir(parents=True)
    (tmp_path / "mail" / "README.md").write_text("# A data set")
    for part, count, seed in (("train", 100, 1), ("validation", 40, 2), ("test", 90, 3)):
        rows = [{"text": a, "label": b} for a, b in labelled(count, seed=seed)]
        (folder / f"{part}-00000-of-00001.parquet").write_bytes(in_parquet(rows))
    task, said = made(tmp_path, TAKES, tmp_path / "mail")
    assert task.data.files() == {
        "train": "train-00000-of-00001.parquet",
        "dev": "validation-00000-of-00001.parquet",
        "test": "test-00000-of-00001.parquet",
    }
    assert any(line.startswith("data: dev: ") and "40 dev" in line for line in said)
    data = load_data(task, None, Quiet())
    assert (len(data.train), len(data.dev)) == (100, 40)
    (folder / "train-00001-of-00002.parquet").write_bytes(in_parquet([{"text": "a", "label": "b"}]))
    problem = the_problem(tmp_path / "mail", tmp_path / "other")
    assert problem.got.startswith("2 files of the part train (train-00000")


def test_beside_rows_a_folder_in_one_that_is_not_there_yet_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = written(tmp_path, "mail.csv", in_csv(PLAIN))
    run([rows, Path("runs/ours")], TAKES)
    assert load_task(tmp_path / "runs/ours/task.yaml").data.examples == "mail.csv"
    for places in ((rows, "datasets:acme/mail"), ("acme/mail", "acme/more")):
        assert the_problem(*map(Path, places)).wanted == "one to three"


def test_three_files_are_named_after_their_parts(tmp_path: Path) -> None:
    files = [
        written(tmp_path, f"{name}.csv", in_csv([{"text": a, "label": b} for a, b in rows]))
        for name, rows in (
            ("test", labelled(90, seed=3)), ("val", labelled(150, seed=2)),
            ("train", labelled(100, seed=1)),
        )
    ]  # fmt: skip
    task, _ = made(tmp_path, TAKES, *files)
    assert task.data.files() == {"train": "train.csv", "dev": "val.csv", "test": "test.csv"}
    data = load_data(task, None, Quiet())
    assert len(data.dev) == 120, "so many as choose at most"
    assert len(data.reserve) == 30


def test_many_broken_rows_are_counted_and_not_listed(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", "text,label\n" + "a,b,c\n" * 50)
    problems = problems_of(path)
    assert [problem.got for problem in problems[:3]] == ["more cells than columns"] * 3
    assert [problem.got for problem in problems[3:]] == ["47 more such rows"]
    odd = [{"input": a, "target": [{"a": 1}, "x"] if at % 2 else "x"} for at, (a, _) in
           enumerate(PAIRS)]  # fmt: skip
    path = written(tmp_path, "odd.jsonl", in_lines(odd))
    problems = problems_of(path)
    assert problems[0].fix.endswith("where the list or object itself is the answer: --answer json")
    assert [problem.got for problem in problems[3:]] == ["72 more such rows"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    there = tmp_path / "task"
    there.mkdir()
    (there / "rows.csv").write_text("mine")
    assert the_problem(path, there).got == "another file"
    assert (there / "rows.csv").read_text() == "mine"
    (there / "rows.csv").write_bytes(path.read_bytes())  # the same rows: they may stay
    said = run([path, there])
    assert said[-1] == f"Wrote {there}/task.yaml. Next: ladder check {there}/task.yaml"
    (there / "task.yaml").write_text("mine")
    assert the_problem(path, there).got == "a folder with a task.yaml"
    assert (there / "task.yaml").read_text() == "mine"
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "task.yaml").symlink_to(tmp_path / "elsewhere")
    assert the_problem(path, tmp_path / "linked").got == "a folder with a task.yaml"
    assert not (tmp_path / "elsewhere").exists()


def test_rows_that_lie_in_the_folder_already_stay_there(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    run([path, path.parent])
    assert sorted(each.name for each in path.parent.iterdir()) == ["rows.csv", "task.yaml"]
    assert check_task(path.parent / "task.yaml", None)


@pytest.mark.slow
def test_hostile_names_and_values_are_text(tmp_path: Path) -> None:
    evil = "cat\x1b[2Jegory: {a, b} # !!python/object"
    rows = [{"message": f"{a} \x1b[31m \u202e", evil: f"{b}: [x, y] # \x07"} for a, b in PAIRS]
    path = written(tmp_path, "- a: 'b' #.jsonl", in_lines(rows))
    done = ladder("init", path, tmp_path / "task", "--yes")
    assert done.returncode == 0, done.stderr
    assert not any(sign in done.stdout for sign in "\x1b\x07\u202e")
    text = (tmp_path / "task" / "task.yaml").read_text()
    assert not any(sign in text for sign in "\x1b\x07\u202e")
    assert yaml.safe_load(text)["data"]["columns"]["target"] == evil
    assert check_task(tmp_path / "task" / "task.yaml", None)


@pytest.mark.slow
def test_the_command_line_writes_into_a_folder_named_after_the_file(tmp_path: Path) -> None:
    written(tmp_path, "my tickets.csv", in_csv(PLAIN, ";"))
    code = [sys.executable, "-m", "ladder", "init", "given/my tickets.csv"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        code, cwd=tmp_path, env=path, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "Take the proposals with --yes" in done.stderr
    assert not (tmp_path / "my tickets").exists()
    done = subprocess.run([*code, "--yes"], cwd=tmp_path, env=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Next: ladder check 'my tickets/task.yaml'" in done.stdout
    assert load_task(tmp_path / "my tickets" / "task.yaml").name == "my-tickets"
    dry = ladder("assess", tmp_path / "my tickets" / "task.yaml", "--dry-run", "--runs", tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "in all" in dry.stdout


@pytest.mark.slow
def test_a_person_at_a_terminal_is_asked(tmp_path: Path) -> None:
    path = written(tmp_path, "rows.csv", in_csv(PLAIN))
    ours, theirs = os.openpty()
    run_it = [sys.executable, "-m", "ladder", "init", str(path), str(tmp_path / "task")]
    with subprocess.Popen(run_it, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as started:
        os.close(theirs)
        shown = ""
        for question, answer in (("prompts begin", "Sort the letters.\n"), ("from 0 to 1", "\n")):
            shown += _until(ours, question)
            os.write(ours, answer.encode())
        assert started.wait(60) == 0, shown
    os.close(ours)
    assert load_task(tmp_path / "task" / "task.yaml").goal == "Sort the letters."


def _until(terminal: int, words: str) -> str:
    shown, ends = "", time.monotonic() + 120
    while words not in shown and time.monotonic() < ends:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    assert words in shown, shown
    return shown


@pytest.mark.slow
def test_without_rows_the_starter_is_written_and_options_are_refused(tmp_path: Path) -> None:
    assert ladder("init", tmp_path / "one").returncode == 0
    assert load_task(tmp_path / "one" / "task.yaml").name == "my-task"
    refused = ladder("init", tmp_path / "two", "--goal", "Sort the mail.")
    assert refused.returncode == 2
    assert "name a file of rows" in refused.stderr
    assert not (tmp_path / "two").exists()


@pytest.mark.slow
def test_the_starter_overwrites_no_rows(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "train.jsonl").write_bytes(in_lines(PLAIN))
    done = ladder("init", mine)
    assert done.returncode == 2
    assert f"ladder init {mine}/train.jsonl" in done.stderr
    assert (mine / "train.jsonl").read_bytes() == in_lines(PLAIN)
    assert not (mine / "task.yaml").exists()
