"""The process of one tracker: it is told a line, answers with a line, and says all else in its log.

`python -m ladder.tracking.child MODULE`, started by `tracking.reporting` alone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, TextIO

from ladder.redaction import hide_from_output, keep_secrets_in
from ladder.tracking.base import Begun, Ended, Rung, Tracker
from ladder.trust.egress import follow
from ladder.trust.quiet import be_quiet


def main() -> None:
    """Take what stands on the lines of the input until it ends."""
    be_quiet()
    follow()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library's own words go to the log
    keep_secrets_in(dict(os.environ))  # an address may hold a password, and an error the address
    hide_from_output()
    tracker: Tracker | None = None
    for line in sys.stdin:
        try:
            tracker = _told(json.loads(line), tracker)
        except BaseException as error:
            _answer(answers, f"{type(error).__name__}: {error}")
            raise
        _answer(answers, "")


def _told(told: dict[str, Any], tracker: Tracker | None) -> Tracker | None:
    """Do one thing: begin, note a rung, or end."""
    if "begun" in told:
        begun = Begun(**told["begun"])
        os.chdir(begun.folder)  # no settings of the folder that the user stands in are read
        opened: Tracker = importlib.import_module(sys.argv[1]).open_tracker(begun)
        return opened
    if tracker is None:
        raise ValueError("nothing has begun")
    if "rung" in told:
        tracker.rung(Rung(**told["rung"]))
    else:
        tracker.end(Ended(**told["ended"]))
    return tracker


def _answer(answers: TextIO, fault: str) -> None:
    answers.write(json.dumps({"fault": fault}) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
