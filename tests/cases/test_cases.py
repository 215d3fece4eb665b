"""What people reported of other tools, rebuilt with small inputs: each case has its right value.

A case is a folder beside this file; those without rows of their own share `customers/`. Here each
is run as a user would: `ladder check`, `ladder assess`, `ladder revalidate`, `ladder schedule`.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases.endpoint import HABITS, chats, endpoint
from conftest import Said
from engines.faulty_server import FaultyServer
from habits import with_habit

from ladder.commands.assess import assess
from ladder.evidence import Assessment, Attempt
from ladder.progress import Quiet
from ladder.samples.data import Data
from ladder.samples.loading import load_data
from ladder.scorers import fitted, make_scorer
from ladder.scorers.contains import contains
from ladder.scorers.number import number
from ladder.scorers.token_f1 import token_f1
from ladder.task import load_task

HERE = Path(__file__).parent
PLACE = "http://127.0.0.1:18733"
"""Where the cases' task files look for the endpoint."""
LADDER = Callable[..., Said]
PUT = Callable[..., Path]
NO_MISTAKE = "task.yaml: no mistake found"
FORM = {"model", "messages", "max_tokens", "temperature", "stream", "stream_options"}
"""What a request holds where nothing else has an effect."""


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with endpoint() as running:
        yield running


@pytest.fixture
def put(tmp_path: Path, server: FaultyServer) -> PUT:
    """Copy a case, its endpoint the running one, some keys of its task changed."""

    def copy(name: str, task: str = "task.yaml", **changed: object) -> Path:
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(HERE / name, folder)
        for rows in (HERE / "customers").iterdir():
            if not (folder / rows.name).exists():
                shutil.copy(rows, folder)
        path = folder / task
        text = path.read_text().replace(PLACE, server.url.removesuffix("/v1"))
        if changed:
            text = yaml.safe_dump({**yaml.safe_load(text), **changed}, allow_unicode=True)
        path.write_text(text)
        return path

    return copy


def data_of(path: Path) -> Data:
    return load_data(load_task(path), None, Quiet())


def assessed(path: Path) -> Assessment:
    return assess(load_task(path), path.parent / "runs", Quiet())[0]


def prompt_of(found: Assessment) -> Attempt:
    return next(attempt for attempt in found.attempts if attempt.rung == "prompt")


def score_of(attempt: Attempt) -> tuple[str, float, int]:
    assert attempt.measurement is not None
    score = attempt.measurement.score
    return attempt.status, score.mean, score.n


def report_of(path: Path) -> str:
    [report] = (path.parent / "runs").glob("*/*/report.md")
    return report.read_text()


def sent(server: FaultyServer, name: str) -> set[Any]:
    return {request.payload.get(name) for request in chats(server)}


# Rows and files: what `ladder check` says of them.

