"""What can go wrong with one try, whether another may go better, and a server's words about it."""

from __future__ import annotations

import json

from ladder.redaction import redact
from ladder.wording import harmless

NO_CONNECTION = "no connection"
NOT_SECURE = "no secure connection"
TIME_OUT = "time-out"
BROKE_OFF = "connection broke"
CUT_SHORT = "cut before any text"
THROTTLED = "HTTP 429"
PASSING_STATUSES = frozenset({408, 409, 425, 429})
"""With every 5xx but 501: what may be answered when it is asked again."""
WORDS_LIMIT_BYTES = 20_000
"""Of a response that is an error: enough for what it says."""
MESSAGE_LIMIT = 200
"""Characters of a server's own message that an error repeats."""


class TryError(Exception):
    """One try gave no answer."""

    def __init__(
        self, kind: str, words: str = "", *, passing: bool = False, pause: float | None = None
    ) -> None:
        """Take what went wrong.

        Args:
            kind: a word or two that failures of one kind share.
            words: more of it, e.g. the server's own words.
            passing: the same request may be answered later.
            pause: seconds that the server asked to wait.
        """
        super().__init__(f"{kind}: {words}" if words else kind)
        self.kind = kind
        self.words = words
        self.passing = passing
        self.pause = pause
        self.tokens: tuple[int, int] = (0, 0)
        """Of prompt and answer: what the try cost all the same."""


def may_pass(status: int) -> bool:
    """Tell whether a request that had this HTTP status may be answered later."""
    return status in PASSING_STATUSES or (status >= 500 and status != 501)


def server_words(body: bytes) -> str:
    """Return the start of the server's own words, on one line and without any secret."""
    text = body[:WORDS_LIMIT_BYTES].decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        text = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # not in the usual form: the body itself is the message
    return excerpt(text) or "no message"


def excerpt(text: object) -> str:
    """Return the start of what a server sent, as an error can repeat it."""
    return harmless(redact(str(text)[:WORDS_LIMIT_BYTES]), MESSAGE_LIMIT)
