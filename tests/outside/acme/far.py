"""A second remote engine: a server with a wire format of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from ladder.engines.base import Abilities, Completion, Request


class FarEngine:
    """Posts the turns of a chat; reads the answer and its tokens."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self.timeout_s = 30.0
        self.ahead: Callable[[Request], None] | None = None
        self.ended: Callable[[Request, tuple[int, int]], None] | None = None

    @property
    def abilities(self) -> Abilities:
        """A chat, on a server of this machine."""
        return Abilities(served=True, local=True)

    def fingerprint(self) -> dict[str, str]:
        """Return the model's name."""
        return {"far": self.name}

    def count_tokens(self, text: str) -> int:
        """Return the words."""
        return len(text.split()) or 1

    def streaming(self, concurrency: int) -> FarEngine:
        """Return itself: it answers one request at a time."""
        return self

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Ask one after the other."""
        for at, request in enumerate(requests):
            if self.ahead:
                self.ahead(request)
            started = time.perf_counter()
            body = json.dumps({"model": self.name, "turns": request.messages}).encode()
            post = HttpRequest(self.url, body, {"Content-Type": "application/json"})
            with urlopen(post, timeout=self.timeout_s) as reply:
                said = json.load(reply)
            used = tuple(said["tokens"])
            if self.ended:
                self.ended(request, used)
            yield at, Completion(said["text"], *used, time.perf_counter() - started)


def open_far(
    name: str, place: str | None, adapter: Path | None, beside: Path, own_code: bool
) -> FarEngine:
    """Open `far:NAME@URL`."""
    return FarEngine(name, str(place))