SPLIT_60 = "12 train · 8 dev · 24 eval · 16 test · 0 in reserve · 0 documents"
READ = "{0}: input <- input · target <- target"
JSONL, CSV, PARQUET = (
    f"train.{kind}, test.{kind}" for kind in ("jsonl", "csv", "parquet")
)  # fmt: skip
DELIVERY = (
    "e.g. train-20: Ben from Turin complains, case 7447tLea77: where is the parcel number "
    "3487386 now{0} -> {1}"
)
ALIKE = (
    "warning: 2 labels differ in case or form alone and count as different: {0}; write them alike, "
    "or set {{exact_match: {{lowercase: true}}}}"
)
TWICE = (
    "warning: train.jsonl:1: the key `target` stands twice, and the last of its values is read "
    "(20 such rows)"
)
UNREAD = "warning: the column `{0}` is not read: did you mean {1}? data: {{columns: {{{1}: {0}}}}}"
CHECKED: dict[str, tuple[str, ...]] = {
    "d01_answer_list": (
        DELIVERY.format("", "1998 | in 1998"),
        "60 examples have several right answers: each of them gets full marks",
    ),
    "d03_alpaca": (
        f"{JSONL}: input <- instruction + input · target <- output",
        f"{JSONL}: read as Alpaca rows: instruction + input -> input, output -> target",
    ),
    "d09_nfd_test": (DELIVERY.format("", "livré"),),
    "d11_labels_comma": (DELIVERY.format("", "card payment"),),
    "d12_labels_case": (
        ALIKE.format("`delivery` (row train-20), `DELIVERY` (row train-17)"),
        ALIKE.format("`login` (row train-15), `Login` (row train-9)"),
    ),
    "d14_yaml_numbers": (DELIVERY.format("", "1"),),
    "d18_decimal_comma": (DELIVERY.format("", "22,3 %"),),
    "d21_json_exact": (
        "warning: exact_match wants the keys and spaces of a JSON answer as the target has them; "
        "json_fields compares the values",
    ),
    "d22_python_dict": (
        "warning: json_fields gives 3 targets no full marks against themselves, e.g. "
        "`{'intent': 'delivery', 'ok': True, 'note': None}` (row train-20): no answer to them can "
        "be right",
    ),
    "d24_upper_suffix": (
        READ.format("TRAIN.CSV, TEST.CSV"),
        DELIVERY.format(" second line", "delivery"),
    ),
    "d25_bom_crlf": (
        READ.format(CSV),
        DELIVERY.format(' second "line", wi…', "delivery").replace("3487386 now", "3487386 now"),
    ),
    "d26_at_in_name": (DELIVERY.format("", "delivery"),),
    "d29_misspelt_columns": (
        f"{READ.format(JSONL)} · not read: doc_id, groups, strata",
        UNREAD.format("doc_id", "doc_ids"),
        UNREAD.format("groups", "group"),
        UNREAD.format("strata", "stratum"),
    ),
    "d30_misc": (TWICE, DELIVERY.format("", "delivery")),
    "d30_misc/task_array.yaml": ("array.jsonl: one JSON array", TWICE),
    "d30_misc/task_mac.yaml": (READ.format("train.jsonl, mac.csv"), TWICE),
    "p01_parquet_bytes": (READ.format(PARQUET), DELIVERY.format("", "delivery")),
    "p03_classlabel": (
        "datasets:saved#train, datasets:saved#test: input <- text · target <- label (ClassLabel "
        "of 3 names)",
        DELIVERY.format("", "delivery"),
    ),
    "p05_parquet_types": (
        f"{READ.format(PARQUET)} · time <- time",
        DELIVERY.format("", "19.50"),
    ),
}
"""Case -> lines that `ladder check` writes of it."""
WARNED = {"d12_labels_case", "d21_json_exact", "d22_python_dict", "d29_misspelt_columns"}


@pytest.mark.parametrize("name", CHECKED)
def test_check_reads_the_rows_as_they_are_meant(name: str, put: PUT, ladder: LADDER) -> None:
    case, _, task = name.partition("/")
    found = ladder("check", put(case, task or "task.yaml"))
    lines = found.out.splitlines()
    assert found.code == 0, found.errors
    assert lines[1] == SPLIT_60
    assert "0 near-duplicates set aside · no leak found" in lines[2]
    assert set(CHECKED[name]) <= set(lines), found.out
    warned = case in WARNED or TWICE in CHECKED[name]
    assert any(line.startswith("warning") for line in lines) == warned, found.out


def test_a_value_that_is_no_number_is_a_missing_one(put: PUT, ladder: LADDER) -> None:
    """d06: a data frame writes NaN where a label is missing."""
    found = ladder("check", put("d06_nan_label"))
    lines = found.errors.splitlines()
    assert (found.code, len(lines)) == (2, 12)
    fix = "target: got an empty value, wanted text. Fill it or take the row out"
    assert lines[0].endswith(f"train.jsonl:1: {fix}")
    assert lines[-1].endswith(f"test.jsonl:36: {fix}")


