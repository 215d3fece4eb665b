"""Where a task keeps its data here, a connection of Python's to another machine is an error.

A hook on Python's own audit events: it sees whatever Python code connects, sends a datagram or
looks up a name, in any thread. A C library that connects by itself is not seen: `isolation` is for
that. A hook cannot be taken out again, so it asks what holds at the moment.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ladder.errors import EgressError

SOURCE = "LADDER_STAYS_HERE"
"""Variable by which a process that is started learns what keeps data here."""
LOG = "LADDER_REFUSED"
"""Variable that names the file to which each process adds what it has refused."""
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
INSIDE = tuple(
    getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG") if hasattr(socket, name)
)
"""Families that reach no further than this machine."""
CARRIERS = frozenset(
    (
        *("aiohappyeyeballs", "aiohttp", "anyio", "h11", "h2", "httpcore", "httpx"),
        *("httpx_aiohttp", "requests", "sniffio", "urllib3"),
    )
)
"""Libraries that connect for somebody else, beside Python's own."""


class Refusal(NamedTuple):
    """A connection, or the look-up of a name, that was refused."""

    host: str
    port: int | None
    by: str
    """The module that wanted it."""


@dataclass
class _State:
    source: str = ""
    """What keeps data here, in words; empty: nothing does."""
    may_leave: bool = False
    """A task of this process lets its data go."""
    fetching: int = 0
    """Fetches under way that the user has asked for."""
    refused: Counter[Refusal] = field(default_factory=Counter)
    hooked: bool = False


_STATE = _State()


def keep_here(source: str) -> None:
    """Refuse connections to other machines from now on, in this process and those it starts.

    Args:
        source: what says so, for the message: the task file.
    """
    if _STATE.may_leave:  # another task of the same verb
        return
    _STATE.source = os.environ[SOURCE] = source
    if not _STATE.hooked:
        sys.addaudithook(_hook)
        _STATE.hooked = True


def let_leave() -> None:
    """Refuse nothing: a task of this process lets its data go."""
    let_go()
    _STATE.may_leave = True


def let_go() -> None:
    """Refuse nothing any more: the verb is over."""
    _STATE.source, _STATE.may_leave = "", False
    _STATE.refused.clear()
    os.environ.pop(SOURCE, None)


def follow() -> None:
    """Keep data here where the process that has started this one does."""
    if source := os.environ.get(SOURCE):
        keep_here(source)


def keeps_here() -> bool:
    """Tell whether connections to other machines are refused."""
    return bool(_STATE.source)


@contextmanager
def fetching() -> Iterator[None]:
    """Let connect what fetches something that the user has named: a model or rows of the hub."""
    _STATE.fetching += 1
    try:
        yield
    finally:
        _STATE.fetching -= 1


def refused() -> dict[Refusal, int]:
    """Return what this process has refused, and how often."""
    return dict(_STATE.refused)


def refused_by_all(log: Path) -> dict[Refusal, int]:
    """Return what the processes that share a log have refused, and how often."""
    found: Counter[Refusal] = Counter()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, TypeError):  # a line that another process is writing
            found[Refusal(*json.loads(line))] += 1
    return dict(found)


def is_here(host: object) -> bool:
    """Tell whether a host is this machine: loopback, every address of its own, or no name."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if name.lower().rstrip(".") in ("", "localhost", socket.gethostname().lower()):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what leads elsewhere. Called for each audit event of this process."""
    if not _STATE.source or _STATE.fetching or not event.startswith("socket."):
        return
    if event in LOOKUPS:
        host, port = arguments[0], arguments[1] if len(arguments) > 1 else None
        if not is_here(host):
            _refuse(host, port)
    elif event in CONNECTS:
        family, address = arguments[0].family, arguments[1]
        if family in INSIDE or address is None:
            return
        if family not in (socket.AF_INET, socket.AF_INET6):
            _refuse(f"{getattr(family, 'name', family)} {address}", None)
        elif not is_here(address[0]):
            _refuse(address[0], address[1])


def _refuse(host: object, port: object) -> None:
    """Raise the error, and take note.

    Raises:
        EgressError: always.
    """
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    number = int(str(port)) if str(port).isdecimal() else None
    found = Refusal(name, number, _asking())
    _STATE.refused[found] += 1
    if log := os.environ.get(LOG):
        with suppress(OSError), Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    at = f"{name}:{number}" if number is not None else name
    raise EgressError(
        f"{found.by} wanted to connect to {at}, and {_STATE.source} keeps its data on this machine "
        "(`rules: {data_may_leave: false}`, the default): nothing was sent. If it may be sent "
        "there, set `rules: {data_may_leave: true}` in the task"
    )


def _asking() -> str:
    """Return the module that wants to connect: the first that does not do it for another."""
    frame, nearest = sys._getframe(3), ""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        nearest = nearest or name
        root = name.partition(".")[0]
        if name == "__main__" or root not in CARRIERS | sys.stdlib_module_names:
            return str(frame.f_globals.get("__file__", name)) if name == "__main__" else name
        frame = frame.f_back  # type: ignore[assignment]
    return nearest
