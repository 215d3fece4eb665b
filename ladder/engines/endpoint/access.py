"""The address of an endpoint, checked, and a client that reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import scrypt
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl

import httpx

from ladder.errors import EngineError
from ladder.redaction import OPEN_QUERIES, SECRET_QUERIES, redact, spelling
from ladder.trust.keys import Place, how_to_send, key_for, place_at
from ladder.wording import harmless

CONNECT_SECONDS = 10.0
"""A host that takes longer to accept a connection is taken as not there."""


@dataclass(frozen=True)
class Address:
    """Where an endpoint is, and who asks there."""

    url: httpx.URL = field(repr=False)
    """Of its chat completions, with the query that every request carries and without a login."""
    shown: str
    """As messages and fingerprints name it: no login, no query."""
    place: Place
    query: str = ""
    """What of its query decides who answers, without any secret."""
    login: tuple[str, str] | None = field(repr=False, default=None)
    """User and password out of the URL: sent as basic authentication, in place of a key."""

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.place.here

    def beside(self, name: str) -> httpx.URL:
        """Return the URL of what stands beside its chat completions, with the same query."""
        path, mark, query = self.url.raw_path.partition(b"?")
        base = path.removesuffix(b"chat/completions")
        return self.url.copy_with(raw_path=base + name.encode() + mark + query)

    def at_root(self, path: str) -> httpx.URL:
        """Return a URL at the root of its host."""
        return self.url.copy_with(raw_path=path.encode())

    def headers(self) -> dict[str, str]:
        """Return the header that carries the key; none without one, or where a login is sent.

        Raises:
            SettingsError: the configuration holds a mistake.
            EngineError: the key's variable holds what cannot be sent in a header.
        """
        key = None if self.login else key_for(self.place)
        return {"Authorization": f"Bearer {key.value}"} if key else {}

    def advice(self) -> str:
        """Say what to do where access is refused."""
        return "Is the login in its URL valid?" if self.login else how_to_send(self.place)


def address_of(model: str, base_url: str) -> Address:
    """Take the URL of an endpoint apart.

    Args:
        model: its model, which an error names.
        base_url: e.g. `https://host/v1`, perhaps with a login and a query.

    Raises:
        EngineError: it is not one of an endpoint.
    """
    base = checked_url(model, base_url)
    path, mark, query = base.raw_path.partition(b"?")
    # Many a manual gives the whole URL, and it is taken as well.
    path = path.rstrip(b"/")
    for end in (b"/chat/completions", b"/systemone", b"/decisions"):
        path = path.removesuffix(end)
    # The password leaves the URL, which httpx logs, and is sent in the header all the same.
    bare = base.copy_with(userinfo=b"", fragment=None)
    return Address(
        url=bare.copy_with(raw_path=path + b"/chat/completions" + mark + query),
        shown=str(bare.copy_with(raw_path=path or b"/")).rstrip("/"),
        place=place_at(base),
        query=deciding_query(query.decode("ascii")),
        login=(base.username, base.password) if base.userinfo else None,
    )


def deciding_query(query: str) -> str:
    """Return what of a URL's query decides the answers, in order of the names.

    What lets somebody in does not decide. Values that may be a secret for all that is known stand
    as a digest, which is slow to work out, so that short ones cannot be guessed from it; so does a
    field without a value, whose name may be a key. Fields of one name keep their order.
    """
    fields = sorted(parse_qsl(query, keep_blank_values=True), key=itemgetter(0))
    return "&".join(
        f"{name}={value}"
        if spelling(name) in OPEN_QUERIES
        else f"{name}={_digest(value)}"
        if value
        else _digest(name)
        for name, value in fields
        if not SECRET_QUERIES.search(spelling(name))
    )


@lru_cache
def _digest(value: str) -> str:
    return scrypt(value.encode(), salt=b"query of an endpoint", n=2**14, r=8, p=1, dklen=8).hex()


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


def client_options(address: Address, headers: dict[str, str], timeout_s: float) -> dict[str, Any]:
    """Return what a client for one endpoint is made of.

    Args:
        address: of the endpoint.
        headers: of its key (`Address.headers`).
        timeout_s: between two bytes, at most.
    """
    return {
        "headers": {"Content-Type": "application/json", "Accept-Encoding": "gzip", **headers},
        "auth": address.login,
        "timeout": httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_SECONDS)),
        # No certificates are read (0.1 s) where none is asked for.
        "verify": not (address.local and address.url.scheme == "http"),
        # What is for this machine must not go through a proxy that the environment names.
        "trust_env": not address.local,
    }


def open_client(address: Address, headers: dict[str, str], timeout_s: float) -> httpx.AsyncClient:
    """Return the client of one endpoint, made of `client_options`.

    Raises:
        EngineError: the environment names a proxy of a kind that is not supported.
    """
    from ladder.engines.endpoint.transport import Client  # 0.2 s, for those who ask an endpoint

    options = client_options(address, headers, timeout_s)
    context = httpx.create_ssl_context(options.pop("verify"), trust_env=options["trust_env"])
    try:
        return Client(**options, verify=context)
    except (ImportError, ValueError) as error:
        words = harmless(redact(str(error)), 200)
        raise EngineError(f"{address.shown}: the proxy in the environment: {words}") from None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return Place("http", host.lower().removesuffix("."), 0).here