def test_labels_that_yaml_reads_as_truth_values_are_refused(put: PUT, ladder: LADDER) -> None:
    """d13: the message says how to mend it, and the mended task is read."""
    path = put("d13_yaml_yes_no")
    found = ladder("check", path)
    assert (found.code, found.errors.strip()) == (
        2,
        f"{path}:4: answer.labels: got `yes`, `no`, which YAML reads as true or false, wanted "
        'text. Write each in quotes: ["yes", "no"]',
    )
    path.write_text(path.read_text().replace("[yes, no]", '["yes", "no"]'))
    assert ladder("check", path).code == 0
    assert data_of(path).labels == ("yes", "no")


LABELS = {
    "d09_nfd_test": ("accès", "livré", "remboursé"),
    "d11_labels_comma": ("card", "card payment", "card, lost / stolen"),
    "d14_yaml_numbers": ("0", "1", "2"),
    "p01_parquet_bytes": ("delivery", "login", "refund"),
    "p03_classlabel": ("delivery", "login", "refund"),
}


@pytest.mark.parametrize("name", LABELS)
def test_the_labels_of_a_case(name: str, put: PUT) -> None:
    assert tuple(sorted(data_of(put(name)).labels)) == LABELS[name]


def test_each_of_several_right_answers_gets_full_marks(put: PUT) -> None:
    """d01: a list of right answers, not a text that looks like one."""
    data = data_of(put("d01_answer_list"))
    found = {sample.targets for sample in (*data.train, *data.dev, *data.gate, *data.sealed)}
    assert found == {
        ("a copper kettle", "copper kettle", "kettle"),
        ("Lyon", "the city of Lyon"),
        ("1998", "in 1998"),
    }


def test_the_instruction_of_a_row_is_asked(put: PUT) -> None:
    """d03: Alpaca's `instruction` stands before the row's input."""
    asked = {sample.id: sample.input for sample in data_of(put("d03_alpaca")).train}
    assert asked["train-20"] == (
        "How many words has the sentence?\n\nBen from Turin complains, case 7447tLea77: where is "
        "the parcel number 3487386 now"
    )


@pytest.mark.slow
def test_labels_with_commas_are_told_apart_in_the_prompt(put: PUT, server: FaultyServer) -> None:
    """d11: a list joined by commas would have four labels, not three."""
    model = f"openai:fake@{server.url.replace('/v1', '/right/v1')}"
    assessed(put("d11_labels_comma", models={"base": model}, rungs=["prompt"]))
    told = chats(server)[0].payload["messages"][0]["content"]
    assert told == (
        "Name what the customer wants.\nAnswer with one of these lines:\n"
        "card\ncard payment\ncard, lost / stolen"
    )


def test_unlike_numbers_are_never_equal(put: PUT) -> None:
    """d18: by the decimal comma of the task's own targets; every target equals itself."""
    path = put("d18_decimal_comma")
    data, [choice] = data_of(path), load_task(path).score
    scorer = fitted(make_scorer(choice, "score"), data.targets)
    targets = sorted(set(data.targets))
    assert len(targets) == 60
    assert all(scorer(target, target).value == 1 for target in targets)
    assert not any(scorer(one, other).value for one, other in permutations(targets, 2))
    assert scorer("1,5", "15").value == 0
    assert scorer("1.5", "1,5").value == 1


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("1,5", "1.5", 1),
        ("1,5", "15", 0),
        ("3-5", "-5", 0),
        ("2026-11-27", "27", 0),
        ("1.234,5", "1234.5", 1),
        ("1 234,5", "1234.5", 1),
    ],
)
def test_numbers_are_read_as_people_write_them(answer: str, target: str, value: float) -> None:
    assert number()(answer, target).value == value


WORDS = [
    ("1.5", "15", 0, 0),
    ("1,5", "15", 0, 0),
    ("sie sagte „ja“", 'sie sagte "ja"', 1, 1),
    ("it’s here", "it's here", 1, 1),
    ("مدينة، قديمة", "مدينة قديمة", 1, 1),
    ("北京市", "北京", 0.8, 1),
    ("อยู่ที่เชียงใหม่", "เชียงใหม่", 0.82, 1),
    ("东京", "北京", 0.5, 0),
]
"""Answer, target, by token_f1, by contains."""


