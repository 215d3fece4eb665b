"""The way to a Ray cluster: where it is, and this program as one of its drivers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from typing import Any

from ladder.errors import EngineError, MissingExtraError
from ladder.wording import harmless

CONNECT_S = 5.0
AUTO = "auto"
ADDRESS = "RAY_ADDRESS"


def whole_address(named: str) -> str:
    """Return HOST:PORT of a cluster.

    Args:
        named: the same, or `auto`.

    Raises:
        EngineError: no cluster is named.
    """
    found = os.environ.get(ADDRESS, "") if named == AUTO else named
    host, _, port = found.rpartition(":")
    if not (host and port.isdecimal()) or "/" in found:
        where = f"{ADDRESS}={found}" if named == AUTO and found else f"address `{named}`"
        raise EngineError(
            f"{where}: no Ray cluster is named; wanted HOST:PORT, as `ray start --head` prints it. "
            "Assess on a machine of the cluster: Ray's client (ray://) is not used"
        )
    return found


def reach(address: str) -> None:
    """See that somebody listens where a cluster is named.

    Args:
        address: HOST:PORT.

    Raises:
        EngineError: nobody does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError as error:
        raise EngineError(f"no Ray cluster answers at {address} ({error})") from None


def connected(address: str) -> tuple[Any, bool]:
    """Return Ray, connected to a cluster, and whether it is this call that has connected it.

    Args:
        address: HOST:PORT.

    Raises:
        MissingExtraError: Ray is not installed.
        EngineError: no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("Ray", 'pip install "escalation-ladder[ray]"') from None
    if ray.is_initialized():  # for another task of this process
        return ray, False
    reach(address)
    kept = _handlers()
    # It tells the cluster's errors on standard output, where `--json` tells events. What
    # concerns the run is said here.
    ray._private.worker.listen_error_messages = lambda worker, stopped: None
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # by what is wrong: RuntimeError, ConnectionError, ValueError
        why = harmless(str(error), 200)
        raise EngineError(f"the Ray cluster at {address} takes nobody: {why}") from None
    finally:
        for number, handler in kept.items():  # how the program ends is its own affair
            signal.signal(number, handler)
    return ray, True


def losses(ray: Any) -> tuple[type[Exception], ...]:
    """Return the errors by which Ray says that a process is gone."""
    errors = ray.exceptions
    return (
        errors.RayActorError,
        errors.WorkerCrashedError,
        errors.NodeDiedError,
        errors.OutOfMemoryError,
        errors.ObjectLostError,
    )


def why_lost(error: Exception) -> str:
    """Return in few words what Ray says at length of a process that is gone."""
    said = str(error).lower()
    if type(error).__name__ == "OutOfMemoryError" or "low on memory" in said:
        return "out of memory"
    if "node has died" in said or "node was terminated" in said:
        return "its machine is gone"
    return "its process ended" if "process" in said else harmless(type(error).__name__)


def _handlers() -> dict[int, Any]:
    """Return what this program does at a signal that Ray takes over."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = (signal.SIGTERM, signal.SIGINT)
    return {n: handler for n in numbers if (handler := signal.getsignal(n)) is not None}
