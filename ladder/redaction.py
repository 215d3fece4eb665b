r"""The one redactor: what is known to be secret never stands in what is shown or kept.

Known are the keys in the environment, and the user, the password and the query of every URL that a
task or an engine names. They are found in every spelling that a server may echo them in:
URL-encoded, JSON- or HTML-escaped, wholly or in part, in hexadecimal, and in base64 at any place of
what was encoded, e.g. in a `Basic` header.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "[secret]"
LEAST = 6
"""Shorter texts are no secrets, but for passwords."""
KEY_NAMES = re.compile(
    r"API_?KEY|((^|_|ACCESS|SECRET)KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)_?\d*$",
    re.IGNORECASE,
)
"""How variables are called that hold a key."""
OPEN_QUERIES = frozenset(
    [
        "api_version",
        "version",
        "deployment",
        "deployment_id",
        "deployment_name",
        "model",
        "model_id",
        "model_name",
        "model_version",
        "revision",
        "region",
        "location",
        "route",
        "tier",
        "language",
        "lang",
    ]
)
"""Query fields whose values are no secret: they say which model answers, and how."""
SECRET_QUERIES = re.compile(
    r"(api|access|account|auth|private|subscription|function|secret|client|app|master)_?key$"
    r"|(token|secret|password|passwd)s?$|^(key|session|sid|user|username|login)$"
    r"|(^|_)(sig|signature|sas|auth|authorization|credentials?|jwt|pwd|pass|hmac)$|^(code|auth_code|se|st|sv|sp|expires?|nonce)$|^x_(amz|goog|ms)_",
)
"""Query fields that let somebody in, and that change without another model answering."""
LOGGERS = (
    *("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"),
    *("aiohttp.client", "aiohttp.internal"),
)
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "=": "equals"}
_SECRETS: set[str] = set()
"""Of this process: keys from the environment, passwords and queries of endpoints' URLs."""


def keep_secret(secret: str) -> None:
    """Let `redact` take this text out from now on."""
    if len(secret.strip()) >= LEAST:
        _SECRETS.add(secret.strip())


def keep_url_secrets(url: str) -> None:
    """Let `redact` take out what a URL may hold: user, password and the values of its query."""
    for place in re.findall(r"[a-z][a-z0-9+.-]*://\S+", url, re.IGNORECASE):
        _keep_login(place)
        query = place.partition("#")[0].partition("?")[2]
        for name, value in parse_qsl(query, keep_blank_values=True):
            if spelling(name) not in OPEN_QUERIES:
                keep_secret(value or name)