@pytest.mark.parametrize(("answer", "target", "f1", "within"), WORDS)
def test_words_of_every_script_are_compared(
    answer: str, target: str, f1: float, within: float
) -> None:
    assert token_f1()(answer, target).value == pytest.approx(f1, abs=0.005)
    assert contains()(answer, target).value == within


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("d28_templated", "18 train · 12 dev · 30 eval · 20 test"),
        ("d31_templated_200", "120 train · 80 dev · 120 eval · 80 test"),
    ],
)
def test_rows_of_a_template_with_answers_of_their_own_stay(
    name: str, split: str, put: PUT, ladder: LADDER
) -> None:
    lines = ladder("check", put(name)).out.splitlines()
    assert lines[1] == f"{split} · 0 in reserve · 0 documents"
    assert "0 near-duplicates set aside · no leak found" in lines[2]


def test_a_row_that_contradicts_another_is_named(put: PUT, ladder: LADDER) -> None:
    path = put("d28_templated")
    with (path.parent / "test.jsonl").open("a") as rows:
        first = json.loads((path.parent / "test.jsonl").read_text().splitlines()[0])
        rows.write(json.dumps({**first, "target": "1.0"}) + "\n")
    lines = ladder("check", path).out.splitlines()
    assert "contradicts an earlier row: test-51 ~ test-1: 1.0 / 110.3" in lines
    assert "1 row contradicts an earlier one: at least 1.2% of 81 targets are wrong" in lines[2]


# Endpoints: what a climb finds, what was sent, what it says where it stops.

PASSED: dict[str, dict[str, Any]] = {
    "d26_at_in_name": {"model": {"@cf/meta/llama-3.1-8b-instruct"}},
    "e01_right": {"max_tokens": {26}, "temperature": {0}, "seed": {None}, "stop": {None}},
    "e02_thinkempty": {"max_tokens": {2048}},
    "e04_thinktag": {"max_tokens": {2048}},
    "e11_parts": {},
    "e12_nousage": {},
    "e18_cjk_cut": {"max_tokens": {256}},
    "e19_long_targets": {"max_tokens": {1042}},
}
"""Case whose model is right -> what was asked for."""


@pytest.mark.slow
@pytest.mark.parametrize("name", PASSED)
@pytest.mark.filterwarnings("ignore:.*reports no token usage")
def test_what_a_model_has_right_is_right(name: str, put: PUT, server: FaultyServer) -> None:
    found = assessed(put(name, rungs=["prompt"]))
    assert score_of(prompt_of(found)) == ("passed", 1.0, 24)
    assert {key for request in chats(server) for key in request.payload} <= FORM
    assert {key: sent(server, key) for key in PASSED[name]} == PASSED[name]


@pytest.mark.slow
def test_a_date_that_is_past_is_no_reason_to_give_up(put: PUT, server: FaultyServer) -> None:
    """e14: each question is refused once, with a Retry-After of 1999."""
    assert score_of(prompt_of(assessed(put("e14_retrydate")))) == ("passed", 1.0, 24)
    questions = [json.dumps(request.payload["messages"]) for request in chats(server)]
    assert max(map(questions.count, set(questions))) > 1


@pytest.mark.slow
def test_thoughts_in_the_text_are_counted_and_not_scored(put: PUT) -> None:
    """e04: 15 tokens came, and the answer has few of them."""
    measured = prompt_of(assessed(put("e04_thinktag", rungs=["prompt"]))).measurement
    assert measured is not None
    assert measured.tokens.output_mean == 15


@pytest.mark.slow
def test_tokens_that_a_server_does_not_count_are_estimated(put: PUT) -> None:
    """e12: the same rows have some, not none."""
    with pytest.warns(match="reports no token usage: tokens and costs are estimates"):
        measured = prompt_of(assessed(put("e12_nousage"))).measurement
    assert measured is not None
    assert measured.tokens.input_mean > 20
    assert measured.tokens.output_mean >= 1


