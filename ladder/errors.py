"""Errors a user can meet. Only `cli` catches them, prints them and chooses the exit code.

LadderError
├── TaskError          task.yaml is wrong; carries every mistake found
├── DataError          a data file is wrong; names file and line
├── SettingsError      the user's own configuration is wrong
├── MissingExtraError  a library is not installed; names the command that installs it
├── EngineError        no answers can be had from a model or an endpoint
│   ├── PassportError      a trained artefact, or its base, is not what its passport says
│   ├── NoEffectError      an adapter leaves its base's answers as they are
│   ├── EndpointDownError  an endpoint fails again and again: nothing more is sent there
│   └── NoVerdictError     too many requests failed to choose, to compare or to explain
├── EgressError        a connection to another machine, where a task keeps its data here
├── IsolationError     a run without a way out cannot be had on this machine
├── TrainingError      a recipe's program failed; names its log
├── SpendLimitError    rules.max_spend_usd is reached
└── StateError         a run folder or the cache cannot be read or written
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ladder.wording import MOST_SAID, MOST_SHOWN, harmless


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, what was found, what was wanted, how to fix it."""

    where: str
    got: str
    wanted: str
    fix: str = ""

    def __str__(self) -> str:
        parts = (self.where, self.got, self.wanted, self.fix)
        where, got, wanted, fix = (harmless(part, MOST_SHOWN) for part in parts)
        text = f"{where}: got {got}, wanted {wanted}."
        return f"{text} {fix}" if fix else text


GO_ON = "What was answered is kept: run the same command again to go on."


class LadderError(Exception):
    """The base of every error that a user can meet; shown as one line, whatever is quoted in it."""

    def __str__(self) -> str:
        return harmless(super().__str__(), MOST_SAID)


class ProblemsError(LadderError):
    """An error that lists several mistakes at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class TaskError(ProblemsError):
    """task.yaml is wrong."""


class DataError(ProblemsError):
    """A data file is wrong."""


class SettingsError(ProblemsError):
    """The user's own configuration is wrong."""


class MissingExtraError(LadderError):
    """A library that this step needs is not installed."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: {install}")


class EngineError(LadderError):
    """No answers can be had from a model or an endpoint."""


class PassportError(EngineError):
    """A trained artefact, or the base under it, is not what its passport says."""


class NoEffectError(EngineError):
    """An adapter leaves the answers of its base as they are."""


class EndpointDownError(EngineError):
    """An endpoint failed again and again: the run ends, and what was answered is kept."""

    def __init__(self, message: str, counts: Mapping[str, int]) -> None:
        """Take the message, with the server's own words, and how often each kind of error came."""
        super().__init__(message)
        self.counts = dict(counts)


class NoVerdictError(EngineError):
    """Too many requests failed to choose, to compare or to explain: there is no verdict."""


class EgressError(LadderError):
    """A connection to another machine was refused: the task keeps its data here."""


class IsolationError(LadderError):
    """A network namespace without a route cannot be made here."""


class TrainingError(LadderError):
    """A recipe's program failed."""


class StateError(LadderError):
    """A run folder or the cache cannot be read or written."""


class SpendLimitError(LadderError):
    """The task's spending limit is reached."""
