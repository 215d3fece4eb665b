"""What the program ends with: an error is said in words of the user's, and becomes an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

import typer

from ladder.ending import EndedError
from ladder.errors import LadderError
from ladder.wording import MOST_SAID, harmless, harmless_lines

SIGNALLED = 128
"""And the number of the signal: what a shell says of a program that one has ended."""
INTERRUPTED, PIPE_CLOSED = SIGNALLED + 2, SIGNALLED + 13


def told(error: BaseException) -> tuple[int, str]:
    """Return the exit code that an error leads to and what is said of it; say nothing yet."""
    if isinstance(error, EndedError) and error.args:
        return SIGNALLED + int(error.args[0]), "stopped by a signal"
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return INTERRUPTED, "stopped"
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        return PIPE_CLOSED, "nobody reads the output any more"
    if isinstance(error, LadderError):
        return 2, harmless_lines(str(error))
    if hasattr(error, "show"):  # a usage error of the command-line library
        said = harmless(str(getattr(error, "message", "")), MOST_SAID)
        return int(getattr(error, "exit_code", 2)), said
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None), ""
    if said := _of_the_machine(error):
        return 2, harmless_lines(said)
    return 3, harmless(f"a bug in ladder: {type(error).__name__}: {error}", MOST_SAID)


def code_of(error: BaseException) -> int:
    """Say what is wrong, and return the exit code of it."""
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return INTERRUPTED
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        return PIPE_CLOSED  # whoever read the output has had enough, as in `ladder report | head`
    if isinstance(error, LadderError):
        say(str(error))
        return 2
    if hasattr(error, "show"):  # a usage error of the command-line library
        if isinstance(said := getattr(error, "message", None), str):
            error.message = harmless(said, MOST_SAID)  # type: ignore[attr-defined]
        error.show()
        return int(getattr(error, "exit_code", 2))
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    said = _of_the_machine(error)
    if said:
        say(said)
        return 2
    _log(error)
    return 3


def _of_the_machine(error: BaseException) -> str:
    """Return what to tell of an error that is the system's and no bug; empty for a bug."""
    if isinstance(error, MemoryError):
        return "There is not enough memory. Free some, or give fewer or shorter rows."
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
        fix = "Set PYTHONUTF8=1, or a locale with UTF-8."
        return f"The locale has no word for {ascii(error.object)[:100]}, which is a path. {fix}"
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    from ladder.files import problem_of

    if error.filename is None and not _here():
        return "The working folder is not there any more. Change to one that is: cd FOLDER"
    place = error.filename
    nowhere = "the output" if error.errno in (errno.ENOSPC, errno.EIO) else "the system"
    named = os.fsdecode(place) if isinstance(place, str | bytes) else nowhere
    return str(problem_of(Path(named), error, "what this step needs"))


def _here() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _log(error: BaseException) -> None:
    """Keep what is known of a bug; where that cannot be kept, print it."""
    import traceback

    from ladder.files import user_cache, write_whole
    from ladder.hardware import versions

    told = "".join(traceback.format_exception(error))
    said = f"A bug in ladder: {type(error).__name__}: {error}"
    try:
        log = user_cache() / "last-error.log"
        write_whole(log, f"{sys.argv}\n{versions()}\n{told}")
    except (LadderError, OSError, ValueError):
        say(f"{told}\n{said}\nPlease report it with the lines above.")
    else:
        say(f"{said}\nPlease report it with {log}")


def say(text: str) -> None:
    """Tell the user something beside the output."""
    with suppress(OSError, ValueError):  # nobody is left to be told
        typer.echo(harmless_lines(text), err=True)
