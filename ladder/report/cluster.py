"""Which cluster a run's answers came from, as a line."""

from __future__ import annotations

from ladder.evidence import Cluster


def cluster_line(found: Cluster) -> str:
    """Return where answers came from, and what died on the way."""
    where = ", ".join(f"{name} {many}" for name, many in sorted(found.machines.items()))
    line = f"Answered on the Ray cluster at {found.address}, workers that answered: {where}"
    if found.workers_lost:
        line += f"; {found.workers_lost:,} of them died, and what they had in hand was asked anew"
    if found.given_up:
        line += f"; requests that failed, two workers having died on each: {found.given_up:,}"
    return line
