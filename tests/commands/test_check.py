"""What `ladder check` says of JSON answers and their schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from engines.endpoint.asking import unused_url
from engines.endpoint.specified_server import specified
from engines.faulty_server import FaultyServer, saying
from small_tasks import write_task

from ladder.commands.check import check_task
from ladder.errors import LadderError, TaskError

CLOSED = {
    "type": "object",
    "properties": {"intent": {"type": "string"}},
    "additionalProperties": False,
}


def question(name: str, n: int) -> dict[str, str]:
    return {"id": f"{name} {n}", "input": f"{name} {n * 7919} words"}


def task_in(folder: Path, target: str = '{{"intent": "play", "n": {n}}}', **answer: object) -> Path:
    return write_task(
        folder,
        lambda name, n: {**question(name, n), "target": target.format(n=n)},
        *(60, 300),
        answer={"type": "json", **answer},
        score="json_fields",
    )


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "strin"}, "'strin' is not valid"),
        ({"type": "object", "required": "intent"}, "is not of type 'array'"),
        ({"enum": [yaml.safe_load("2026-01-01")]}, "date is not JSON serializable"),
    ],
)
def test_what_is_no_schema_is_refused(tmp_path, schema, why):
    with pytest.raises(TaskError, match=why) as caught:
        check_task(task_in(tmp_path, schema=schema), None)
    [problem] = caught.value.problems
    assert problem.where.endswith("task.yaml: answer.schema")
    assert "JSON Schema" in problem.got


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}, "look-around"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"$ref": "https://example.invalid/schema"}, "does not fetch"),
    ],
)
def test_what_no_answer_can_be_held_to_is_refused_before_anything_is_spent(tmp_path, schema, why):
    pytest.importorskip("llguidance")
    with pytest.raises(TaskError, match=why) as caught:
        check_task(task_in(tmp_path, schema=schema), None)
    assert len(caught.value.problems) == 1
    assert len(str(caught.value)) < 500


def test_targets_that_leave_the_schema_are_counted(tmp_path):
    lines = check_task(task_in(tmp_path, schema=CLOSED), None)
    [line] = [line for line in lines if "held-out targets" in line]
    assert "are not in answer.schema" in line
    assert "'n' was unexpected" in line


def test_so_are_those_that_leave_the_shape_of_the_training_rows(tmp_path):
    path = task_in(tmp_path)
    assert not [line for line in check_task(path, None) if "held-out targets" in line]
    rows = (tmp_path / "test.jsonl").read_text().replace('n\\": 7}', 'n\\": \\"seven\\"}')
    (tmp_path / "test.jsonl").write_text(rows)
    [line] = [line for line in check_task(path, None) if "held-out targets" in line]
    assert line.startswith("warning: 1 of ")
    assert "the training examples' shape, e.g. test 7: $.n: 'seven' is not of type" in line


def test_targets_without_json_have_no_schema(tmp_path):
    lines = check_task(task_in(tmp_path, target="number {n}"), None)
    assert "note: no training target is JSON: answers are not held to a schema" in lines


def labelled(folder: Path, train: int, **more: object) -> Path:
    """Write a task of labels; its test rows name a document."""
    data = {"test": "test.jsonl"}
    for name, count in (("train", train), ("test", 200)):
        rows = (
            {
                "id": f"{name} {n}",
                "input": f"{name} {n * 7919} words",
                "target": "ab"[n % 2],
                "doc_ids": ["nowhere"],
            }
            for n in range(count)
        )
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        data |= {name: f"{name}.jsonl"} if count else {}
    values = {
        "name": "letters",
        "goal": "Name the letter.",
        "data": data,
        "answer": {"type": "label", "labels": ["a", "b"]},
        "score": "exact_match",
        "gate": {"min_score": 0.5},
        **more,
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(values))
    return folder / "task.yaml"


def test_rows_whose_document_is_not_there_are_counted(tmp_path):
    said = "\n".join(check_task(labelled(tmp_path, 60), None))
    assert "eval examples with doc_ids name no document that is there" in said
    assert "nowhere" in said


def test_a_task_without_a_rung_to_try_is_warned_of(tmp_path):
    said = "\n".join(check_task(labelled(tmp_path, 0, rungs=["rag"]), None))
    assert "no rung of this task can be tried (rag): there are 0 training examples" in said
    said = "\n".join(check_task(labelled(tmp_path, 60, rungs=["rag"]), None))
    assert "no rung" not in said


def test_check_counts_the_rows_as_the_climb_that_is_meant_does(tmp_path, ladder):
    """A control that may end the climb has a share of the gate's error: more rows are needed."""
    path = labelled(tmp_path, 60)
    whole, until, climb = (
        ladder("check", path, *more).out for more in ((), ("--until", "prompt"), ("--climb",))
    )
    assert "gate at 0.5 for the control and 4 rungs" in whole
    assert "`assess --until` and `--climb` leave it out" in whole
    assert until == climb
    assert "gate at 0.5 for 4 rungs" in until
    assert "leave it out" not in until
    ladder("check", path, "--until", "lorax").refused("lorax: this task's rungs are prompt, rag")


