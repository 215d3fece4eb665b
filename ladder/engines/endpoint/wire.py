"""How requests are put to a server, and how its answers are read: one for each kind of endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from ladder.engines.base import Completion, Request
from ladder.engines.endpoint.access import Address


class Wire(Protocol):
    """The form of requests and answers. It holds nothing: what a server takes is learnt beside."""

    def payload(self, model: str, request: Request, stream: bool) -> dict[str, Any]:
        """Return the JSON of a request."""
        ...

    def url(self, address: Address, sent: Mapping[str, Any]) -> httpx.URL:
        """Return where a request is sent."""
        ...

    def completion(
        self, request: Request, sent: Mapping[str, Any], data: Any
    ) -> tuple[Completion, bool]:
        """Read an answer; also say whether the server has counted its tokens.

        Raises:
            TryError: there is no answer. What it cost all the same is in its `tokens`.
        """
        ...
