"""Which layers a smaller student keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ladder.training.prune import kept_layers


@given(st.integers(1, 200), st.integers(1, 250))
def test_as_many_layers_as_asked_in_their_order_with_both_ends(layers: int, keep: int) -> None:
    kept = kept_layers(layers, keep)
    assert len(kept) == min(layers, keep)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(range(layers))
    assert kept[-1] == layers - 1
    if keep > 1:
        assert kept[0] == 0


def test_the_middle_goes_first_and_the_last_two_stay() -> None:
    assert kept_layers(30, 8) == [0, 1, 2, 3, 4, 5, 28, 29]
    assert kept_layers(30, 3) == [0, 1, 29]
    assert kept_layers(30, 1) == [29]
    assert kept_layers(4, 9) == [0, 1, 2, 3]
