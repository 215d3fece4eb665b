"""A GGUF file is answered by llama.cpp, in a process that ends with its parent."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from engines.endpoint.llama_server import bundled_gguf
from small_tasks import write_task

from ladder.climb.preflight import preflight
from ladder.engines import ENGINES, open_engine
from ladder.engines.base import Request
from ladder.engines.gguf import GgufEngine
from ladder.errors import EngineError, LadderError
from ladder.task import load_task
from ladder.testing import check_engine

needs_llama = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="no llama.cpp here")
pytestmark = needs_llama


@pytest.fixture(scope="module")
def engine() -> GgufEngine:
    return GgufEngine(bundled_gguf())


def chat(text: str, **more: object) -> Request:
    turns = (("system", "Answer in one word."), ("user", text))
    return Request(messages=turns, **{"max_tokens": 8, **more})  # type: ignore[arg-type]


def answers(engine: GgufEngine, *requests: Request) -> list[str]:
    found = dict(engine.complete(requests))
    assert all(found[at].error is None for at in found)
    return [found[at].text for at in range(len(requests))]


@pytest.mark.slow
def test_it_keeps_the_contract_of_an_engine(engine: GgufEngine) -> None:
    check_engine(engine)


@pytest.mark.slow
def test_chats_texts_and_json_are_answered_and_alike_each_time(engine: GgufEngine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    asked = (
        chat("Which colour is grass?"),
        Request(text="One, two, three,", max_tokens=6, stop=("\n",)),
        chat("Name a number.", schema=json.dumps(schema), max_tokens=24),
    )
    first = answers(engine, *asked)
    assert "four" in first[1]
    assert isinstance(json.loads(first[2])["a"], int)
    assert answers(engine, *reversed(asked))[::-1] == first, "what is asked before changes nothing"
    counted = dict(engine.complete(asked))[1]
    assert (counted.tokens_in, counted.tokens_out) == (6, 6)


@pytest.mark.slow
def test_a_process_that_is_killed_is_told(engine: GgufEngine) -> None:
    other = GgufEngine(bundled_gguf())
    answers(other, chat("Hello"))
    process = other.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"llama\.cpp ended"):
        list(other.complete([chat("Hello again")]))
    assert answers(other, chat("Hello")), "the next question starts it anew"


@pytest.mark.slow
def test_the_process_ends_with_the_engine_and_with_its_parent(tmp_path: Path) -> None:
    one = GgufEngine(bundled_gguf())
    answers(one, chat("Hello"))
    assert one.process is not None
    pid = one.process.pid
    del one
    gc.collect()
    assert is_gone(pid)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from ladder.engines.gguf import GgufEngine\n"
        "from ladder.engines.base import Request\n"
        "one = GgufEngine(Path(sys.argv[1]))\n"
        "list(one.complete([Request(text='a', max_tokens=1)]))\n"
        "print(one.process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(bundled_gguf())],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert is_gone(int(done.stdout)), "nobody is left to ask it"


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_what_the_file_says_of_itself(engine: GgufEngine) -> None:
    assert engine.header == ("llama", "Q4_1", 8192, True)
    assert engine.abilities.context == 8192
    assert not engine.abilities.scores_choices
    assert set(engine.fingerprint()) == {"gguf", "quantisation", "llama.cpp", "processor"}
    assert not ENGINES["gguf"].trainable


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no such thing at all", b"GGUF" + b"\xff" * 60])
def test_a_file_that_is_none_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="no readable GGUF file"):
        _ = GgufEngine(path).abilities


@pytest.mark.slow
def test_a_file_whose_tensors_are_cut_off_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    with bundled_gguf().open("rb") as whole:
        path.write_bytes(whole.read(20_000_000))
    with pytest.raises(LadderError, match=r"cut\.gguf"):
        list(GgufEngine(path).complete([chat("Hello")]))


def test_a_file_that_is_not_there_is_found_by_check(tmp_path: Path) -> None:
    rows = lambda split, at: {"input": f"{split} {at}", "target": str(at)}  # noqa: E731
    path = write_task(
        tmp_path, rows, 20, 20, models={"base": "gguf:model.gguf"},
        answer={"type": "text"}, score="exact_match",
    )  # fmt: skip
    [problem] = preflight(load_task(path))
    assert "a GGUF file that is there (model.gguf is not)" in str(problem)
    with pytest.raises(EngineError, match="no such file"):
        open_engine("gguf:model.gguf", None, tmp_path)