def spelling(name: str) -> str:
    """Return the name of a query field as `OPEN_QUERIES` and `SECRET_QUERIES` spell it."""
    return re.sub(r"[-.]|(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def keep_secrets_in(values: Any) -> None:
    """Let `redact` take out what the URLs in nested values hold."""
    if isinstance(values, str):
        keep_url_secrets(values)
    elif isinstance(values, Mapping):
        keep_secrets_in([*values.keys(), *values.values()])
    elif isinstance(values, Iterable):
        for value in values:
            keep_secrets_in(value)


def redact(text: str) -> str:
    """Return a text without any known secret."""
    known = frozenset(_SECRETS | _in_environment())
    if not known:
        return text
    find = _finder(known)
    if not find.may_hold(text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(find.spelt.sub(_hidden, line) if find.may_hold(line) else line for line in lines)


def redact_in(value: Any) -> Any:
    """Return nested plain values without any known secret in their texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: redact_in(inner) for name, inner in value.items()}
    return [redact_in(inner) for inner in value] if isinstance(value, list) else value


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a program that needs no key."""
    return {name: value for name, value in environment.items() if not KEY_NAMES.search(name)}


def stands_for(shown: str, real: str) -> bool:
    """Tell whether a text, once redacted, may be what was shown."""
    parts = map(re.escape, shown.split(HIDDEN))
    return re.fullmatch(".+?".join(parts), real, re.DOTALL) is not None


def hide_from_logs() -> None:
    """Redact what the HTTP clients' loggers say: they name whole URLs."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if _redact_record not in logger.filters:
            logger.addFilter(_redact_record)


def hide_from_output() -> None:
    """Redact everything that is written to the standard output and the standard error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, _Redacted):
            stream.flush()
            setattr(sys, name, _Redacted(stream))


class _Redacted(io.TextIOWrapper):
    """A text stream over another one's bytes. A secret that is written in two goes is not seen."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._under = stream  # closing it would close the bytes below

    def write(self, text: str) -> int:
        super().write(redact(text))
        return len(text)


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True


def _keep_login(url: str) -> None:
    """Keep user and password, also where a `/` or a `?` in the password splits the URL wrongly."""
    rest = url.partition("://")[2]
    try:
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        _ = parts.port
    except ValueError:  # no port: what stands there is a password
        login = rest.rpartition("@")[0]
    if not login:
        return
    user, _, password = login.partition(":")
    for text in (user, unquote(user)):
        keep_secret(text)
    for text in (password, unquote(password)):
        if text.strip():
            _SECRETS.add(text)
    keep_secret(f"{unquote(user)}:{unquote(password)}")


def _in_environment() -> set[str]:
    # Asked for every text: only the values that may be a key are read.
    found = (os.environ.get(name, "").strip() for name in os.environ if _names_key(name))
    return {value for value in found if len(value) >= LEAST and not value.startswith(("/", "."))}


@lru_cache(maxsize=4096)  # asked of every variable for every text that is written
def _names_key(name: str) -> bool:
    return KEY_NAMES.search(name) is not None


def _hidden(found: re.Match[str]) -> str:
    """Hide what was found, unless it is a number among a file's own: it would be none any more."""
    if not found.group().isdecimal():
        return HIDDEN
    before, after = found.string[: found.start()], found.string[found.end() :]
    within = before[-1:].isdecimal() or after[:1].isdecimal()
    opened = before.rstrip()[-1:] in ("", ":", "[", ",", "-", ".")
    closed = after.lstrip()[:1] in ("", ",", "]", "}", ".")
    return found.group() if within or (opened and closed) else HIDDEN


@dataclass(frozen=True)
class _Finder:
    """What finds secrets: first quickly, whether a text may hold one at all."""

    plain: tuple[str, ...]
    """The secrets and what stands for them as a whole, in small letters."""
    escape: re.Pattern[str]
    """Where a character of a secret may stand in another spelling than its own."""
    spelt: re.Pattern[str]

    def may_hold(self, text: str) -> bool:
        small = text.lower()
        return any(secret in small for secret in self.plain) or bool(self.escape.search(text))


@lru_cache(maxsize=8)
def _finder(secrets: frozenset[str]) -> _Finder:
    spellings: dict[str, str] = {}
    for secret in secrets:
        spellings[secret] = _bounded(secret, "".join(map(_character, secret)))
        for text in _encoded(secret):
            spellings[text] = "".join(map(_base64_character, text))
    longest = sorted(spellings, key=len, reverse=True)
    spelt = "|".join([re.escape(HIDDEN), *(spellings[text] for text in longest)])
    escapes = [r"u00[2-7]", r"x[2-7]", r"(?:25)*[2-7][0-9a-f]", r"#?[0-9a-z]+;"]
    if not all(map(str.isascii, secrets)):
        escapes += [r"[ux][0-9a-f]", r"(?:25)*[c-f][0-9a-f]"]
    # The base64 of any secret may hold these two.
    signs = {"/", "+", *(sign for secret in secrets for sign in secret if not sign.isalnum())}
    escapes += map(re.escape, signs)
    spaced = r"|\+" if " " in signs else ""
    return _Finder(
        tuple(text.lower() for text in longest),
        re.compile(rf"[\\%&](?:{'|'.join(escapes)}){spaced}", re.IGNORECASE),
        re.compile(spelt, re.IGNORECASE),
    )


def _bounded(secret: str, pattern: str) -> str:
    """A short password is hidden where it stands alone: else it would be found in every word."""
    return pattern if len(secret) >= LEAST else rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"


def _encoded(secret: str) -> set[str]:
    """Return the secret in hexadecimal, and what is always there of it in base64.

    Three bytes are four characters, so what comes before it shifts it in one of three ways, and the
    characters at its ends are shared with what stands beside it.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    found = {raw.hex()}
    for shift, shared in ((0, 0), (1, 2), (2, 3)):
        bits = 8 * (shift + len(raw))
        text = base64.b64encode(b"\0" * shift + raw).decode()[shared : bits // 6]
        found.add(text)
    return {text for text in found if len(text) >= LEAST}


def _base64_character(sign: str) -> str:
    other = {"+": "-", "/": "_"}.get(sign)
    return f"(?:{_character(sign)}|{_character(other)})" if other else _character(sign)


def _character(sign: str) -> str:
    r"""Return a pattern for a character as it is, and as `%41`, `\u0041`, `&#65;` and the like."""
    number = ord(sign)
    raw = sign.encode("utf-8", "surrogatepass")
    units = sign.encode("utf-16-be", "surrogatepass")
    plain = re.escape(sign) if sign.isalnum() else rf"\\*{re.escape(sign)}"
    ways = [
        plain,
        "".join(rf"%(?:25)*{byte:02x}" for byte in raw),
        "".join(rf"\\+u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)),
        rf"&(?:amp;)*#0*{number};",
        rf"&(?:amp;)*#x0*{number:x};",
    ]
    if number < 256:
        ways.append(rf"\\+x{number:02x}")
    if sign in _NAMED:
        ways.append(rf"&(?:amp;)*{_NAMED[sign]};")
    if sign == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"
