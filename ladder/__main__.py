"""Run the command line as `python -m ladder`."""

# ruff: noqa: E402, PTH - the path comes first, and pathlib is not imported before it

import os
import sys

# `python -m` looks for modules in the folder that it is started in first: a file `yaml.py` beside
# somebody else's task would run. What is imported from here on is not looked for there; what
# Python itself has imported by now can be kept from it by `python -P` alone.
here = os.path.realpath(".")
sys.path[:] = [each for each in sys.path if os.path.realpath(each or ".") != here]

from ladder.cli import main

main()
