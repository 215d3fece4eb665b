"""An exporter of schedules: a systemd timer."""

from __future__ import annotations

import shlex
from pathlib import Path


def as_systemd(plan: Path) -> str:
    """Return a service and its timer."""
    command = f"/usr/bin/env ladder revalidate {shlex.quote(str(plan.resolve()))} --if-due"
    return f"[Service]\nType=oneshot\nExecStart={command}\n\n[Timer]\nOnCalendar=weekly\n"
