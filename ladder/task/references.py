"""How a task refers to models, stores and places elsewhere."""

from __future__ import annotations

import re
from typing import Literal, get_args

StoreKind = Literal["lancedb", "qdrant"]


STORE_KINDS: tuple[StoreKind, ...] = get_args(StoreKind)


DATASETS_PREFIX = "datasets:"


def model_parts(reference: str) -> tuple[str, str, str | None]:
    """Split `kind:name@suffix` into kind, name and suffix (a revision, or an endpoint's URL).

    Raises:
        ValueError: the reference has no kind.
    """
    match = re.fullmatch(r"([a-z]+):([^@]+)(?:@(.+))?", reference)
    if match is None:
        raise ValueError("kind:name, e.g. bundled:smollm2-135m")
    kind, name, suffix = match.groups()
    return kind, name, suffix


def store_parts(place: str) -> tuple[StoreKind, str]:
    """Split `kind:address` into the kind of a store and its folder or URL.

    Raises:
        ValueError: no such kind, no address, or an address that this kind has not.
    """
    wanted = "lancedb:<folder>, qdrant:<folder> or qdrant:http://HOST:PORT"
    found, _, address = place.partition(":")
    kind = next((known for known in STORE_KINDS if known == found), None)
    if kind is None or not address.strip():
        raise ValueError(wanted)
    if "://" in address and not (kind == "qdrant" and is_url(address)):
        raise ValueError(wanted)
    return kind, address


def is_url(address: str) -> bool:
    """Tell whether an address is a server's."""
    return re.match(r"https?://[^/\s]", address) is not None