@pytest.mark.slow
def test_what_a_server_refuses_is_renamed_or_left_out(put: PUT, server: FaultyServer) -> None:
    """e07: it is said once, in the record and in the report."""
    path = put("e07_newparams")
    with pytest.warns(match="max_completion_tokens instead of max_tokens; temperature left out"):
        attempt = prompt_of(assessed(path))
    assert score_of(attempt) == ("passed", 1.0, 24)
    last = chats(server)[-1].payload
    assert last["max_completion_tokens"] == 26
    assert not {"max_tokens", "temperature", "seed", "stop"} & set(last)
    assert attempt.measurement is not None
    said = ("max_completion_tokens instead of max_tokens", "temperature left out")
    assert [any(text in line for line in attempt.measurement.negotiated) for text in said] == [
        True, True,
    ]  # fmt: skip
    assert all(report_of(path).count(text) == 1 for text in said)


@pytest.mark.slow
def test_what_decides_the_answer_is_in_the_identity(put: PUT, ladder: LADDER) -> None:
    """e09: one folder of runs, two queries: nothing kept of the one is taken for the other."""
    bad, good = put("e09_query"), put("e09_query", "task_good.yaml")
    assert score_of(prompt_of(assessed(bad))) == ("failed", 0.0, 24)
    assert score_of(prompt_of(assessed(good))) == ("passed", 1.0, 24)
    [plan] = (good.parent / "runs").glob("*/*/revalidation.yaml")
    pinned = yaml.safe_load(plan.read_text())["pinned"]
    assert pinned["model: query"] == "deployment=good"


STOPPED = {
    "e13_tool": "9 x tool call (the model called a tool, and none was offered)",
    "e15_nomodel": '9 x HTTP 404 (model "fake" not found, try pulling it first)',
    "e16_html": "9 x not JSON (an HTML page: Sign in)",
}
"""Case whose every request fails -> the commonest error with its count."""


@pytest.mark.parametrize("name", STOPPED)
def test_a_run_whose_every_request_fails_stops_with_the_reason(
    name: str, put: PUT, ladder: LADDER, server: FaultyServer
) -> None:
    path = put(name)
    found = ladder("assess", path, "--runs", path.parent / "runs")
    assert found.code == 2
    said = " ".join(found.out.split())
    assert STOPPED[name] in said
    assert "0.00 on 0" not in said
    assert STOPPED[name] in report_of(path)
    [record] = (path.parent / "runs").glob("*/*/assessment.json")
    kept = Assessment.model_validate_json(record.read_text())
    assert STOPPED[name] in (kept.stopped or "")
    assert prompt_of(kept).status == "no verdict"
    assert prompt_of(kept).measurement is None
    assert len(chats(server)) < 20


def test_a_spending_limit_holds_before_the_request_that_would_break_it(
    put: PUT, ladder: LADDER, server: FaultyServer
) -> None:
    """e01 with prices: an answer of 1,024 tokens may cost more than the 5 USD of the task."""
    path = put("e01_right", "task_priced.yaml", answer={"type": "label", "max_tokens": 1024})
    found = ladder("assess", path, "--runs", path.parent / "runs")
    assert found.code == 2
    assert "the next request may cost 11 USD: stopped" in " ".join(found.out.split())
    assert chats(server) == []


def test_a_spending_limit_lets_through_what_it_covers(
    put: PUT, ladder: LADDER, server: FaultyServer
) -> None:
    path = put("e01_right", "task_priced.yaml", answer={"type": "label", "max_tokens": 20})
    found = ladder("assess", path, "--runs", path.parent / "runs")
    used = sum(11 + 3 for _ in chats(server)) / 1e6 * 10_000
    assert found.code == 2
    assert 0 < used <= 5
    assert "of rules.max_spend_usd 5 over all runs of this task" in " ".join(found.out.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit", "score"), [("e18_cjk_cut", 48, 0.0), ("e19_long_targets", 64, 0.5)]
)
def test_cut_answers_are_a_cause_of_their_own(
    name: str, limit: int, score: float, put: PUT, server: FaultyServer
) -> None:
    """The user's limit is kept, what would do is said, and nothing is trained for it."""
    path = put(name, answer={"type": "text", "max_tokens": limit}, rungs=["prompt", "rag", "lora"])
    found = assessed(path)
    status, mean, n = score_of(prompt_of(found))
    assert (status, n) == ("failed", 24)
    assert mean == pytest.approx(score, abs=0.15)
    diagnosis = prompt_of(found).diagnosis
    assert diagnosis is not None
    assert [(cause.name, cause.count) for cause in diagnosis.causes] == [("cut", 24)]
    assert set(diagnosis.refuses) == {"prompt", "rag", "lora", "distill"}
    assert [attempt.status for attempt in found.attempts[1:]] == ["skipped", "skipped"]
    assert limit in sent(server, "max_tokens")
    assert max(sent(server, "max_tokens")) <= 256, "it does not think: more is written for nothing"
    assert f"24 of 24 answers are cut at {limit} tokens" in report_of(path)


