"""What was answered stays answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.cache import CachedEngine, Store
from ladder.errors import StateError


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
    engine = CachedEngine(echo, Store(tmp_path / "c.sqlite"))
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
    engine = CachedEngine(echo, Store(tmp_path / "c.sqlite"))
    assert ask(engine, "bad")[0].error == "no"
    ask(engine, "bad")
    assert echo.asked == ["bad", "bad"]


def test_an_answer_is_kept_the_moment_it_comes(tmp_path):
    echo, path = Echo(), tmp_path / "c.sqlite"
    stream = CachedEngine(echo, Store(path)).complete([Request(text="a"), Request(text="b")])
    next(stream)
    stream.close()  # the run ends here
    fresh = Echo()
    ask(CachedEngine(fresh, Store(path)), "a", "b")
    assert fresh.asked == ["b"]


def test_another_request_or_engine_is_another_answer(tmp_path):
    store = Store(tmp_path / "c.sqlite")
    echo = Echo()
    engine = CachedEngine(echo, store)
    list(engine.complete([Request(text="a", max_tokens=1), Request(text="a", max_tokens=2)]))
    assert len(echo.asked) == 2


def test_a_fact_is_computed_once(tmp_path):
    store, counted = Store(tmp_path / "c.sqlite"), []

    def compute() -> dict[str, int]:
        counted.append(1)
        return {"n": 1}

    assert store.remember("x", [1], compute) == store.remember("x", [1], compute) == {"n": 1}
    assert store.remember("x", [2], compute) == {"n": 1}
    assert len(counted) == 2


def test_two_runs_share_a_file(tmp_path):
    left, right = (Store(tmp_path / "c.sqlite") for _ in range(2))
    left.put("a", 1)
    right.put("b", 2)
    assert left.get(["a", "b"]) == right.get(["a", "b"]) == {"a": 1, "b": 2}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        Store(tmp_path / "file" / "c.sqlite")
