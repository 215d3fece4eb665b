"""The time left, on a clock that the tests turn."""

from __future__ import annotations

import pytest

from ladder.progress import Forecast, RungEnded, RungStarted, RunStarted, Spent, Work, Worked
from ladder.report.pace import Step, Steps, about, clock_time
from ladder.report.story import Story

RUN = RunStarted("shop", "bundled:none", ("prompt", "rag", "lora"), 0.8, None, None, 100, 50, 5.0)


class Clock:
    """Seconds, as a test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def steps(clock: Clock) -> Steps:
    return Steps(clock)


def opened(steps: Steps, total: int, work: Work | None = None) -> Step:
    return steps.open("a step", total, work, at_most=False)


def test_nothing_is_told_before_anything_is_known(clock, steps):
    step = opened(steps, 10)
    clock.now += 3
    assert step.left(clock.now) is None


def test_even_units_go_on_as_they_went(clock, steps):
    step = opened(steps, 10)
    clock.now += 4
    steps.advance(step, 2, "", None, None)
    assert step.left(clock.now) == pytest.approx(16)
    assert step.left(clock.now + 1) == pytest.approx(15)


def test_it_is_the_work_that_counts_and_not_the_units(clock, steps):
    step = opened(steps, 10, Work("reading", 100.0))
    clock.now += 8
    steps.advance(step, 2, "", Worked(80, 100), None)  # the longest come first
    assert step.left(clock.now) == pytest.approx(2)


def test_what_was_kept_takes_no_time(clock, steps):
    step = opened(steps, 100, Work("reading", 1000.0))
    steps.advance(step, 90, "", Worked(0, 100), None)
    clock.now += 5
    steps.advance(step, 95, "", Worked(50, 100), None)
    assert step.left(clock.now) == pytest.approx(5)


def test_a_step_like_one_before_is_known_before_its_first_unit(clock, steps):
    first = opened(steps, 10, Work("reading", 1000.0))
    clock.now += 10
    steps.advance(first, 10, "", Worked(1000, 1000), None)
    steps.close(first)
    second = opened(steps, 4, Work("reading", 3000.0))
    assert second.left(clock.now) == pytest.approx(30)
    clock.now += 6  # nothing is heard of it yet
    assert second.left(clock.now) == pytest.approx(24)
    steps.advance(second, 1, "", Worked(300, 3000), None)  # it goes half as fast
    assert 24 < second.left(clock.now) < 54
    assert opened(steps, 4, Work("writing", 3000.0)).left(clock.now) is None


def test_an_estimate_gives_way_to_what_is_measured(clock, steps):
    step = opened(steps, 100, Work("training", 100.0, 50.0))
    assert step.left(clock.now) == pytest.approx(50)
    for done in range(1, 51):
        clock.now += 2
        steps.advance(step, done, "", Worked(done, 100), None)
    assert step.left(clock.now) == pytest.approx(100, rel=0.15)


def test_a_step_that_is_overdue_is_never_told_to_be_done(clock, steps):
    step = opened(steps, 1, Work("passport", 1.0, 10.0))
    clock.now += 100
    assert step.left(clock.now) == pytest.approx(30)
    steps.advance(step, 1, "", None, None)
    assert step.left(clock.now) == 0


def test_a_step_goes_on_with_those_inside_it(clock, steps):
    around = opened(steps, 100)
    steps.advance(around, 0, "", None, 0.25)  # rows to 25
    inside = opened(steps, 25)
    clock.now += 6
    steps.advance(inside, 5, "", None, None)
    assert around.left(clock.now) is None  # a twentieth of it, and the first
    steps.advance(inside, 10, "", None, None)
    assert around.left(clock.now) == pytest.approx(6 * 9)
    steps.advance(inside, 25, "", None, None)
    steps.close(inside)
    steps.advance(around, 25, "", None, 0.10)
    assert around.left(clock.now) == pytest.approx(18)


def test_parts_that_were_kept_do_not_make_the_rest_look_fast(clock, steps):
    around = opened(steps, 4)
    for done in (1, 2):  # two candidates whose answers are kept
        inside = opened(steps, 8, Work("reading", 80.0))
        steps.advance(inside, 8, "", Worked(0, 0), None)
        steps.close(inside)
        steps.advance(around, done, "", None, None)
    inside = opened(steps, 8, Work("reading", 80.0))
    clock.now += 10
    steps.advance(inside, 8, "", Worked(80, 80), None)
    steps.close(inside)
    steps.advance(around, 3, "", None, None)
    assert around.left(clock.now) == pytest.approx(10)


def test_the_first_work_loads_a_model_and_tells_little(clock, steps):
    step = opened(steps, 10)
    clock.now += 9
    steps.advance(step, 1, "", None, None)
    assert step.left(clock.now) == pytest.approx(81)  # nothing else is known
    clock.now += 1
    steps.advance(step, 2, "", None, None)
    assert step.left(clock.now) == pytest.approx(8)


def test_a_batch_comes_at_once(clock, steps):
    step = opened(steps, 32)
    for batch in range(2):
        clock.now += 8
        for done in range(1, 17):
            clock.now += 0.001
            steps.advance(step, 16 * batch + done, "", None, None)
        assert step.left(clock.now) == pytest.approx(8 * (1 - batch), abs=0.1)


def test_a_killed_run_goes_on_and_is_not_told_to_be_done_at_once(clock, steps):
    around = opened(steps, 100)
    for done in range(1, 51):  # kept, and read in no time
        clock.now += 0.01
        steps.close(kept_step(steps))
        steps.advance(around, done, "", None, None)
    for done in (51, 52, 53):
        inside = opened(steps, 8, Work("reading", 80.0))
        clock.now += 2
        steps.advance(inside, 8, "", Worked(80, 80), None)
        steps.close(inside)
        steps.advance(around, done, "", None, None)
    assert around.left(clock.now) == pytest.approx(94, rel=0.05)


def kept_step(steps: Steps) -> Step:
    step = opened(steps, 8, Work("reading", 80.0))
    steps.advance(step, 8, "", Worked(0, 0), None)
    return step


def test_times_in_words():
    assert [clock_time(each) for each in (7, 750, 3723)] == ["0:07", "12:30", "1:02:03"]
    assert [about(each) for each in (0.2, 8, 37, 100, 5_000, 10_000)] == [
        "1 s", "8 s", "35 s", "2 min", "83 min", "2.8 h",
    ]  # fmt: skip


def spent(tokens: int) -> Spent:
    return Spent(tokens // 100, tokens, 0.0, 0.0, 5.0)


def test_the_whole_climb_is_told_by_its_forecast_and_the_speed_so_far(clock):
    story = Story(clock)
    story.hear(RUN)
    foreseen = {"prompt": 40.0, "rag": 60.0, "lora": 300.0}
    story.hear(Forecast(foreseen, {"prompt": 40_000, "rag": 60_000}, 10.0))
    story.hear(RungStarted("prompt", 1, 3))
    assert story.left(None) is None  # how fast this machine is, nobody knows yet
    clock.now += 20
    story.hear(spent(10_000))  # twice as long for a token as foreseen
    most, passed = story.left(5.0)
    assert most == pytest.approx(80 - 20 + 2 * 360 + 2 * 10)
    assert passed == pytest.approx(80 - 20 + 2 * 10)
    clock.now += 20
    story.hear(spent(20_000))
    story.hear(RungEnded("prompt", "failed", "", 0.1, 0.0, 0.2, 25, 40.0))
    story.hear(RungStarted("rag", 2, 3))
    assert story.left(None) == pytest.approx((2 * 370, 2 * 70))
    story.hear(RungEnded("rag", "passed", "", 0.9, 0.8, 1.0, 25, 40.0))
    assert story.left(None) == pytest.approx((20, 20))


def test_at_most_every_rung_fails_and_is_diagnosed(clock):
    story = Story(clock)
    story.hear(RUN)
    foreseen = {"prompt": 40.0, "rag": 60.0, "lora": 300.0}
    story.hear(Forecast(foreseen, {"prompt": 40_000, "rag": 60_000}, 10.0, 100.0))
    story.hear(RungStarted("prompt", 1, 3))
    clock.now += 20
    story.hear(spent(20_000))  # as foreseen
    most, passed = story.left(None)
    assert most == pytest.approx(20 + 360 + 3 * 100 + 10)
    assert passed == pytest.approx(20 + 10)
    story.hear(RungEnded("prompt", "failed", "", 0.1, 0.0, 0.2, 25, 40.0))
    assert story.left(None)[0] == pytest.approx(360 + 2 * 100 + 10)


def test_a_rung_goes_on_at_least_as_long_as_its_step(clock):
    story = Story(clock)
    story.hear(RUN)
    story.hear(Forecast({"prompt": 40.0}, {"prompt": 40_000}, 10.0))
    story.hear(RungStarted("prompt", 1, 3))
    clock.now += 100
    story.hear(spent(100_000))
    assert story.left(70.0) == pytest.approx((80, 80))