def test_answers_that_are_cut_before_any_text_are_no_wrong_answers(
    put: PUT, ladder: LADDER, server: FaultyServer
) -> None:
    """e02 under the user's own 20 tokens: its thoughts need 300."""
    path = put("e02_thinkempty", answer={"type": "label", "max_tokens": 20})
    found = ladder("assess", path, "--runs", path.parent / "runs")
    assert found.code == 2
    said = " ".join(found.out.split())
    assert "4 of 4 answers are cut at 20 tokens: `answer.max_tokens: 384` would do" in said
    assert "does not know this task's answers" not in said
    assert sent(server, "max_tokens") <= {20, 16, 4096}


CUT = "targets have more tokens than answer.max_tokens"
MAY_CUT = "warning: targets may have more tokens than answer.max_tokens"


@pytest.mark.slow
def test_check_compares_the_longest_target_with_the_limit(put: PUT, ladder: LADDER) -> None:
    """e18, e19: without its tokenizer a model's tokens are estimated, and never too low."""
    said = {
        limit: ladder("check", put("e18_cjk_cut", answer={"type": "text", "max_tokens": limit})).out
        for limit in (48, 64, 256)
    }
    assert f"warning: 29 of 60 {CUT}: 48" in said[48]
    assert "Write max_tokens: 211 or more" in said[48]
    assert f"{MAY_CUT}: 64 (up to 211;" in said[64]
    assert CUT not in said[256]
    assert MAY_CUT not in said[256]
    long = ladder("check", put("e19_long_targets", answer={"type": "text", "max_tokens": 64})).out
    assert f"warning: 60 of 60 {CUT}: 64" in long


@pytest.mark.slow
def test_a_search_in_chinese_finds_the_document(put: PUT) -> None:
    """r01: rag reaches what a model reaches that is given the right document."""
    found = assessed(put("r01_chinese"))
    prompt, rag = found.attempts
    assert score_of(prompt)[:2] == ("failed", 0.0)
    assert prompt.diagnosis is not None
    assert prompt.diagnosis.ablations["oracle"].mean == 1.0
    assert score_of(rag)[:2] == ("passed", 1.0)
    assert [health.recall[1].mean for health in rag.retrieval] == [1.0]


@pytest.mark.slow
def test_rows_without_a_word_have_a_control(put: PUT) -> None:
    """x01: emoji alone."""
    found = assessed(put("x01_emoji"))
    assert found.control is not None
    assert max(line.score.mean for line in found.control.lines) == 1.0
    assert score_of(prompt_of(found))[:2] == ("failed", 0.0)


@pytest.mark.slow
def test_each_revalidation_asks_anew(put: PUT, ladder: LADDER, server: FaultyServer) -> None:
    """v01: on one day, with a model that went wrong between two checks."""
    path = put("v01_same_day")
    assert ladder("assess", path, "--runs", path.parent / "runs").code == 0
    [plan] = (path.parent / "runs").glob("*/*/revalidation.yaml")
    for wrong in (False, False, True):
        before = len(chats(server))
        if wrong:
            server.script = HABITS["wrong"]
        found = ladder("revalidate", plan)
        assert len(chats(server)) - before >= 24
        assert found.code == int(wrong)
        assert ("The answer still holds." in found.out) == (not wrong)
    assert "the score fell from 1.000 (0.862–1.000) to 0.000 (0.000–0.138)" in found.out


