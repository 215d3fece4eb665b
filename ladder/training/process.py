"""A recipe's program as a process: on this machine, or wherever a `Start` puts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ladder.redaction import without_keys
from ladder.trust.quiet import HUB_OFFLINE, quieted

STOP_SECONDS = 20


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    command: tuple[str, ...]
    log: Path
    """Where it prints to."""
    needs: tuple[Path, ...] = ()
    """Folders of models that it reads."""


class Process(Protocol):
    """A program that runs."""

    @property
    def name(self) -> str:
        """How a person finds it: its number, and its machine where that is another."""
        ...

    def poll(self) -> int | None:
        """Return its exit code, or -N where signal N has ended it; None while it runs."""
        ...

    def end(self) -> None:
        """End it, if it still runs."""
        ...


Start = Callable[[Order, int], Process]
"""(what is run, descriptor of the lock on its folder) -> the process."""


def start_here(order: Order, lock: int) -> Process:
    """Run a program on this machine; it holds the lock as well, since it may outlive this one."""
    return _Here(popen(order, pass_fds=(lock,)))


def popen(order: Order, *, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a program with its log: no network, no key, and what it writes is its owner's alone."""
    usual = {HUB_OFFLINE: "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
    with os.fdopen(os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as out:
        return subprocess.Popen(
            order.command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**quieted(without_keys(os.environ)), **usual},
            pass_fds=pass_fds,
            umask=0o077,  # what it writes holds rows
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; make it end where it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Here:
    """A process of this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def name(self) -> str:
        return str(self._process.pid)

    def poll(self) -> int | None:
        return self._process.poll()

    def end(self) -> None:
        end(self._process)
