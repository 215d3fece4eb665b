"""Which address an endpoint has, and which key may be sent there."""

from __future__ import annotations

import ipaddress
import os

import httpx

from ladder.errors import EngineError

KEY_VARIABLES = ("LADDER_API_KEY", "OPENAI_API_KEY")
"""Where the API key is looked for; the first that is set counts."""
MADE_FOR = {"OPENAI_API_KEY": "openai.com"}
"""Whose key it is: a task file from elsewhere may name any host, and gets no key of another."""


def _key(host: str) -> str | None:
    """Return the API key from the environment that may be sent to a host.

    Raises:
        EngineError: the variable holds what cannot be sent in a header.
    """
    for name in KEY_VARIABLES:
        key = os.environ.get(name, "").strip()
        owner = MADE_FOR.get(name)
        if key and (owner is None or is_loopback(host) or f".{host}".endswith(f".{owner}")):
            if not (key.isascii() and key.isprintable() and " " not in key):
                raise EngineError(f"{name} holds spaces or characters that no API key has")
            return key
    return None


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _checked_url(model: str, base_url: str) -> httpx.URL:
    """Return the URL. The error does not repeat it: it may hold a password."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise EngineError(f"openai:{model}: the endpoint is not a URL like https://host/v1")
    return url


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