def test_code_may_only_be_allowed_to_a_model_of_the_task(tmp_path):
    path = task_in(tmp_path)
    values = yaml.safe_load(path.read_text())
    values |= {"models": {"base": "bundled:smollm2-135m"}}
    values |= {"rules": {"remote_code": ["hf:someone/model", "bundled:smollm2-135m"]}}
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(TaskError, match="word for word as it is named under models") as caught:
        check_task(path, None)
    assert [problem.got for problem in caught.value.problems] == [
        "`hf:someone/model`", "`bundled:smollm2-135m`",
    ]  # fmt: skip


def test_a_recipe_that_the_lora_rung_cannot_run_is_found_before_the_climb(tmp_path):
    path = task_in(tmp_path)
    values = yaml.safe_load(path.read_text())
    for name, why in (("dpo", "ladder train dpo --task"), ("lorra", "no recipe `lorra`")):
        path.write_text(yaml.safe_dump({**values, "training": {"recipe": name}}))
        with pytest.raises(LadderError, match=why):
            check_task(path, None)


def served(folder: Path, url: str, **more: object) -> Path:
    models = {"base": f"openai:tiny@{url}"}
    return labelled(folder, 0, models=models, rules={"data_may_leave": True}, **more)


def greeted(lines: list[str]) -> list[str]:
    return [line for line in lines if "greet" in line]


def test_an_endpoint_on_this_machine_is_greeted_once(tmp_path):
    with FaultyServer(
        [saying("Hello")], {"/v1/models": {"data": [{"id": "tiny", "n_ctx": 99}]}}
    ) as server:
        judge = {"judge": {"rubric": "r", "model": f"openai:tiny@{server.url}"}}
        lines = check_task(served(tmp_path, server.url, score=judge), None, "known")
        assert len(server.seen) == 1
        assert not greeted(check_task(tmp_path / "task.yaml", None, "none"))
        assert len(server.seen) == 1
    [line] = greeted(lines)
    assert line.startswith("base: tiny at 127.0.0.1:")
    assert line.endswith("(11 + 3 tokens); context of 99 tokens")


def test_a_server_that_is_not_up_is_a_warning(tmp_path):
    [line] = greeted(check_task(served(tmp_path, unused_url()), None, "known"))
    assert line.startswith("warning: base: tiny at 127.0.0.1:")
    assert "no connection" in line


def test_nobody_elses_server_is_greeted_unasked(tmp_path):
    """A task from somebody else may name any host."""
    url = "https://ladder.invalid/v1"
    [line] = greeted(check_task(served(tmp_path, url), None, "known"))
    assert line.startswith("note: base: tiny at ladder.invalid is not known to your configuration")
    [asked] = greeted(check_task(tmp_path / "task.yaml", None, "all"))
    assert asked.startswith("warning: base: tiny at ladder.invalid: no answer to a greeting")


