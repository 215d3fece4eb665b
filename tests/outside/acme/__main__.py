"""`python -m acme`: ladder's own command, with what this package brings."""

import acme  # noqa: F401 - adds the lines
from ladder.cli import main

main()
