"""How a task refers to models, stores and places elsewhere."""

from __future__ import annotations

import re
from typing import Any, Literal, Self, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

StoreKind = Literal["lancedb", "qdrant"]


STORE_KINDS: tuple[StoreKind, ...] = get_args(StoreKind)


DATASETS_PREFIX = "datasets:"


_WANTED = "kind:name, e.g. bundled:smollm2-135m or openai:MODEL@https://HOST/v1"


class ModelRef(str):
    """A reference to a model, `kind:name@place`, taken apart once: it stays the text it was.

    The place is a hub revision or the URL of an endpoint, and may hold a password: what is shown is
    `label`. It begins after the `@` that a URL follows, else after the last one, since names hold
    that sign too (`@cf/meta/llama-3.1-8b-instruct`, `claude@20250101`), and URLs before a host. A
    name that begins as a path does (`./`, `/`, `~`) is a path to its end.
    """

    kind: str
    """A key of `engines.ENGINES`."""
    name: str
    """A bundled model, a hub id or folder, or the name that an endpoint knows the model by."""
    place: str | None

    def __new__(cls, text: str) -> Self:
        """Take a reference apart.

        Raises:
            ValueError: it has no kind or no name, or nothing follows its last `@`.
        """
        text = text.strip()
        match = re.fullmatch(r"([a-z]+):\s*(.+)", text)
        if match is None:
            raise ValueError(_WANTED)
        kind, rest = match.groups()
        url = re.search(r"@(?=\s*[a-z][a-z0-9+.-]*://)", rest, re.IGNORECASE)
        is_path = rest.startswith((".", "/", "~"))
        at = url.start() if url else len(rest) if is_path else rest.rfind("@")
        if at < 1:  # none, or the first sign of the name
            at = len(rest)
        name, place = rest[:at].rstrip(), rest[at + 1 :].strip()
        if name in ("", "@") or (url and at != url.start()) or (rest.endswith("@") and not is_path):
            raise ValueError(_WANTED)
        self = super().__new__(cls, text)
        self.kind, self.name, self.place = kind, name, place or None
        return self

    @property
    def label(self) -> str:
        """Kind and name, without the place."""
        return f"{self.kind}:{self.name}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Read it from text, and write it as text."""
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )


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
    return re.match(r"https?://[^/\s]", address, re.IGNORECASE) is not None
