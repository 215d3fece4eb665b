"""What a server lists of its models, and when it says that one of them ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from ladder.engines.endpoint.access import address_of, client_options
from ladder.engines.endpoint.responses import BODY_LIMIT_BYTES
from ladder.json_values import from_json

END_FIELDS = (
    *("shutdown_date", "shutdown_at", "retirement_date", "retires_at", "end_of_life", "eol_date"),
    *("sunset_date", "expiration_date", "deprecation_date", "deprecated_at", "deprecation"),
)
"""Where servers tell when a model ends; of several the one that says so most plainly first."""
MARK_FIELDS = ("deprecated", "is_deprecated", "deprecation", "deprecation_date", "deprecated_at")
MOST_SECONDS = 32_503_680_000
"""Of a date as seconds since 1970: the year 3000."""


class Announced(NamedTuple):
    """What a server says of a model's end."""

    ends: str | None = None
    """ISO date; None: it names none."""
    deprecated: bool = False


def announced(model: str, base_url: str, timeout_s: float) -> Announced:
    """Read the end of a model off its server's list. A server that lists nothing is no error.

    Args:
        model: the name that the endpoint knows the model by.
        base_url: of the endpoint.
        timeout_s: of the request.

    Raises:
        EngineError: the URL is not one of an endpoint, or its key cannot be sent.
    """
    address = address_of(model, base_url)
    options = client_options(address, address.headers(), timeout_s)
    with httpx.Client(**options) as client:
        entries = entries_of(got(client, address.beside("models")), "data", "models")
    entry = next((each for each in entries if model in names_of(each)), {})
    about = entry.get("lifecycle")  # of some clouds: beside the name, or one level down
    places = [entry, *([about] if isinstance(about, dict) else [])]
    dates = [day for place in places for name in END_FIELDS if (day := _day(place.get(name)))]
    marks = any(bool(place.get(name)) for place in places for name in MARK_FIELDS)
    return Announced(dates[0] if dates else None, marks)


def got(client: httpx.Client, url: httpx.URL) -> Any:
    """Return the JSON at a URL; None where there is none."""
    body = bytearray()
    try:
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            for part in response.iter_raw():
                body += part
                if len(body) > BODY_LIMIT_BYTES:
                    return None
        return from_json(body) if response.is_success else None
    except (httpx.HTTPError, ValueError, RecursionError):
        return None


def entries_of(data: Any, *fields: str) -> list[Mapping[str, Any]]:
    """Return the models in a server's list: under a field, or as the list itself."""
    if isinstance(data, dict):
        data = next((data[name] for name in fields if isinstance(data.get(name), list)), [])
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def names_of(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that a model is asked by."""
    aliases = entry.get("aliases")
    names = [entry.get("id"), entry.get("model"), entry.get("name")]
    names += aliases if isinstance(aliases, list) else []
    yield from (name for name in names if isinstance(name, str) and name)


def _day(told: object) -> str | None:
    """Return the day of a date or a time: ISO 8601, or seconds since 1970."""
    try:
        if isinstance(told, str):
            return datetime.fromisoformat(told.strip()).date().isoformat()
        if type(told) in (int, float) and 0 < told < MOST_SECONDS:  # type: ignore[operator]
            return datetime.fromtimestamp(told, UTC).date().isoformat()  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        pass
    return None
