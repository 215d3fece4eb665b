"""What says that nothing left the machine while a run went on."""

from __future__ import annotations

from ladder.evidence.values import Record


class Refused(Record):
    """A connection that Python code wanted, and that was refused."""

    host: str
    port: int | None
    by: str
    """The module that wanted it."""
    times: int


class Isolation(Record):
    """The certificate of a run in a network namespace without a route (`--isolated`)."""

    by: str
    """The tool that made the namespace, with its version."""
    kernel: str
    namespace: int
    """Inode of the run's network namespace."""
    outside: int | None
    """Inode of the one that it was started from; None: it had no network when it was started."""
    sealed: bool
    """Nothing inside had a capability, or could make a namespace of its own."""
    interfaces_before: tuple[str, ...]
    interfaces_after: tuple[str, ...]
    routes_before: tuple[str, ...]
    """That lead past loopback."""
    routes_after: tuple[str, ...]
    counters: dict[str, int]
    """The kernel's, of the namespace: how far each grew while the run went on."""
    by_kernel: int
    """Attempts that the kernel counted, of any program: no route, or no resolver on loopback."""
    by_python: tuple[Refused, ...]
    """Attempts that were refused before they reached the kernel, by their place; those shown."""
    python_times: int
    """All of them, also those that are not shown."""
    opt_outs: dict[str, str]
    """Environment variables in force that keep libraries from sending anything."""
    unset: tuple[str, ...]
    """Environment variables taken out: with them some libraries would only have kept quiet."""
    began: str
    """UTC, ISO 8601."""
    ended: str
    """Likewise: when the record was written."""

    @property
    def attempts(self) -> int:
        """Connections that anything in the run attempted."""
        return self.by_kernel + self.python_times

    @property
    def had_no_route(self) -> bool:
        """Whether there was loopback alone, before and after."""
        seen = {*self.interfaces_before, *self.interfaces_after}
        return seen <= {"lo"} and not self.routes_before and not self.routes_after
