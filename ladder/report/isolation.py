"""That nothing left the machine, as a line, and what was attempted."""

from __future__ import annotations

from collections.abc import Iterator

from ladder.evidence import Isolation, Refused


def isolation_line(found: Isolation) -> str:
    """Return the certificate in one line."""
    if not found.had_no_route:
        return (
            f"NOT isolated all the time: interfaces {', '.join(found.interfaces_after) or 'none'}, "
            f"routes past loopback {len(found.routes_before)} before and "
            f"{len(found.routes_after)} after"
        )
    if not found.attempts:
        return "No route to anywhere: 0 attempted connections"
    many = "1 attempted connection" if found.attempts == 1 else f"{found.attempts:,} attempted "
    many = many if found.attempts == 1 else f"{many}connections"
    return f"No route to anywhere: {many}, none could leave{_listed(found)}"


def isolation_facts(found: Isolation) -> Iterator[tuple[str, str]]:
    """Yield what the certificate rests on, for a table of provenance."""
    yield "isolation", isolation_line(found)
    outside = f", started from {found.outside}" if found.outside else ""
    sealed = "no capabilities, no further namespaces" if found.sealed else "not sealed"
    yield "isolated by", f"{found.by}; {found.kernel}"
    yield "network namespace", f"{found.namespace}{outside}; {sealed}"
    yield "interfaces", f"{_names(found.interfaces_before)} → {_names(found.interfaces_after)}"
    routes = f"{len(found.routes_before)} → {len(found.routes_after)}"
    yield "routes past loopback", routes
    yield "kernel counters", ", ".join(f"{k} {v}" for k, v in found.counters.items())
    yield "opt-outs", ", ".join(f"{k}={v}" for k, v in found.opt_outs.items())
    yield "unset", ", ".join(found.unset)
    yield "isolated", f"{found.began} to {found.ended}"


def _names(interfaces: tuple[str, ...]) -> str:
    return ", ".join(interfaces) or "none"


def _listed(found: Isolation) -> str:
    """Say what the attempts were: Python's by their place, others by their number."""
    said = [_place(each) for each in found.by_python]
    left = found.python_times - sum(each.times for each in found.by_python)
    said += [f"{left:,} more of Python's"] if left else []
    said += [f"{found.by_kernel:,} that the kernel refused"] if found.by_kernel else []
    return f" ({'; '.join(said)})"


def _place(found: Refused) -> str:
    at = f"{found.host}:{found.port}" if found.port is not None else found.host
    often = f" {found.times:,} times" if found.times > 1 else ""
    return f"{at} by {found.by}{often}"
