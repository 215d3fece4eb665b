"""How fast a model answers here: what a probe finds, and what long prompts take more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ladder.engines import speed as speed_module
from ladder.engines.base import Completion, Request
from ladder.engines.speed import PROMPT_TOKENS, Speed, probe, usual_speed

READ, FAR, WRITE = 1 / 600, 1e-6, 1 / 15


class Clock:
    """A model that takes a known time, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        for at, request in enumerate(requests):
            tokens = len((request.text or "").split())
            self.now += tokens * (READ + FAR * max(0, tokens - PROMPT_TOKENS))
            if not request.choices:
                self.now += WRITE * request.max_tokens
            yield at, Completion("", tokens, 1, 0.0)


def test_a_probe_finds_the_rates_and_what_a_long_prompt_takes_more(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed_module.time, "perf_counter", lambda: clock.now)
    found = probe(clock)
    assert found.read == pytest.approx(1 / READ, rel=0.01)
    assert found.write_alone == pytest.approx(1 / WRITE, rel=0.01)
    assert found.attending == pytest.approx(FAR, rel=0.05)
    assert found.reading(2000, 2000) == pytest.approx(2000 * (READ + FAR * 1850), rel=0.05)


def test_a_short_prompt_takes_no_less_than_the_rate():
    found = Speed(read=100, write=10, read_alone=50, write_alone=5, attending=1e-3)
    assert found.reading(10, 10) == 0.1
    assert found.reading(10, 10, alone=True) == 0.2
    assert found.reading(10, PROMPT_TOKENS + 1000) == pytest.approx(10.1)


@pytest.mark.parametrize(
    ("flags", "held", "name"),
    [
        ({"avx2", "avx512_bf16", "amx_bf16"}, "bfloat16", "amx_bf16"),
        ({"avx2", "avx512_bf16"}, "bfloat16", "bfloat16"),
        ({"avx2", "avx512_bf16", "amx_bf16"}, "float32", "float32"),
    ],
)
def test_an_unprobed_speed_goes_by_units_and_threads(monkeypatch, flags, held, name):
    monkeypatch.setattr(speed_module, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(speed_module, "precision", lambda: held)
    kind = speed_module.TWO_CORES[name]
    for threads, times in ((1, 0.5), (2, 1), (64, 4)):
        monkeypatch.setattr(speed_module, "threads", lambda threads=threads: threads)
        found = usual_speed()
        assert found.read == times * kind.read
        assert found.reading(1, 1000) == pytest.approx(kind.reading(1, 1000) / times)
