"""What the gate may count."""

from __future__ import annotations

from ladder.evaluation.units import as_units
from ladder.samples.rows import Sample


def test_a_group_is_one_witness_whatever_rows_are_called():
    rows = [
        Sample(id=f"r{at}", input="x", target="y", group=f"r{20 + at // 5}" if at < 20 else "")
        for at in range(25)
    ]
    units = as_units([(row, float(at % 5 == 0)) for at, row in enumerate(rows)], {})
    assert units.scores == (0.2, 0.2, 0.2, 0.2, 1.0, 0.0, 0.0, 0.0, 0.0)
    assert units.weights is None
    assert units.unweighted(0.95) is None
    assert units.slices(0.95) == {}


def test_kinds_of_rows_are_weighted_and_shown_apart():
    rows = [
        Sample(id=f"r{at}", input="x", target="y", stratum=("mail", "chat")[at % 2])
        for at in range(40)
    ]
    scored = [(row, float(row.stratum == "mail")) for row in rows]
    units = as_units(scored, {"mail": 3, "chat": 1})
    assert units.weights == (1.5, 0.5) * 20
    assert units.estimate(0.95).mean == 0.75
    plain = units.unweighted(0.95)
    assert plain is not None
    assert plain.mean == 0.5
    assert {kind: (s.mean, s.n) for kind, s in units.slices(0.95).items()} == {
        "chat": (0.0, 20),
        "mail": (1.0, 20),
    }


def test_no_row_is_no_witness():
    units = as_units([], {"mail": 1})
    assert (units.scores, units.weights) == ((), None)
