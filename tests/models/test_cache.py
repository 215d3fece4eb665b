"""What was answered stays answered."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ladder.engines.base import Abilities, Completion, Request
from ladder.errors import StateError
from ladder.files import digest_of
from ladder.models.cache import Cache, CachedEngine


class Echo:
    """An engine that repeats the text, and fails on "bad"."""

    abilities = Abilities(plain=True)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fingerprint(self) -> dict[str, str]:
        return {"echo": "1"}

    def count_tokens(self, text: str) -> int:
        return len(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        for at, request in enumerate(requests):
            self.asked.append(request.text)
            if request.text == "bad":
                yield at, Completion(error="no")
            else:
                yield at, Completion(request.text, 1, 1, 0.5, choice_logprobs=(0.1, 0.2))


def ask(engine: CachedEngine, *texts: str) -> dict[int, Completion]:
    return dict(engine.complete([Request(text=text) for text in texts]))


def test_nothing_is_asked_twice_not_even_within_one_call(tmp_path):
    echo = Echo()
    engine = CachedEngine(echo, Cache(tmp_path / "c.sqlite"))
    first = ask(engine, "a", "b", "a")
    assert [first[at].text for at in range(3)] == ["a", "b", "a"]
    assert echo.asked == ["a", "b"]
    again = ask(engine, "b", "a", "c")
    assert echo.asked == ["a", "b", "c"]
    assert again[0].cached
    assert again[0].seconds == 0.5
    assert again[0].choice_logprobs == (0.1, 0.2)


def test_errors_are_asked_again(tmp_path):
    echo = Echo()
    engine = CachedEngine(echo, Cache(tmp_path / "c.sqlite"))
    assert ask(engine, "bad")[0].error == "no"
    ask(engine, "bad")
    assert echo.asked == ["bad", "bad"]


def test_an_answer_is_kept_the_moment_it_comes(tmp_path):
    echo, path = Echo(), tmp_path / "c.sqlite"
    stream = CachedEngine(echo, Cache(path)).complete([Request(text="a"), Request(text="b")])
    next(stream)
    stream.close()  # the run ends here
    fresh = Echo()
    ask(CachedEngine(fresh, Cache(path)), "a", "b")
    assert fresh.asked == ["b"]


def test_another_request_or_engine_is_another_answer(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    echo = Echo()
    engine = CachedEngine(echo, cache)
    list(engine.complete([Request(text="a", max_tokens=1), Request(text="a", max_tokens=2)]))
    assert len(echo.asked) == 2


@pytest.mark.parametrize(
    ("request_", "kept_as"),
    [
        (
            Request(text="a", max_tokens=7, stop=("\n",)),
            "f20790a20aa3aeb72a957896dd9bb3b4f1ac964671dc87299c257ad3f7d828d5",
        ),
        (
            Request(messages=(("user", "a"),), choices=("x", "y")),
            "7666878fc52d6d4a59b75e1589e2160741cbaa2068256038c68611339d3f294a",
        ),
    ],
)
def test_answers_of_earlier_versions_are_found_again(request_, kept_as):
    assert digest_of(request_.as_json()) == kept_as
    for later in ({"schema": "{}"}, {"temperature": 0.7}, {"sample": 1}):
        assert digest_of(replace(request_, **later).as_json()) != kept_as


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ({"text": "<think>hm</think>b"}, "b"),
        ({"text": "<think>hm"}, "<think>hm"),
        ({"text": "<think>hm</think>b", "thought_tokens": 0}, "<think>hm</think>b"),
    ],
)
def test_an_answer_that_was_kept_with_its_thoughts_is_read_without(tmp_path, kept, text):
    store = Cache(tmp_path / "c.sqlite")
    engine = CachedEngine(Echo(), store)
    store.put(
        digest_of([engine.identity, Request(text="a").as_json()]), {"choice_logprobs": [], **kept}
    )
    assert ask(engine, "a")[0].text == text


def test_a_fact_is_computed_once(tmp_path):
    cache, counted = Cache(tmp_path / "c.sqlite"), []

    def compute() -> dict[str, int]:
        counted.append(1)
        return {"n": 1}

    assert cache.remember("x", [1], compute) == cache.remember("x", [1], compute) == {"n": 1}
    assert cache.remember("x", [2], compute) == {"n": 1}
    assert len(counted) == 2


def test_two_runs_share_a_file(tmp_path):
    left, right = (Cache(tmp_path / "c.sqlite") for _ in range(2))
    left.put("a", 1)
    right.put("b", 2)
    assert left.get(["a", "b"]) == right.get(["a", "b"]) == {"a": 1, "b": 2}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        Cache(tmp_path / "file" / "c.sqlite")


def test_a_file_that_is_no_cache_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"not a database, and long enough to have a header " * 9)
    with pytest.raises(StateError, match="Move the file away") as caught:
        Cache(path)
    assert str(path) in str(caught.value)


def test_a_cache_that_is_damaged_inside_is_named(tmp_path):
    path = tmp_path / "c.sqlite"
    cache = Cache(path)
    for number in range(500):
        cache.put(f"key {number}", "x" * 200)
    cache.close()
    damaged = bytearray(path.read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)  # the header and the first pages stay
    path.write_bytes(damaged)
    with pytest.raises(StateError, match=r"c\.sqlite"):
        Cache(path).get([f"key {number}" for number in range(500)])


def in_a_process(code: str, *words: object) -> subprocess.Popen[str]:
    start = "import os, resource, signal, sys\nfrom pathlib import Path\n"
    start += "from ladder.models.cache import Cache\nfrom ladder.errors import StateError\n"
    start += "cache = Cache(Path(sys.argv[1]))\n"
    command = [sys.executable, "-c", start + code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_values_survive_reopening(tmp_path):
    values = {"a": [1, 2.5, None], "b": {"x": "é\u2028\ud800"}, "c": float("-inf"), "d": None}
    cache = Cache(tmp_path / "runs" / "c.sqlite")
    for key, value in values.items():
        cache.put(key, value)
    cache.put("a", "new")
    cache.close()
    again = Cache(tmp_path / "runs" / "c.sqlite")
    assert again.get([*values, "absent"]) == {**values, "a": "new"}


def test_more_keys_than_one_query_takes(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    for number in range(0, 1201, 3):
        cache.put(f"k{number}", number)
    found = cache.get([f"k{number}" for number in range(1201)])
    assert found == {f"k{number}": number for number in range(0, 1201, 3)}


def test_a_value_put_before_a_kill_is_there(tmp_path):
    process = in_a_process(
        "cache.put('a', 1)\nos.kill(os.getpid(), signal.SIGKILL)", tmp_path / "c.sqlite"
    )
    assert process.wait(timeout=60) == -9, process.communicate()
    assert Cache(tmp_path / "c.sqlite").get(["a"]) == {"a": 1}


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / "c.sqlite"
    code = "for n in range(300): cache.put(f'{sys.argv[2]}{n}', n)"
    started = [in_a_process(code, path, name) for name in "ab"]
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    assert len(Cache(path).get([f"{name}{n}" for name in "ab" for n in range(300)])) == 600


@pytest.mark.slow
def test_four_processes_open_a_new_file_in_the_same_moment(tmp_path):
    path = tmp_path / "c.sqlite"
    at = str(time.time() + 1.5)
    start = "import sys, time\nfrom pathlib import Path\nfrom ladder.models.cache import Cache\n"
    start += "while time.time() < float(sys.argv[2]): pass\nCache(Path(sys.argv[1])).put('a', 1)"
    started = [
        subprocess.Popen([sys.executable, "-c", start, str(path), at], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 4, said


def test_a_disk_that_fills_up_is_named_and_what_was_kept_stays(tmp_path):
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / "c.sqlite"
    process = in_a_process(
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "cache.put('first', 1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    for n in range(100): cache.put(f'k{n}', 'x' * 10_000)\n"
        "except StateError as error:\n"
        "    print(error)\n"
        "    sys.exit(7)\n",
        path,
    )
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 7, errors
    assert str(path) in said
    assert Cache(path).get(["first", "k0"]) == {"first": 1, "k0": "x" * 10_000}


@pytest.mark.parametrize("place", ["/dev/full/c.sqlite", "/dev/full", "/proc/none/c.sqlite"])
def test_no_folder_at_all_is_named(place):
    with pytest.raises(StateError, match=place):
        Cache(Path(place))


def test_no_value_is_a_fact_too_and_a_failure_is_none(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    assert cache.remember("none", 1, lambda: None) is None
    assert cache.remember("none", 1, lambda: 5) is None
    with pytest.raises(ZeroDivisionError):
        cache.remember("failed", 1, lambda: 1 / 0)
    assert cache.remember("failed", 1, lambda: 5) == 5


def test_a_full_disk_is_told_as_such_and_the_cache_goes_on_after_it(tmp_path):
    """SQLite's own limit of pages stands for the disk: the error is the one of a full disk."""
    cache = Cache(tmp_path / "c.sqlite")
    [(pages,)] = cache._run("PRAGMA page_count", ())
    cache._run(f"PRAGMA max_page_count={pages}", ())
    with pytest.raises(StateError, match="no space left on the device"):
        cache._run("INSERT INTO kept VALUES ('a', ?)", ("x" * 100_000,))
    cache._run("PRAGMA max_page_count=100000", ())
    cache._run("INSERT INTO kept VALUES ('a', ?)", ("x" * 100_000,))
    assert cache._run("SELECT length(value) FROM kept", ()) == [(100_000,)]


def test_a_full_disk_is_told_as_such_by_the_accounts_too(tmp_path):
    accounts = Cache(tmp_path / "c.sqlite").accounts
    [(pages,)] = accounts._execute("PRAGMA page_count")
    accounts._execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StateError, match=r"no space left on the device\. Free some"):
        accounts.reserve("x" * 100_000, 1, 0.1, 1.0)
    accounts._execute("PRAGMA max_page_count=100000")
    assert accounts.reserve("x" * 100_000, 1, 0.1, 1.0)[0]
