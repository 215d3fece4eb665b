"""A service and a timer of systemd: the timer makes up for what a machine slept through."""

from __future__ import annotations

from collections.abc import Iterable

from ladder.lifecycle.schedules.job import (
    LIMIT_HOURS,
    Files,
    Job,
    kept_elsewhere,
    said_needs,
    words_here,
)

CALENDAR = "Mon *-*-* 06:17:00"
"""The same moments as `job.WEEKLY`."""


def as_systemd(job: Job) -> Files:
    """Return the two units of a job; both lie in ~/.config/systemd/user or /etc/systemd/system."""
    return {f"{job.title}.service": _service(job), f"{job.title}.timer": _timer(job)}


def _service(job: Job) -> str:
    command = " ".join(map(_quoted, words_here(job, str(job.plan.resolve()))))
    kept = "".join(
        f"Environment={_quoted(f'{name}={path}', dollars=False)}\n"
        for name, path in kept_elsewhere().items()
    )
    keys = f"%E/ladder/{job.title}.env"
    if job.needs.variables or job.needs.handed_on:  # without the file the service fails: it is seen
        kept += f"EnvironmentFile={keys}\n"
    return f"""\
# Save both files in ~/.config/systemd/user (or /etc/systemd/system), then:
#   systemctl --user daemon-reload && systemctl --user enable --now {job.title}.timer
#   loginctl enable-linger   (else it ticks only while you are logged in)
# Exit 1 (something changed) is a failed unit: name your alarm in OnFailure= below [Unit].
{"".join(said_needs(job.needs, f"in {keys} (%E: ~/.config, or /etc), mode 600"))}\
[Unit]
Description=Revalidate the certified answer {job.title}

[Service]
Type=oneshot
{kept}ExecStart={command}
TimeoutStartSec={LIMIT_HOURS}h
"""


def _timer(job: Job) -> str:
    return f"""\
# Weekly tick; the service measures only when the plan says it is due.
[Unit]
Description=Weekly tick of {job.title}

[Timer]
OnCalendar={CALENDAR} {job.zone}
Persistent=true
RandomizedDelaySec=15min

[Install]
WantedBy=timers.target
"""


def _quoted(word: str, *, dollars: bool = True) -> str:
    """Return a word as a unit file holds it (systemd.service(5), "Command lines").

    Args:
        word: any text without control characters.
        dollars: whether `$` begins a variable there.
    """
    pairs: Iterable[tuple[str, str]] = (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"))
    for sign, written in (*pairs, *((("$", "$$"),) if dollars else ())):
        word = word.replace(sign, written)
    return f'"{word}"'
