"""Report an assessment to trackers while it runs. None of them can end or change it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from ladder.errors import MissingExtraError, Problem, TaskError
from ladder.evidence import Attempt
from ladder.files import private_folder
from ladder.progress import Watch
from ladder.redaction import keep_url_secrets, redact, redact_in, without_keys
from ladder.task import Task
from ladder.tracking import TRACKERS
from ladder.tracking.base import Begun, Ended, Kind
from ladder.tracking.values import as_rung, params_of
from ladder.wording import MOST_SHOWN, harmless

FOLDER = "tracking"
"""In the folder of all runs."""
BEGIN_S, RUNG_S, END_S, FAILED_S = 90.0, 45.0, 180.0, 10.0
"""How long a tracker is waited for."""


def check_trackers(task: Task) -> None:
    """Refuse trackers that there are not, and those that would send what has to stay here.

    Raises:
        TaskError: with every problem.
    """
    where, problems = f"{task.source}: report_to", []
    for name in task.report_to:
        if name not in TRACKERS:
            known = ", ".join((*TRACKERS, "none"))
            problems.append(Problem(where, f"`{name}`", f"some of {known}"))
        elif (place := TRACKERS[name].goes_to(os.environ)) and not task.rules.data_may_leave:
            variable = place.rpartition("(")[2].partition("=")[0].rstrip(")")
            fix = (
                "Set `rules: {data_may_leave: true}` if the task's texts may be sent there, or "
                f"unset {variable}: it is then kept on this machine."
            )
            problems.append(Problem(where, f"{name}, sent to {place}", "a place here", fix))
    if problems:
        raise TaskError(problems)


def missing_extras(task: Task) -> Iterator[MissingExtraError]:
    """Yield what a tracker of the task needs and is not installed; others are refused elsewhere."""
    for kind in (TRACKERS[name] for name in task.report_to if name in TRACKERS):
        missing = [library for library in kind.LIBRARIES if find_spec(library) is None]
        if missing:
            install = f'pip install "escalation-ladder[{kind.EXTRA}]"'
            yield MissingExtraError(", ".join(missing), install)


@dataclass
class Reporting:
    """The trackers that take what is told; one that fails is told nothing more."""

    watch: Watch
    folder: Path
    """Of the run, for the user to find what a tracker did not take."""
    open: dict[str, _Child] = field(default_factory=dict)
    """Name -> its process."""
    rungs: int = 0

    def rung(self, attempt: Attempt) -> None:
        """Report a rung that was tried."""
        self.rungs += 1
        self._tell({"rung": asdict(as_rung(self.rungs, attempt))}, RUNG_S)

    def end(self, ended: Ended) -> None:
        """Report the end of the run, and say where to look at it."""
        self._tell({"ended": asdict(ended)}, END_S)
        for name, child in self.open.items():
            place = child.kind.goes_to(os.environ)
            shown = f"sent to {place}" if place else child.kind.shown_by(str(child.folder))
            self.watch.say(f"{name}: {shown}")
        self.close()

    def close(self, within_s: float = END_S) -> None:
        """End the processes."""
        for child in self.open.values():
            child.close(within_s)
        self.open.clear()

    def _tell(self, message: Mapping[str, Any], within_s: float) -> None:
        for name, child in list(self.open.items()):
            fault = child.tell(message, within_s)
            if fault:
                self.fails(name, fault, child.log)
                del self.open[name]

    def fails(self, name: str, fault: str, log: Path) -> None:
        """Say that a tracker failed."""
        said = harmless(redact(" ".join(fault.split())), MOST_SHOWN).rstrip(".")
        self.watch.say(
            f"warning: {name} takes no more of this run ({said}). The assessment goes on, and all "
            f"of it will lie in {self.folder}. Its log: {log}. To report it after all, mend that "
            "and run the same command again: what was answered is kept"
        )


@contextmanager
def reporting(
    task: Task, digests: Mapping[str, str], runs: Path, folder: Path, watch: Watch
) -> Iterator[Reporting]:
    """Report a run to the task's trackers; where it breaks off, they are told that it failed.

    Args:
        task: says which (`report_to`), and whether what they take may leave.
        digests: of its data, by role.
        runs: the folder of all runs: what stays here is kept in it.
        folder: the run's own.
        watch: is told of a tracker that fails.
    """
    opened = Reporting(watch, folder)
    try:
        for name in task.report_to:
            _begin(opened, name, task, digests, runs / FOLDER)
        yield opened
    except BaseException:
        failed = Ended("failed", {"verdict": "broke off"}, {}, ())
        for child in opened.open.values():
            child.tell({"ended": asdict(failed)}, FAILED_S)
        raise
    finally:
        opened.close(FAILED_S)


def _begin(
    opened: Reporting, name: str, task: Task, digests: Mapping[str, str], kept: Path
) -> None:
    kind, log = TRACKERS[name], kept / f"{name}.log"
    for variable, value in os.environ.items():
        if variable.startswith(kind.KEYS):
            keep_url_secrets(value)
    begun = Begun(
        task=task.name,
        name=opened.folder.name,
        folder=str(kept),
        params=params_of(task, digests, opened.folder),
        leaves=bool(kind.goes_to(os.environ)),
    )
    try:
        private_folder(kept)
        child = _Child(kind, kept, log)
    except OSError as error:
        opened.fails(name, str(error), log)
        return
    opened.open[name] = child
    opened._tell({"begun": asdict(begun)}, BEGIN_S)


class _Child:
    """The process of one tracker."""

    def __init__(self, kind: Kind, folder: Path, log: Path) -> None:
        self.kind, self.folder, self.log = kind, folder, log
        own = {key: value for key, value in os.environ.items() if key.startswith(kind.KEYS)}
        command = [sys.executable, "-P", "-m", "ladder.tracking.child", kind.__name__]
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**without_keys(os.environ), **own},
                start_new_session=True,  # Ctrl-C is for the assessment, which tells it
            )

    def tell(self, message: Mapping[str, Any], within_s: float) -> str:
        """Tell it one thing, and wait for its answer; return what went wrong, in words."""
        line = json.dumps(redact_in(_harmless(message))).encode() + b"\n"
        entry, answers = self._process.stdin, self._process.stdout
        assert entry is not None
        assert answers is not None
        try:
            entry.write(line)
            entry.flush()
            answer = _line(answers, within_s)
        except OSError:
            answer = b""
        if answer is None:
            fault = f"no answer within {within_s:.0f} s"
        elif not answer:
            fault = "its process ended"
        else:
            fault = str(json.loads(answer)["fault"])
        if fault:
            self.close(0)
        return fault

    def close(self, within_s: float) -> None:
        """Let it end, and see to it that it has."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # and what its library has started
        self._process.wait()


def _line(pipe: IO[bytes], within_s: float) -> bytes | None:
    """Return the next line; None where none comes in time, empty where none ever will."""
    ready, _, _ = select.select([pipe], [], [], within_s)
    return pipe.readline() if ready else None


def _harmless(value: Any) -> Any:
    """Return nested values in whose texts nothing acts, wherever they will be shown."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {name: _harmless(inner) for name, inner in value.items()}
    return [_harmless(each) for each in value] if isinstance(value, Sequence) else value
