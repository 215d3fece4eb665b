"""For which Pythons and systems every dependency has a wheel, by the versions of constraints.txt.

    python benchmarks/wheels.py                  # needs uv on the PATH, and a package index

Nothing is installed: `uv pip compile --only-binary :all:` resolves each pair and refuses where a
package would have to be built. macOS stands for version 14 on Apple silicon, the oldest that torch
has wheels for; Linux for glibc 2.31 and later.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "Linux x86-64": "x86_64-manylinux_2_31",
    "Linux arm64": "aarch64-manylinux_2_31",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS x86-64": "x86_64-apple-darwin",
}
EXTRAS = ("train", "dev")


def missing(uv: str, system: str, python: str, extra: str) -> str:
    """Return what has no wheel, in the resolver's words; empty: everything has one."""
    words = [uv, "pip", "compile", "pyproject.toml", "--quiet", "--only-binary", ":all:"]
    words += ["--extra", extra, "--python-platform", system, "--python-version", python]
    words += ["--constraints", "constraints.txt"]
    oldest = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(words, cwd=ROOT, env=oldest, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1].strip()


def main() -> None:
    """Print a line a system and extra."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("uv is not on the PATH: pip install uv, in an environment of its own")
    for (name, system), extra in product(SYSTEMS.items(), EXTRAS):
        found = {python: missing(uv, system, python, extra) for python in PYTHONS}
        holds = [python for python, why in found.items() if not why]
        print(f"{name:13} {extra:6} {', '.join(holds) or 'none'}", flush=True)
        for why in sorted(set(filter(None, found.values()))):
            print(f"{'':21}{why}")


if __name__ == "__main__":
    main()
