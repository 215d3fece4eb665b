"""How long a step has still to take: by its own pace, and at first by that of steps like it.

A pace is measured in the unit that time goes with (`progress.Work`): tokens, say, since rows are
answered longest first and a batch at a time. What was kept from before costs no time and is no part
of it. A step around others goes on with them: each is a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ladder.progress import Work, Worked

PRIOR = 0.1
"""What steps of a kind took before weighs as much as this share of a step's own work; less, the
more of it is done."""
OVERDUE = 0.3
"""A step of which nothing is heard goes on for so much of the time since it was heard of."""
FADES = 0.5
"""Of what is known of a kind's pace, with every further step of it."""
LOADS = 0.1
"""Of the first work of a step, where nothing else is known of its pace: a model is loaded, too."""
LITTLE = 0.1
"""Of a step: the first of its work tells nothing of the rest where it is less than this."""
AT_ONCE_S = 0.1
"""What comes so soon after the first comes with it: a batch, or what was kept from before."""
LATELY, LATELY_S = 0.6, 30.0
"""Of a step's time so far, and seconds at least: the pace is that of this last part."""
MARKS = 100
"""Marks of how far a step is in its time so far, at most about."""


@dataclass
class Step:
    """A step under way."""

    title: str
    total: int
    work: Work | None
    at_most: bool
    opened: float
    """Seconds, on the clock of `Steps`."""
    expected: float | None
    """Seconds for all its work, by steps of its kind or by an estimate."""
    worked: Worked
    done: int = 0
    note: str = ""
    part: float = 0.0
    """Share of the step that what is under way makes up."""
    began: float = 0.0
    """When the first work was begun that is not kept from before."""
    reached: float = 0.0
    """Share of the work that is done, that of steps inside it included."""
    heard: float = 0.0
    """When it got there."""
    first: tuple[float, float] | None = None
    """When the first work was done, and how much of it: it loads the model, or opens connections,
    and tells little of what comes after it."""
    marks: list[tuple[float, float]] = field(default_factory=list)
    """When, and how much of the work was done then: a window of the last of them gives the pace."""

    @property
    def share(self) -> float:
        """Share of the work that is done, by its own account."""
        return min(1.0, self.worked.done / self.worked.of) if self.worked.of > 0 else 1.0

    def left(self, now: float) -> float | None:
        """Return the seconds until it is done; None while nothing tells."""
        if self.done >= self.total and self.share >= 1:
            return 0.0
        own, anew = self.paced
        if self.expected is not None:
            weight = PRIOR * (1 - self.reached)
            whole = (own + weight * self.expected) / (anew + weight or 1.0)
        elif anew > 0 and not (self.reached < LITTLE and self.only_first):
            whole = own / anew
        else:
            return None
        since = now - self.heard
        return max(whole * (1 - self.reached) - since, OVERDUE * since, 0.0)

    @property
    def only_first(self) -> bool:
        """Whether no more than the first of its work is done."""
        return self.first is None or self.reached <= self.first[1]

    @property
    def paced(self) -> tuple[float, float]:
        """Seconds, and the share of the work that was done in them.

        Without the first, once there is more; without what was done long ago: a killed run that
        goes on reads what it has kept in no time.
        """
        gone = self.heard - self.began
        since = self.heard - max(LATELY_S, LATELY * gone)
        before = [mark for mark in self.marks if mark[0] <= since and mark[1] < self.reached]
        start = before[-1] if before else (self.began, 0.0)
        if self.first is not None and not self.only_first and start[0] <= self.first[0]:
            start = self.first
        return self.heard - start[0], self.reached - start[1]

    def reach(self, share: float, now: float) -> None:
        """Take note that so much of the work is done, by itself and by steps inside it."""
        if share <= self.reached:
            return
        at_once = self.only_first and (self.first is None or now - self.heard <= AT_ONCE_S)
        self.reached, self.heard = min(share, 1.0), now
        if at_once:
            self.first = (now, self.reached)
        if not self.marks or now - self.marks[-1][0] > (now - self.began) / MARKS:
            self.marks.append((now, self.reached))
        else:
            self.marks[-1] = (self.marks[-1][0], self.reached)


@dataclass
class Steps:
    """The steps under way, the outermost first, and how fast steps of each kind went."""

    clock: Callable[[], float]
    under_way: list[Step] = field(default_factory=list)
    _paces: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Kind -> seconds, and the work done in them; older steps weigh less."""

    def open(self, title: str, total: int, work: Work | None, *, at_most: bool) -> Step:
        """Begin a step inside those that are under way."""
        now, total = self.clock(), max(total, 1)
        step = Step(
            title, total, work, at_most, now, self._expected(work),
            Worked(0.0, work.amount if work else float(total)), part=1 / total, began=now,
            heard=now,
        )  # fmt: skip
        self.under_way.append(step)
        return step

    def advance(
        self, step: Step, done: int, note: str, worked: Worked | None, part: float | None
    ) -> None:
        """Take note of how far a step is, and those around it with it."""
        now = self.clock()
        step.done, step.note = done, note
        amount = step.work.amount if step.work else float(step.total)
        step.worked = worked or Worked(amount * done / step.total, amount)
        step.part = 1 / step.total if part is None else part
        if step.work and amount > 0:
            known = self._expected(step.work)
            step.expected = None if known is None else known * step.worked.of / amount
        if not step.worked.done:  # all that there is so far was kept from before
            step.began = step.heard = now
        step.reach(step.share, now)
        inside = step
        for around in reversed(self.under_way[: self.under_way.index(step)]):
            around.reach(around.share + around.part * inside.reached, now)
            inside = around

    def close(self, step: Step) -> None:
        """End a step, and learn from it how fast steps of its kind go."""
        self.under_way.remove(step)
        took, share = step.paced
        if step.work and step.work.kind and share > 0 and took > 0:
            weight = LOADS if step.only_first else 1.0
            seconds, before = self._paces.get(step.work.kind, (0.0, 0.0))
            self._paces[step.work.kind] = (
                FADES * seconds + weight * took,
                FADES * before + weight * share * step.worked.of,
            )

    def _expected(self, work: Work | None) -> float | None:
        if work is None:
            return None
        seconds, done = self._paces.get(work.kind, (0.0, 0.0))
        return work.amount * seconds / done if done else work.seconds

    def left(self) -> float | None:
        """Return the seconds until the outermost step is done; None while nothing tells."""
        return self.under_way[0].left(self.clock()) if self.under_way else None

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps under way, the outermost first."""
        return iter(tuple(self.under_way))


def clock_time(seconds: float) -> str:
    """Return a length of time as a clock shows it: 0:07, 12:30, 1:02:03."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def about(seconds: float) -> str:
    """Return a length of time that is right within a factor of two, in no more digits than that."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5
        return f"{max(1, step * round(seconds / step))} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{round(minutes)} min"
    return f"{minutes / 60:.1f} h"
