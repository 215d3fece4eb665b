"""Machines, memory and costs for a volume."""

from __future__ import annotations

import pytest
from economy.billed import attempt

from ladder.economy.machines import HOURS_PER_MONTH
from ladder.economy.serving_memory import kv_bytes_per_token, serving_memory, tokens_at
from ladder.economy.sizing import MOST_BUSY, SECONDS_PER_MONTH, Wanted, size
from ladder.evidence import Bill, Latency, Measurement, Sizing, TokenUse
from ladder.task import Prices

MONTH = int(SECONDS_PER_MONTH)
"""Requests a month that come to one a second."""
PRICES = Prices(input_usd_per_1m=1.0, output_usd_per_1m=4.0, source="a table")


def measured(service: tuple[float, ...] = (0.5,) * 100) -> Measurement:
    found = attempt("prompt", 0.1).measurement
    assert found is not None
    return found.but(
        latency_ms=Latency(p50=500, p95=500, p99=500, n=len(service), service_s=service),
        tokens=TokenUse(input_mean=500, output_mean=50, blocks={10: 18, 40: 2}),
    )


def sized(
    found: Measurement, wanted: Wanted, bill: Bill | None = None, prices: Prices | None = None
) -> Sizing | None:
    return size(found.latency_ms, wanted, found.tokens, bill, prices)


def bill(**more: object) -> Bill:
    values = {
        "rung": "prompt",
        "passed": True,
        "build": 60.0,
        "labels": 0.0,
        "revalidation_per_quarter": 0.0,
        "per_1k": 0.1,
        "fixed_per_month": 5.0,
        "per_month": 0.0,
    }
    return Bill.model_validate({**values, **more})


def test_a_volume_without_a_limit_is_held_by_machines_that_are_not_too_busy() -> None:
    found = sized(measured(), Wanted(requests_per_month=4 * MONTH, usd_per_hour=1.0))
    assert found is not None
    assert found.machines == 3  # 4 a second × 0.5 s = 2 busy machines, at most 80 % each
    assert found.utilisation == pytest.approx(2 / 3)
    assert found.utilisation <= MOST_BUSY
    assert found.usd_per_month == 3 * HOURS_PER_MONTH
    assert found.peak_assumed


def test_a_peak_counts_and_the_month_is_busy_for_its_mean() -> None:
    wanted = Wanted(MONTH, 1.0, peak_per_second=4.0, limit_ms=2_000)
    found = sized(measured(), wanted)
    assert found is not None
    assert found.machines == 3
    assert (found.utilisation, found.utilisation_mean) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 6, rel=1e-4),
    )
    assert found.p95_ms is not None
    assert 500 <= found.p95_ms <= 2_000


def test_hours_without_work_make_the_others_busier() -> None:
    found = sized(measured(), Wanted(MONTH, 1.0, worked=0.25))
    assert found is not None
    assert found.peak_per_second == pytest.approx(4.0, rel=1e-4)


def test_a_limit_below_the_time_of_one_request_is_held_by_none() -> None:
    found = sized(measured(), Wanted(MONTH, 1.0, limit_ms=400))
    assert found is not None
    assert (found.machines, found.p95_ms, found.usd_per_month) == (None, None, None)


def test_without_times_of_single_requests_nothing_is_sized() -> None:
    untimed = measured().but(latency_ms=Latency(p50=1, p95=1, p99=1, n=20))
    assert sized(untimed, Wanted(MONTH, 1.0)) is None
    assert sized(measured().but(latency_ms=None), Wanted(MONTH, 1.0)) is None


def test_owning_costs_less_from_where_rent_is_below_the_price_of_tokens() -> None:
    found = sized(measured(), Wanted(MONTH, 1.0, limit_ms=5_000), bill(), PRICES)
    assert found is not None
    assert found.per_token is not None
    assert found.own_per_month == found.usd_per_month + 5.0
    per_1k = 500 / 1000 + 4 * 50 / 1000
    assert found.per_token.usd_per_1k == pytest.approx(per_1k)
    assert found.per_token.usd_per_month == pytest.approx(per_1k * MONTH / 1000)
    assert found.per_token.own_from == pytest.approx((HOURS_PER_MONTH + 5) / per_1k * 1000)


def test_cheap_tokens_are_never_undercut() -> None:
    cheap = Prices(input_usd_per_1m=0.001, output_usd_per_1m=0.001)
    found = sized(measured(), Wanted(MONTH, 1.0), prices=cheap)
    assert found is not None
    assert found.per_token is not None
    assert found.per_token.own_from is None


def test_keys_and_values_at_the_measured_lengths() -> None:
    # SmolLM2-135M: 30 layers, 3 heads of keys, 64 wide.
    assert kv_bytes_per_token(30, 192, "bfloat16") == 23_040
    found = serving_memory(134_515_008, 30, 192, "bfloat16", {10: 18, 40: 2})
    assert (found.tokens_p50, found.tokens_p95, found.tokens_longest) == (160, 640, 640)
    assert found.weights_mb == pytest.approx(256.6, abs=0.1)
    [one, four, sixteen] = found.in_flight
    assert one.kv_mb == pytest.approx(640 * 23_040 / 2**20)
    assert four.kv_mb == pytest.approx(4 * one.kv_mb)
    assert sixteen.kv_mb == pytest.approx(16 * one.kv_mb)
    assert sixteen.total_mb == pytest.approx(found.weights_mb + sixteen.kv_mb)


def test_a_share_of_the_requests_fits_into_whole_blocks() -> None:
    assert tokens_at({1: 1}, 1) == 16
    assert tokens_at({1: 94, 3: 6}, 0.94) == 16
    assert tokens_at({1: 94, 3: 6}, 0.95) == 48
