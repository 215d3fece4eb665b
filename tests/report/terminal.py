"""A terminal for tests: a program runs at a real pseudo-terminal, and what it left is read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from conftest import ROOT

CODES = re.compile(r"\x1b\[(\??)(\d*(?:;\d+)*)([A-Za-z])|\x1b[\]P].*?(?:\x07|\x1b\\)")
COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d(?:;[\d;]+)?m")


@dataclass(frozen=True)
class Left:
    """What a program left at a terminal."""

    code: int
    sent: str
    """All that it sent."""

    @property
    def lines(self) -> list[str]:
        """What stands on the screen and above it, as one long sheet."""
        return sheet(self.sent)

    @property
    def hides_cursor(self) -> bool:
        return self.sent.rfind("\x1b[?25l") > self.sent.rfind("\x1b[?25h")


def sheet(sent: str) -> list[str]:
    """Return the lines that a terminal shows that never scrolls: what rich sends, no more.

    A sequence that is not known here is an error: no screen would be shown rightly by guessing.
    """
    lines, row, column, at = [""], 0, 0, 0
    while at < len(sent):
        if code := CODES.match(sent, at):
            private, number, letter = code.groups()
            row, column = _obeyed(lines, row, column, private, number or "", letter)
            at = code.end()
            continue
        sign, at = sent[at], at + 1
        if sign == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif sign == "\r":
            column = 0
        else:
            assert sign.isprintable(), repr(sign)
            lines[row] = lines[row].ljust(column)[:column] + sign + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def _obeyed(
    lines: list[str], row: int, column: int, private: str, number: str, letter: str
) -> tuple[int, int]:
    if letter == "A":
        return max(0, row - int(number or 1)), column
    if letter == "K" and number == "2":
        lines[row] = ""
        return row, column
    assert letter == "m" or (private and number == "25"), (private, number, letter)
    return row, column


def at_terminal(
    code: str,
    columns: int = 80,
    do: Callable[[subprocess.Popen[bytes]], object] = lambda process: None,
    words: Sequence[str] = (),
    **env: str,
) -> Left:
    """Run Python code at a pseudo-terminal of so many columns.

    Args:
        code: the program.
        columns: of the terminal.
        do: what is done to the process once it has said `ready`.
        words: its arguments.
        env: changes to the environment.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *words],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
        env={**known, "TERM": "xterm-256color", **env},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    os.close(theirs)
    sent, done = b"", False
    with suppress(OSError):  # the terminal ends with the program
        while part := os.read(ours, 65536):
            sent += part
            if b"ready" in sent and not done:
                done = True
                do(process)
    os.close(ours)
    return Left(process.wait(timeout=60), sent.decode().replace("\r\n", "\n\r"))


def interrupted(process: subprocess.Popen[bytes]) -> None:
    """Let the screen be drawn a few times, then send Ctrl-C."""
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)


def terminated(process: subprocess.Popen[bytes]) -> None:
    """Likewise, and end it."""
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
