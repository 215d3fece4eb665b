"""Go on in a namespace without a route, run what stands behind `--`, and print what was counted.

`python inside.py -- COMMAND …`, of `test_isolation.py`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

from ladder.errors import LadderError
from ladder.trust.isolation import attempts, enter, network, since


def main() -> None:
    """Enter, run and report."""
    try:
        inside = enter()
    except LadderError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    said = ""
    if command := sys.argv[2:]:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    now = network()
    inside.log.unlink()
    found = dataclasses.asdict(inside) | {
        "log": "",
        "after": dataclasses.asdict(now),
        "attempts": attempts(since(inside.before, now)),
        "said": said,
        "ci": os.environ.get("CI"),
        "inode": Path("/proc/self/ns/net").stat().st_ino,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