@pytest.mark.slow
def test_a_schedule_names_what_its_plan_needs(put: PUT, ladder: LADDER) -> None:
    path = put("v01_same_day")
    ladder("assess", path, "--runs", path.parent / "runs")
    [plan] = (path.parent / "runs").glob("*/*/revalidation.yaml")
    job = yaml.safe_load(ladder("schedule", plan, "--target", "github").out)
    steps = job["jobs"]["revalidate"]["steps"]
    [step] = [s for s in steps if s.get("run", "").startswith("ladder revalidate")]
    assert step["env"] == {"LADDER_API_KEY": "${{ secrets.LADDER_API_KEY }}"}
    assert "LADDER_API_KEY=…" in ladder("schedule", plan, "--target", "cron").out


# Models of this machine.

CASES_OF_MODELS = {"l01_nosystem": "alternates", "m_bos": "bos"}
"""Case -> what its model does, in `habits`."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("l01_nosystem", marks=pytest.mark.long), "m_bos"])
def test_a_model_is_asked_as_its_template_and_tokenizer_want(
    name: str, put: PUT, ladder: LADDER, smollm: Path
) -> None:
    """And the job of its plan installs what a model of this machine needs."""
    path = put("l01_nosystem")
    with_habit(CASES_OF_MODELS[name], smollm, path.parent / "m_nosystem")
    attempt = prompt_of(assessed(path))
    status, mean, n = score_of(attempt)
    assert (status in ("passed", "undecided"), n) == (True, 14)
    assert mean > 0.5
    assert attempt.measurement is not None
    assert (attempt.measurement.errors, attempt.asked.errors) == (0, {})
    assert {"chat" in line.description for line in attempt.race} == {True, False}
    [plan] = (path.parent / "runs").glob("*/*/revalidation.yaml")
    job = ladder("schedule", plan, "--target", "github").out
    assert "escalation-ladder[local]==" in job
    assert "LADDER_API_KEY" not in job


def long_rows(folder: Path) -> Path:
    """Write l03: rows of 3,400 words for a model with a context of 8,192 tokens."""
    draw = random.Random(0)
    labels = ("refund", "delivery", "login")

    def word() -> str:
        return "".join(draw.choice("bcdfglmnprstv") + draw.choice("aeiou") for _ in range(3))

    for split, count in (("train", 20), ("test", 24)):
        rows = [
            {"input": " ".join(word() for _ in range(3400)), "target": labels[at % 3]}
            for at in range(count)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)
    return folder


@pytest.fixture
def long_task(tmp_path: Path) -> Path:
    shutil.copy(HERE / "l03_long_rows" / "task.yaml", tmp_path)
    return long_rows(tmp_path) / "task.yaml"


@pytest.mark.slow
def test_check_counts_rows_beyond_the_context(
    long_task: Path, ladder: LADDER, smollm: Path
) -> None:
    found = ladder("check", long_task)
    assert found.code == 0
    said = (
        r"warning: 44 of 44 inputs do not fit the model's context of 8,192 tokens \(row \S+ alone"
    )
    assert re.search(said, found.out)


@pytest.mark.slow
def test_rows_beyond_the_context_are_no_wrong_answers(
    long_task: Path, ladder: LADDER, smollm: Path
) -> None:
    found = ladder("assess", long_task, "--runs", long_task.parent / "runs")
    said = " ".join(found.out.split())
    assert found.code == 2
    assert re.search(r"4 of 4 requests failed \(4 x too long: \d+ prompt tokens;", said)
    assert "Shorten the rows or the documents" in said
    assert "name a model with a larger context" in said
    assert "0.00 on 0" not in said


def test_every_case_is_tried() -> None:
    """A folder that no test names would be read by nobody."""
    tests = Path(__file__).read_text()
    folders = {path.name for path in HERE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert all(f'"{name}' in tests for name in folders), folders
