"""Be another program, and end where the process that started it ends.

`python -m ladder.training.tied PARENT COMMAND…`: a worker of a cluster that is killed leaves no
training behind, which would write beside the one that is begun in its place.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tied(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs another one, tied to this process."""
    return (sys.executable, "-P", "-m", "ladder.training.tied", str(os.getpid()), *command)


def main(parent: str, *command: str) -> None:
    """Become the command (prctl(2): the setting stays over execve)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it has ended before this was set
        raise SystemExit(128 + signal.SIGKILL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
