"""The endpoint engine as a whole: what it is, and what of it a timed copy shares."""

from __future__ import annotations

import pytest
from engines.endpoint.asking import ask, engine_for
from engines.faulty_server import FaultyServer, Step, failing

from ladder.engines.endpoint import EndpointEngine
from ladder.testing import check_engine


def test_it_is_named_by_address_and_model() -> None:
    engine = EndpointEngine("tiny", "https://api.example.com/v1/")
    assert engine.fingerprint() == {"endpoint": "https://api.example.com/v1", "model": "tiny"}
    assert repr(engine) == "EndpointEngine(model='tiny', base_url='https://api.example.com/v1')"
    assert engine.count_tokens("12345") == 2


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"attempts": 0}])
def test_counts_start_at_one(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="start at 1"):
        EndpointEngine("tiny", "https://api.example.com/v1", **wrong)


def test_contract() -> None:
    with FaultyServer() as server:
        check_engine(engine_for(server.url))


def test_a_timed_copy_streams_and_shares_what_is_known_of_the_endpoint() -> None:
    with FaultyServer([Step(words_s=0), failing(400, "no such model"), Step()]) as server:
        plain = engine_for(server.url)
        timed = plain.streaming(2)
        assert [answer.text for _, answer in timed.complete([ask("streamed")])] == ["streamed"]
        list(plain.complete([ask("refused")]))
        list(plain.complete([ask("whole")]))
    assert ["stream" in request.payload for request in server.seen] == [True, False, False]
    assert timed.counts == plain.counts == {"HTTP 400": 1}
    assert timed.words("HTTP 400") == "no such model"
    assert timed.words("HTTP 500") == ""
