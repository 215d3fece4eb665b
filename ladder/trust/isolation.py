"""A run without a way out: a network namespace that holds nothing but loopback.

`enter` replaces this process by itself inside one (`unshare`, else `bwrap`), or says why it cannot.
Nothing inside can leave it, whatever language it is written in. What tries is refused by the kernel
for want of a route, and counted by it: `/proc/net/snmp` and `/proc/net/snmp6` are the namespace's
own, and `IpOutNoRoutes` and `Ip6OutNoRoutes` grow with each connect and each datagram.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from ladder.errors import IsolationError
from ladder.trust.egress import LOG
from ladder.trust.quiet import without_hub

TOOL, OUTSIDE = "LADDER_ISOLATED_BY", "LADDER_ISOLATED_FROM"
"""Variables that tell the process inside what has put it there, and from which namespace."""
UNSET = ("CI",)
"""Variables taken out: libraries that send something keep quiet where they believe to be tested."""
UNSHARE = ("unshare", "--map-root-user", "--net", "--")
BWRAP = (
    *("bwrap", "--unshare-user", "--unshare-net", "--cap-drop", "ALL"),
    *("--dev-bind", "/", "/", "--"),
)
TOOLS = (UNSHARE, BWRAP)
"""Tried in this order; the first that the kernel allows is taken."""
COUNTED = ("IpOutNoRoutes", "Ip6OutNoRoutes", "UdpNoPorts", "Udp6NoPorts")
"""What is an attempt: no route, or a datagram to a port of loopback at which nobody listens, which
is how a resolver of the host (127.0.0.53) is asked from inside."""
KEPT = (*COUNTED, "TcpActiveOpens", "TcpAttemptFails", "UdpOutDatagrams", "Udp6OutDatagrams")
LIMITS = (
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ("user/max_net_namespaces", "0", "sysctl -w user.max_net_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for "
        "unshare",
    ),
)
"""Below /proc/sys: the value that forbids it, and what an administrator types."""
NO_MORE = ("max_user_namespaces", "max_net_namespaces")
"""Nothing inside can make a namespace of its own, in which its attempts would not be counted."""
PROBED_S = 20
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
CAPABILITY_VERSION_3 = 0x20080522
MOST_CAPABILITIES = 64


@dataclass(frozen=True)
class Network:
    """What there is of a network, and what the kernel has counted on it."""

    interfaces: tuple[str, ...]
    routes: tuple[str, ...]
    """That lead anywhere but to loopback, as the kernel writes them."""
    counters: dict[str, int]

    @property
    def leads_nowhere(self) -> bool:
        """Whether there is loopback alone."""
        return self.interfaces in ((), ("lo",)) and not self.routes


@dataclass(frozen=True)
class Inside:
    """A process in a namespace without a route, when it began."""

    by: str
    """What put it there, with its version."""
    kernel: str
    namespace: int
    """Inode of its network namespace."""
    outside: int | None
    """Inode of the one that it was started from; None: it was isolated before it was started."""
    before: Network
    began: str
    """UTC, ISO 8601."""
    log: Path
    """What Python has refused, of all processes inside."""
    sealed: bool
    """Nothing inside has a capability, or can make a namespace of its own."""


def enter() -> Inside:
    """Go on in a namespace without a route: on its outside this never returns.

    Raises:
        IsolationError: the kernel, or this machine, does not allow it.
    """
    if sys.platform != "linux":
        raise IsolationError(
            "--isolated needs Linux: it rests on its network namespaces. Run it in a Linux "
            "container without a network (--network none)"
        )
    if os.environ.get(TOOL):
        return _begin(os.environ[TOOL])
    tried = []
    for tool in TOOLS:
        said = _refused_by(tool)
        if said is None:
            _go_inside(tool)
        tried.append(f"{tool[0]}: {said}")
    if network().leads_nowhere:
        return _begin("what has started it: there is no network here")
    raise IsolationError(_why_not(tried))


def network() -> Network:
    """Return what there is of a network for this process now."""
    devices = Path("/proc/net/dev").read_text().splitlines()[2:]
    return Network(
        interfaces=tuple(line.partition(":")[0].strip() for line in devices),
        routes=(*_routes("/proc/net/route", 1, 0), *_routes("/proc/net/ipv6_route", 0, -1)),
        counters={name: value for name, value in _counters().items() if name in KEPT},
    )


def attempts(counters: dict[str, int]) -> int:
    """Return how many of the counted events are attempts to reach another machine."""
    return sum(counters.get(name, 0) for name in COUNTED)


def since(before: Network, now: Network) -> dict[str, int]:
    """Return how far each counter has grown."""
    return {name: value - before.counters.get(name, 0) for name, value in now.counters.items()}


def now_utc() -> str:
    """Return the time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _begin(by: str) -> Inside:
    """Bring loopback up, give up every capability, and look around.

    Raises:
        IsolationError: there is a way out: whoever set the variable has not isolated anything.
    """
    _end_with_parent()
    _loopback_up()
    sealed = TOOL in os.environ and _seal()
    before = network()
    if not before.leads_nowhere:
        found = ", ".join((*before.interfaces, *before.routes))
        raise IsolationError(f"{TOOL} is set, and there is a network here: {found}. Unset it")
    outside = os.environ.get(OUTSIDE, "")
    handle, log = tempfile.mkstemp(prefix="ladder-refused-")
    os.close(handle)
    os.environ[LOG] = log
    without_hub()
    for name in UNSET:
        os.environ.pop(name, None)
    return Inside(
        by=by,
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        namespace=_namespace(),
        outside=int(outside) if outside.isdecimal() else None,
        before=before,
        began=now_utc(),
        log=Path(log),
        sealed=sealed,
    )


