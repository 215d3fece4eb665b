"""How the program ends when it is told to, and when nobody takes what it says."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_END_S = 40.0
"""Seconds that ending may take: a training under way is given twenty to stop."""
RAISED_AGAIN_S = 0.1


class EndedError(KeyboardInterrupt):
    """The program was told to end: every `finally` on the way out is run, as at Ctrl-C.

    Its argument is the number of the signal.
    """


def end_on_signals() -> list[int]:
    """Let Ctrl-C, `kill` and a terminal that closes end the program alike, and once.

    What is ignored from outside (`nohup`, a background job) stays ignored.

    Returns:
        a list in which the number of the signal will stand, or 0 once the program has ended.
    """
    received: list[int] = []
    overdue: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        if not received:  # further ones change nothing: it is ending
            received.append(number)
            signal.signal(signal.SIGALRM, late)
            signal.setitimer(signal.ITIMER_REAL, LONGEST_END_S)
            raise EndedError(number)

    def late(number: int, _: FrameType | None) -> None:
        if overdue:
            os._exit(128 + received[0])
        overdue.append(number)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_END_S)
        raise EndedError(received[0])

    def not_lost(unraisable: Any) -> None:  # raised where Python cannot pass it on
        if issubclass(unraisable.exc_type, EndedError):
            signal.setitimer(signal.ITIMER_REAL, RAISED_AGAIN_S)
        else:
            sys.__unraisablehook__(unraisable)

    if threading.current_thread() is threading.main_thread():
        sys.unraisablehook = not_lost
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                signal.signal(number, end)
    return received


def has_ended(received: list[int]) -> None:
    """Let no later signal disturb the last steps, those of Python's own included."""
    received.append(0)
    if received[0]:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def open_streams() -> None:
    """Let anything be printed: signs that the output has none for, and where an output is closed.

    A closed one is opened on nothing: else the next file that is opened would take its place.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            handle = os.open(os.devnull, os.O_RDWR)
            os.dup2(handle, number)
            if handle > number:
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flush() -> OSError | None:
    """Send what was printed on its way; return what kept it from going."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # what is left must not fail again at the very end
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stdout.fileno())
            os.close(nothing)
        return error
    return None
