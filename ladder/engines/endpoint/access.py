"""The address of an endpoint, checked."""

from __future__ import annotations

import httpx

from ladder.errors import EngineError
from ladder.trust.keys import Place


def headers_with(key: str | None) -> dict[str, str]:
    """Return the header that carries a key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def checked_url(model: str, base_url: str) -> httpx.URL:
    """Return the URL. The error does not repeat it: it may hold a password.

    Raises:
        EngineError: it is not one of an endpoint.
    """
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise EngineError(f"openai:{model}: the endpoint is not a URL like https://host/v1")
    return url


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return Place("http", host.lower().removesuffix("."), 0).here