def _go_inside(tool: Sequence[str]) -> NoReturn:
    """Replace this process by the same command inside."""
    told = subprocess.run([tool[0], "--version"], capture_output=True, text=True, check=False)
    inside = {name: value for name, value in os.environ.items() if name not in UNSET}
    inside |= {TOOL: " ".join(told.stdout.split()) or tool[0], OUTSIDE: str(_namespace())}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(tool[0], [*tool, sys.executable, *sys.orig_argv[1:]], inside)


def _refused_by(tool: Sequence[str]) -> str | None:
    """Return why a tool cannot make a namespace, in words; None where it can."""
    if shutil.which(tool[0]) is None:
        return "not installed"
    command = [*tool, sys.executable, "-I", "-S", "-c", "pass"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBED_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else "".join(said[-1:]) or f"exit code {done.returncode}"


def _why_not(tried: Sequence[str]) -> str:
    """Say why a run cannot be isolated here, and what would help."""
    fixes = [
        f"{name} is {forbids}: {fix}"
        for name, forbids, fix in LIMITS
        if _read(Path("/proc/sys") / name) == forbids
    ]
    if all(said.endswith("not installed") for said in tried):
        fixes.append("install util-linux (unshare) or bubblewrap (bwrap)")
    if not fixes:
        fixes.append("in a container, the profile that forbids namespaces (seccomp) is what to ask")
    return (
        f"--isolated needs a network namespace, and none can be made here ({'; '.join(tried)}). "
        f"To mend it: {'; '.join(fixes)}. Or start the whole container without a network "
        "(--network none): then it is isolated already, and --isolated certifies that"
    )


def _loopback_up() -> None:
    """Bring loopback up, where this process may: `bwrap` has done so."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(handle, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def _seal() -> bool:
    """Take from this process, and from all that it starts, what could change the namespace."""
    for name in NO_MORE:
        with suppress(OSError):
            Path("/proc/sys/user", name).write_text("0")
    calls = ctypes.CDLL(None, use_errno=True)
    calls.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(MOST_CAPABILITIES):
        calls.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    calls.capset(header, bytes(24))  # effective, permitted and inheritable: none
    none = all(
        int(line.split()[1], 16) == 0
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(("CapPrm", "CapEff", "CapBnd"))
    )
    closed = [_read(Path("/proc/sys/user", name)) == "0" for name in NO_MORE]
    return none and all(closed)


def _end_with_parent() -> None:
    """Be told to end where `bwrap`, which stays as this process' parent, ends."""
    if os.environ.get(TOOL, "").startswith(("bwrap", "bubblewrap")):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _namespace() -> int:
    return Path("/proc/self/ns/net").stat().st_ino


def _routes(file: str, skipped: int, device: int) -> tuple[str, ...]:
    """Return the routes of a file of the kernel's that lead past loopback."""
    try:
        lines = Path(file).read_text().splitlines()[skipped:]
    except OSError:  # a kernel without IPv6
        return ()
    split = [line.split() for line in lines if line.strip()]
    return tuple(" ".join(parts) for parts in split if parts[device] != "lo")


def _counters() -> dict[str, int]:
    """Return the counters of the network namespace."""
    found: dict[str, int] = {}
    lines = Path("/proc/net/snmp").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        group = names.partition(":")[0]
        pairs = zip(names.split()[1:], values.split()[1:], strict=True)
        found |= {f"{group}{name}": int(value) for name, value in pairs}
    with suppress(OSError):  # a kernel without IPv6
        for line in Path("/proc/net/snmp6").read_text().splitlines():
            name, value = line.split()
            found[name] = int(value)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
