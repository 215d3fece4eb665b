"""What can go wrong with one try, whether another may go better, and a server's words about it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ladder.json_values import JsonDecoder, from_json
from ladder.redaction import redact
from ladder.wording import harmless

NO_CONNECTION = "no connection"
NOT_SECURE = "no secure connection"
TIME_OUT = "time-out"
BROKE_OFF = "connection broke"
PERHAPS_BILLED = frozenset({TIME_OUT, BROKE_OFF})
"""The request was sent, and what came of it is not known: a provider may have answered it."""
THOUGHTS_ONLY = "thoughts only"
THROTTLED = "HTTP 429"
IN_REPLY = " in the reply"
"""Follows the status of an error that stands in a response of 200."""
PASSING_STATUSES = frozenset({408, 409, 425, 429})
"""With every 5xx but 501: what may be answered when it is asked again."""
WORDS_LIMIT_BYTES = 20_000
"""Of a response that is an error: enough for what it says."""
MESSAGE_LIMIT = 200
"""Characters of a server's own message that an error repeats."""
WORD_FIELDS = (
    *("error", "message", "detail", "errors", "msg", "errormessage", "errormsg", "statusmsg"),
    *("faultstring", "fault", "title", "description", "errordescription", "issue"),
    *("baseresp", "responsemetadata"),
)
"""Where servers put what is wrong, the most telling first; spelt as `_field` spells them."""
DETAIL_FIELDS = ("details", "fieldviolations")
"""Where servers put more of it, beside a message that says little."""
PARAMETER_FIELDS = ("param", "parameter", "field", "fields", "invalidfields", "invalidparams")
NO_QUOTA = re.compile(
    r"insufficient_quota|exceeded_current_quota|billing.hard.limit|credit balance is too low"
    r"|insufficient (account )?(balance|credit|fund)|out of credits|credits are depleted|arrear"
    r"|spend(ing)? limit|specified API usage limits|余额不足|欠费",
    re.IGNORECASE,
)
"""What servers say, with several statuses, where nothing is left to pay with."""
TOO_LONG = re.compile(
    r"context[ _](length|size|window|limit)|n_ctx\b|(prompt|input) is too long"
    r"|too many (input )?tokens|maximum (allowed )?number of (\w+ )?tokens|more than max tokens"
    r"|reduce the length of|range of input length"
    r"|max_(completion_|new_)?tokens`? is too (large|big|high)|`?inputs`? tokens \+",
    re.IGNORECASE,
)
"""What servers say, with several statuses, of a request that has no room in the model."""


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
        self.said = ""
        """The server's words in full. They are not shown."""
        self.parameter = ""
        """The field of the request that the server names as wrong, e.g. `messages[0].role`."""

    def hear(self, body: Any) -> None:
        """Keep what the JSON of an error says of the request."""
        self.said, self.parameter = words_in(body) or "", _parameter_in(body)


def may_pass(status: int) -> bool:
    """Tell whether a request that had this HTTP status may be answered later."""
    return status in PASSING_STATUSES or (status >= 500 and status != 501)


def json_in(body: bytes) -> Any:
    """Return the JSON of an error's body; None where it is none."""
    with suppress(ValueError, RecursionError):
        return from_json(body)
    return None


def server_words(body: bytes) -> str:
    """Return the start of the server's own words, on one line and without any secret."""
    text = body[:WORDS_LIMIT_BYTES].decode("utf-8", "replace")
    return excerpt(words_in(json_in(body)) or _page(text) or text) or "no message"


def words_in(value: Any, depth: int = 6) -> str | None:
    """Return what the JSON of an error says, wherever in it that stands; None: nowhere.

    Known are the forms of OpenAI, Azure, Anthropic, Google (in a list), Mistral and FastAPI (a list
    of fields and what is wrong with each), Ollama, Cloudflare, Baidu, MiniMax, Volcengine, Apigee,
    AWS, OpenRouter and LiteLLM (the provider's own words as JSON in a text).
    """
    if isinstance(value, str):
        return _quoted(value, depth) or None
    if depth == 0 or not isinstance(value, list | dict):
        return None
    if isinstance(value, list):
        found = [words for item in value[:5] if (words := words_in(item, depth - 1))]
        return "; ".join(found) or None
    fields = _fields(value)
    inner = (words_in(fields.get(name), depth - 1) for name in WORD_FIELDS)
    words = next(filter(None, inner), None)
    more = (words_in(fields.get(name), depth - 1) for name in DETAIL_FIELDS)
    words = ": ".join(dict.fromkeys(filter(None, (words, *more)))) or None
    if words and isinstance(fields.get("field"), str):
        return f"{fields['field']}: {words}"
    where = value.get("loc")
    if words and isinstance(where, list):
        return f"{'.'.join(map(str, where))}: {words}"
    about = value.get("metadata")
    raw = about.get("raw") if isinstance(about, dict) else None
    if words and isinstance(raw, str) and raw:
        return f"{words}: {words_in(json_in(raw.encode()), depth - 1) or raw}"
    return words


def _quoted(text: str, depth: int) -> str:
    """Return a text in which a server quotes another one's JSON, with that one's words instead."""
    start = text.find('{"')
    with suppress(ValueError, RecursionError):
        quoted, _ = JsonDecoder().raw_decode(text[start:]) if start > 0 else (None, 0)
        if words := words_in(quoted, depth - 1):
            return text[:start] + words
    return text


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields by their names in lower case and without marks: `errorMessage`, `error_msg`."""
    return {re.sub(r"[_-]", "", name).lower(): inner for name, inner in value.items()}


def excerpt(text: object) -> str:
    """Return the start of what a server sent, as an error can repeat it."""
    return harmless(redact(str(text)[:WORDS_LIMIT_BYTES]), MESSAGE_LIMIT)


def _parameter_in(value: Any, depth: int = 6) -> str:
    """Return the first field of the request that an error's JSON names; empty: it names none."""
    if depth == 0 or not isinstance(value, list | dict):
        return ""
    if isinstance(value, list):
        return next(filter(None, (_parameter_in(item, depth - 1) for item in value[:5])), "")
    fields = _fields(value)
    for name in PARAMETER_FIELDS:
        named = fields.get(name)
        first = named[0] if isinstance(named, list) and named else named
        if isinstance(first, str) and first:
            return first
    where = value.get("loc")
    if isinstance(where, list):
        return ".".join(str(part) for part in where if part != "body")
    inner: list[Any] = [fields.get(name) for name in (*WORD_FIELDS, *DETAIL_FIELDS)]
    about = value.get("metadata")
    if isinstance(about, dict) and isinstance(about.get("raw"), str):
        inner.append(json_in(about["raw"].encode()))
    return next(filter(None, (_parameter_in(item, depth - 1) for item in inner)), "")


def _page(text: str) -> str:
    """Say what stands on an HTML page; empty: it is none."""
    if not re.match(r"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b", text, re.I | re.S):
        return ""
    bare = re.sub(r"<(script|style)\b.*?(</\1>|\Z)|<!--.*?-->", " ", text, flags=re.I | re.S)
    seen = html.unescape(re.sub(r"<[^>]*>?", " ", bare))
    return f"an HTML page: {' '.join(seen.split()) or 'empty'}"
