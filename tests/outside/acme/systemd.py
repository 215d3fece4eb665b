"""An exporter of schedules: a systemd timer."""

from __future__ import annotations

import shlex
from pathlib import Path

from ladder.lifecycle.needs import Needs


def as_systemd(plan: Path, needs: Needs) -> str:
    """Return a service and its timer."""
    command = f"/usr/bin/env ladder revalidate {shlex.quote(str(plan.resolve()))} --if-due"
    extras = ", ".join(needs.extras)
    head = f"# extras: {extras}\n[Service]"
    return f"{head}\nType=oneshot\nExecStart={command}\n\n[Timer]\nOnCalendar=weekly\n"
