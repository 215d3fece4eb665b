"""A rung between prompt and rag: the base model, told to go through a checklist."""

from __future__ import annotations

from ladder.evidence import Candidate, Gap
from ladder.rungs.protocol import Bench, Stage, Trains
from ladder.samples.data import Data
from ladder.task import RungName, Task

NAME: RungName = "checklist"
TRAINS: Trains = "nothing"
FIXES: frozenset[Gap] = frozenset({"skill"})
WORDS = "Go through the checklist."


def needs(task: Task, data: Data) -> str | None:
    """It needs nothing."""
    return None


def unavailable(bench: Bench) -> str | None:
    """It can always be tried."""
    return None


def pointless(bench: Bench) -> str | None:
    """It is worth trying."""
    return None


def first_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Ask by chat, after the goal and the checklist."""
    told = f"{bench.task.goal} {WORDS}"
    return [
        Candidate(
            rung=NAME,
            description="chat after a checklist",
            model=bench.task.models.base,
            form="chat",
            instruction=told,
        )
    ]


STAGES: tuple[Stage, ...] = (first_stage,)
CHALLENGERS: tuple[Stage, ...] = ()
