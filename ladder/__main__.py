"""Run the command line as `python -m ladder`."""

from ladder.cli import main

main()