def test_a_server_that_the_user_has_a_key_for_is_greeted(tmp_path, settings_at, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret-0123456789")
    settings_at.write_text("endpoints: {ladder.invalid: MY_KEY}\n")
    settings_at.chmod(0o600)
    [line] = greeted(check_task(served(tmp_path, "https://ladder.invalid/v1"), None, "known"))
    assert line.startswith("warning: base: tiny at ladder.invalid: no answer to a greeting")


def texts(folder: Path, targets: list[str], score: object, **answer: object) -> str:
    """Return what `check` says of a task whose targets are these in turn."""
    path = write_task(
        folder,
        lambda name, n: {**question(name, n), "target": targets[n % len(targets)]},
        *(60, 200),
        answer={"type": "text", **answer},
        score=score,
    )
    return "\n".join(check_task(path, None))


@pytest.mark.parametrize(
    ("targets", "score", "said"),
    [
        (["5 km", "5 m", "7 m"], "number", "pairs of unlike targets, e.g. the answer `5 "),
        (["card", "card lost", "refund"], "contains", "the answer `card lost` (row "),
        (["7", "none"], "number", "gives 1 targets no full marks against themselves, e.g. `none`"),
        (["1,234", "5"], "number", "is 1234 with a decimal point and 1.234 with a decimal comma"),
    ],
)
def test_a_scorer_that_the_own_targets_fool_is_named(tmp_path, targets, score, said):
    lines = texts(tmp_path, targets, score)
    assert said in lines
    assert "warning: " in lines


@pytest.mark.parametrize(
    ("targets", "score"),
    [
        (["23,0 %", "24,7 %", "1.234,5 %"], "number"),
        (["1,234", "5"], {"number": {"decimal": "."}}),
        (["red ferry", "blue ferry", "the"], "token_f1"),
        (["北京", "上海", "南京"], "contains"),
    ],
)
def test_a_scorer_that_holds_is_not_warned_of(tmp_path, targets, score):
    assert "warning" not in texts(tmp_path, targets, score)


def test_labels_that_differ_in_case_alone_are_named_with_their_rows(tmp_path):
    said = texts(tmp_path, ["login", "Login", "refund"], "exact_match", type="label")
    assert "warning: 2 labels differ in case or form alone" in said
    assert "`login` (row " in said
    assert "`Login` (row " in said


def test_exact_match_on_json_is_warned_of(tmp_path):
    said = texts(tmp_path, ['{"a": 1}', '{"a": 2}'], "exact_match", type="json")
    assert "json_fields compares the values" in said


def test_check_says_by_which_stems_is_searched(tmp_path):
    assert "search by words: examples by words as they are" in texts(tmp_path, ["a", "b"], "number")
    path = labelled(tmp_path, 60)
    values = yaml.safe_load(path.read_text())
    values["data"]["language"] = "de"
    path.write_text(yaml.safe_dump(values))
    said = "\n".join(check_task(path, None))
    assert "search by words: examples by German stems; as data.language says" in said
    values["data"]["language"] = "Deutsch"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(TaskError, match=r"data\.language"):
        check_task(path, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "warned"), [("en", ""), ("de", ""), ("ar", "77%"), ("th", "96%")]
)
def test_an_embedding_model_of_another_language_is_told(
    tmp_path: Path, language: str, warned: str
) -> None:
    """The bundled embedder is an English one; its word pieces tell what it was made for."""
    shipped = ROOT / "evalsets/languages" / language
    text = (shipped / "task.yaml").read_text() + "models: {embedding: bundled:all-minilm-l6-v2}\n"
    for file in shipped.glob("*.jsonl"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "task.yaml").write_text(text)
    said = "\n".join(check_task(tmp_path / "task.yaml", None))
    assert ("say nothing to models.embedding" in said) == bool(warned)
    assert warned in said


def test_what_an_endpoint_supports_is_asked_for_and_priced(tmp_path):
    prices = {"input_usd_per_1m": 10.0, "output_usd_per_1m": 100.0}
    with FaultyServer(specified("no echo")) as server:
        path = served(tmp_path, server.url, prices=prices)
        assert not [line for line in check_task(path, None, "known") if ": supports " in line]
        assert len(server.seen) == 1, "a greeting alone"
        assert not [x for x in check_task(path, None, "none", abilities=True) if ": supports " in x]
        assert len(server.seen) == 1
        lines = check_task(path, None, "known", abilities=True)
    base = [line for line in lines if line.startswith("base: tiny at 127.0.0.1:")]
    assert [line for line in base if ": supports chats, " in line]
    assert [line for line in base if line.endswith("'echo'") and ": echo: no: HTTP 400" in line]
    [cost] = [line for line in base if ": asked with " in line]
    assert ": asked with 17 requests, " in cost
    assert cost.rpartition(" $")[2] > "0.01"


def test_what_a_server_does_wrong_without_a_word_is_a_warning(tmp_path):
    with FaultyServer(specified("ignores schema")) as server:
        lines = check_task(served(tmp_path, server.url), None, "known", abilities=True)
    [line] = [line for line in lines if ": wrong: " in line]
    assert line.startswith("warning: base: tiny at 127.0.0.1:")
    assert ": JSON schema: wrong: taken, and not kept to: " in line
