"""Which key may be sent where: the user's own configuration says so, a task file never does."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from ladder.errors import EngineError
from ladder.redaction import keep_secret
from ladder.trust.settings import place_of, read_settings, settings_file, shown

HERE_VARIABLE = "LADDER_API_KEY"
"""Sent to this machine where the configuration names nothing else."""
OPENAI_VARIABLE, OPENAI = "OPENAI_API_KEY", ("https", "api.openai.com", 443)
PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    """In ASCII and lower case, without a dot at its end."""
    port: int

    @property
    def here(self) -> bool:
        """Whether it is this machine."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def origin(self) -> str:
        """Return `scheme://host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] == 443 else f"{host}:{self.port}"


@dataclass(frozen=True)
class Key:
    """A key that may be sent, and why."""

    variable: str
    value: str = field(repr=False)
    by: str
    """What allows it, in words."""


def place_at(url: httpx.URL | str, port: int | None = None) -> Place:
    """Return where a URL's requests go, as httpx reads it.

    Args:
        url: http or https.
        port: the one that is used where the URL names none; default: the scheme's.
    """
    url = httpx.URL(url)
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    return Place(url.scheme, host, url.port or port or PORTS.get(url.scheme, 0))


def key_for(place: Place, here: str = HERE_VARIABLE) -> Key | None:
    """Return the key that may be sent to a place, or None.

    Args:
        place: where the request goes.
        here: the variable whose key goes to this machine without being named.

    Raises:
        SettingsError: the configuration holds a mistake.
        EngineError: the variable holds what cannot be sent in a header.
    """
    variable, by = _named(place, here)
    value = os.environ.get(variable, "").strip() if variable else ""
    if not value:
        return None
    keep_secret(value)
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise EngineError(f"{variable} holds spaces or characters that no API key has")
    return Key(variable, value, by)


def variable_for(place: Place, here: str = HERE_VARIABLE) -> tuple[str, bool]:
    """Return the variable whose key may be sent to a place, and if the configuration names it.

    Empty where none may be sent.
    """
    variable, by = _named(place, here)
    return variable, bool(variable) and by == shown(settings_file())


def about_key(place: Place, here: str = HERE_VARIABLE) -> str:
    """Say which key is sent to a place, without the key: `key: $NAME by FILE`, or `no key`."""
    key = key_for(place, here)
    if key is not None:
        return f"key: ${key.variable} by {key.by}"
    variable, by = _named(place, here)
    return f"no key ({by}: ${variable} is not set)" if variable else f"no key ({by})"


def how_to_send(place: Place, here: str = HERE_VARIABLE) -> str:
    """Say what to do so that a key is sent to a place that wants one, or another one."""
    key = key_for(place, here)
    if key is not None:
        return f"The key of {key.variable} was sent (by {key.by}): is it valid there?"
    variable, _ = _named(place, here)
    if variable:
        return f"No key was sent: set {variable} to one that is valid there."
    if not _safe(place):
        return "No key was sent: over plain http one never is. Write https:// in the task."
    return (
        f'No key was sent. To send one, add to {shown(settings_file())}: endpoints: {{"{place}": '
        "MY_VARIABLE}, where MY_VARIABLE is the environment variable that holds it."
    )


def _safe(place: Place) -> bool:
    return place.here or place.scheme == "https"


def _named(place: Place, here: str) -> tuple[str, str]:
    """Return the variable whose key may go to a place, and what allows it; or "" and why not."""
    if not _safe(place):
        return "", "never over plain http"
    for named, variable in read_settings().endpoints.items():
        host, port = place_of(named)
        if (host, port or PORTS[place.scheme]) == (place.host, place.port):
            return variable, shown(settings_file())
    if place.here:
        return here, "the rule for this machine"
    if place == OPENAI and here == HERE_VARIABLE:
        return OPENAI_VARIABLE, "the rule for api.openai.com"
    return "", f"{shown(settings_file())} does not name {place}"
