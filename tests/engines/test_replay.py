"""The replay engine: what was recorded comes back, what was not is an error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ladder.engines import open_engine
from ladder.engines.base import Completion, Request
from ladder.engines.replay import ReplayEngine, record
from ladder.errors import DataError, EngineError

CHAT = Request(messages=(("system", "be brief"), ("user", "hé\u2028llo?")), stop=("\n",))
CHOICE = Request(text="2 + 2 =", choices=(" 4", " 5"))
FAILED = Request(text="too long")
PAIRS = [
    (CHAT, Completion(text="hi", tokens_in=9, tokens_out=1, seconds=0.25)),
    (
        CHOICE,
        Completion(text=" 4", choice_logprobs=(-0.1, -math.inf), greedy_choice=0),
    ),
    (FAILED, Completion(error="HTTP 413: too long")),
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    record(tmp_path / "recorded.jsonl", PAIRS)
    return tmp_path / "recorded.jsonl"


def line(request: Any, completion: Any) -> str:
    return json.dumps({"request": request, "completion": completion})


def test_everything_recorded_comes_back_as_it_was(recording: Path) -> None:
    engine = ReplayEngine(recording)
    asked = [request for request, _ in reversed(PAIRS)]
    wanted = [completion for _, completion in reversed(PAIRS)]
    assert list(engine.complete(asked)) == list(enumerate(wanted))


@pytest.mark.parametrize(
    "request_", [Request(), Request(text="hi"), Request(messages=CHAT.messages, max_tokens=65)]
)
def test_what_was_not_recorded_is_an_error(recording: Path, request_: Request) -> None:
    [(at, completion)] = ReplayEngine(recording).complete([request_])
    assert at == 0
    assert completion == Completion(error=f"not in the recording {recording}")


def test_fingerprint_follows_the_content(recording: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(recording.read_bytes())
    before = ReplayEngine(recording).fingerprint()
    assert ReplayEngine(copy).fingerprint() == before
    record(copy, PAIRS[:2])
    assert ReplayEngine(copy).fingerprint() != before


def test_abilities_and_estimate(recording: Path) -> None:
    engine = ReplayEngine(recording)
    abilities = engine.abilities
    assert (abilities.plain, abilities.scores_choices, abilities.context) == (True, True, 8192)
    assert [engine.count_tokens(text) for text in ("", "a", "1234", "12345")] == [0, 1, 1, 2]


def test_a_recording_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "by_hand.jsonl"
    rows = [
        line({"messages": [["user", "a"]]}, {"text": "first"}),
        "",
        line({"messages": [["user", "a"]]}, {"text": "second"}),
    ]
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    request = Request(messages=(("user", "a"),))
    assert dict(ReplayEngine(path).complete([request]))[0] == Completion(text="second")


def test_what_came_from_a_cache_is_recorded_as_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    record(path, [(CHAT, Completion(text="hi", cached=True))])
    assert dict(ReplayEngine(path).complete([CHAT]))[0] == Completion(text="hi")


@pytest.mark.parametrize(
    ("bad", "got"),
    [
        ("{", "unreadable JSON"),
        ("[" * 100_000, "unreadable JSON"),
        ("[]", "valid dictionary"),
        ('{"request": {}}', "completion: Field required"),
        (line({"text": "a"}, {}), "without `text`"),
        (line({"text": "a"}, {"text": 5}), "completion.text"),
        (line({"text": "a"}, {"text": None}), "completion.text"),
        (line({"texts": "a"}, {"text": "b"}), "request.texts"),
        (line({"text": "a"}, {"text": "b", "score": 1}), "completion.score"),
        (line({"messages": [["user"]]}, {"text": "b"}), "request.messages.0.1"),
        (line({"text": "\ud800"}, {"text": "b"}), "surrogates"),
    ],
)
def test_a_malformed_line_is_named(recording: Path, bad: str, got: str) -> None:
    with recording.open("a") as file:
        file.write(f"{bad}\n")
    with pytest.raises(DataError) as caught:
        ReplayEngine(recording)
    [problem] = caught.value.problems
    assert problem.where == f"{recording}:4"
    assert got in problem.got


def test_every_malformed_line_is_named_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(b"\xff\xfe\n" * 3)
    with pytest.raises(DataError) as caught:
        ReplayEngine(path)
    assert [problem.where for problem in caught.value.problems] == [
        f"{path}:{n}" for n in (1, 2, 3)
    ]
    path.write_text("x\n" * 10_000)
    with pytest.raises(DataError) as caught:
        ReplayEngine(path)
    assert len(caught.value.problems) == 20


def test_no_such_recording(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such recording"):
        ReplayEngine(tmp_path / "none.jsonl")


def test_a_failed_recording_leaves_the_old_one(recording: Path) -> None:
    def pairs() -> Any:
        yield PAIRS[0]
        raise KeyboardInterrupt

    before = recording.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        record(recording, pairs())
    assert recording.read_bytes() == before
    assert [path.name for path in recording.parent.iterdir()] == [recording.name]


def test_it_opens_by_name(recording: Path) -> None:
    engine = open_engine(f"replay:{recording.name}", beside=recording.parent)
    assert dict(engine.complete([CHAT]))[0].text == "hi"
