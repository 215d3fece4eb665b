"""What is put into a scheduler: one plan, its weekly tick, and what both need there.

The job ticks every week and asks `--if-due`: a tick that a sleeping machine missed is caught up by
the next one, and the plan alone says how often a check is needed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ladder import __version__
from ladder.audit.ledger import HEADS
from ladder.errors import Problem, TaskError
from ladder.lifecycle.names import label_of
from ladder.lifecycle.needs import Needs
from ladder.lifecycle.revalidate import RECORD
from ladder.trust.settings import settings_file
from ladder.wording import harmless

WEEKLY = "17 6 * * 1"
"""Mondays at 06:17: day of month stays `*`, because cron reads two restricted day fields as OR. No
zone moves its clock at that hour."""
LIMIT_HOURS = 6
"""A check that has hung for so long is ended: while it runs, no other one starts."""
LOCALTIME = Path("/etc/localtime")
ZONES = "zoneinfo/"
COMMITTED = (
    "the plan's folder\n# (git add -f, where runs/ is ignored), the task and its data with it."
)
NOTHING = Needs()
MACHINE_KEY = "LADDER_MACHINE_KEY"
"""The text of keys/machine.pem, where a runner starts without a configuration."""
WITH_KEY = (
    "(umask 077; mkdir -p ~/.config/ladder/keys; "
    f'{{ cat "${MACHINE_KEY}" 2> /dev/null || printf \'%s\\n\' "${MACHINE_KEY}"; }} '
    "> ~/.config/ladder/keys/machine.pem) && "
)
"""GitLab hands on a file's name, since no text of several lines can be masked; GitHub the text."""


@dataclass(frozen=True)
class Job:
    """One plan to be revalidated."""

    plan: Path
    """Its path."""
    name: str = "plan"
    """Of its task."""
    needs: Needs = NOTHING
    """What it needs there: a scheduler starts with an empty environment, and a key is nothing to
    be printed."""
    zone: str = "UTC"
    """IANA name of the time zone of the tick."""
    image: str = ""
    """The container image that it runs in; empty: none was named."""
    task: Path | None = None
    """The task file, where it is not the one that the plan names."""
    root: Path | None = None
    """The folder that holds all files of it; None: that of the plan."""
    ledger: Path | None = None
    """The ledger beside the runs, which every check is written into; None: none is kept."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that a machine elsewhere is given as secrets."""
        return (*self.needs.variables, *((MACHINE_KEY,) if self.ledger else ()))

    @property
    def title(self) -> str:
        """The name of the job: lower-case ASCII, at most 52 characters, one for each task."""
        return label_of(self.name, "ladder")

    @property
    def package(self) -> str:
        """What pip installs for it."""
        extras = f"[{','.join(self.needs.extras)}]" if self.needs.extras else ""
        return f"escalation-ladder{extras}=={__version__}"


Files = Mapping[str, str]
"""Name of a file -> its text."""
Target = Callable[[Job], Files]


def as_text(files: Files) -> str:
    """Return files as one text; of several, each stands below its name."""
    if len(files) == 1:
        return next(iter(files.values()))
    return "\n".join(f"# ==> {name}\n{text}" for name, text in files.items())


def words(plan: str, task: str | None) -> list[str]:
    """Return what `ladder` is told at every tick."""
    return ["revalidate", plan, *(["--task", task] if task else []), "--if-due"]


def words_here(job: Job, plan: str) -> list[str]:
    """Return the command of a tick on this machine, with the Python that has ladder.

    Args:
        job: what is scheduled.
        plan: how its plan is named.
    """
    task = str(job.task.resolve()) if job.task else None
    # -P: no file beside the plan is taken for a module.
    found = [sys.executable, "-P", "-m", "ladder", *words(plan, task)]
    refuse_breaks("".join((*found, str(job.plan.resolve()))))
    return found


def words_in_repository(job: Job) -> str:
    """Return the command of a tick in a checkout."""
    plan, task = in_repository(job.plan), in_repository(job.task) if job.task else None
    refuse_breaks(f"{plan}{task or ''}")
    return (WITH_KEY if job.ledger else "") + shlex.join(["ladder", *words(plan, task)])


def kept_elsewhere() -> dict[str, str]:
    """Return the variables that say where cache and configuration are, where some do here."""
    found = {}
    if cache := os.environ.get("LADDER_CACHE"):
        found["LADDER_CACHE"] = cache
    if os.environ.get("LADDER_CONFIG") or os.environ.get("XDG_CONFIG_HOME"):
        found["LADDER_CONFIG"] = str(settings_file().absolute())
    refuse_breaks("".join(found.values()))
    return found


def said_needs(needs: Needs, variables: str) -> Iterator[str]:
    """Say in comments what a plan needs where it is revalidated.

    Args:
        needs: of the plan.
        variables: where its keys are put, in words.
    """
    if needs.variables:
        yield f"# Needs, {variables}: {', '.join(f'{name}=…' for name in needs.variables)}\n"
    if needs.handed_on:
        lines = ", ".join(f"{variable}=…" for variable in needs.handed_on)
        yield f"# Needs as well, as they are set here: {lines}\n"
    if needs.extras:
        yield f"# Needs the extras of escalation-ladder: {', '.join(needs.extras)}.\n"
    yield from (f"# Needs: {install}\n" for install in needs.installs)
    for name in needs.untrusted:
        yield f"# Runs the code {harmless(name, 80)}: read it and run `ladder trust` first.\n"


def said_nearby(needs: Needs, where: str, fix: str) -> str:
    """Say in comments what a machine elsewhere does not have; empty: nothing."""
    names = ", ".join(harmless(name, 80) for name in needs.nearby)
    return f"# {where} {names}:\n# {fix}\n" if names else ""


def said_ledger(job: Job, where: str) -> str:
    """Say in comments what the ledger asks for elsewhere; empty: none is kept.

    Args:
        job: what is scheduled.
        where: the machine key is put, in words.
    """
    if job.ledger is None:
        return ""
    return (
        f"# A ledger is kept: the machine key (ladder audit keys) is needed {where}.\n"
        "# Let nothing else write into a copy of it: of two that grew apart one is lost.\n"
    )


def _repository(path: Path) -> Path | None:
    return next((each for each in path.resolve().parents if (each / ".git").exists()), None)


def said_no_repository(job: Job) -> str:
    """Say in comments that the plan lies in no repository here; empty: it does."""
    if _repository(job.plan):
        return ""
    return (
        "# The plan is in no Git repository here: paths are as it was named, from where you are.\n"
    )


def in_repository(path: Path) -> str:
    """Return a path as it is seen from the root of its repository; in none: as it is."""
    whole, root = path.resolve(), _repository(path)
    return (whole.relative_to(root) if root else path).as_posix()


def records_of(job: Job) -> tuple[str, ...]:
    """Return the paths of what a check adds lines to, in the repository."""
    ledger = (job.ledger, job.ledger.with_name(HEADS)) if job.ledger else ()
    return tuple(map(in_repository, (job.plan.parent / RECORD, *ledger)))


def refuse_breaks(text: str) -> None:
    """Refuse what would end a line of a job, and so begin another one.

    Raises:
        TaskError: a name holds a control character, a line's end, or a byte that is not UTF-8.
    """
    sign = next((sign for sign in text if category(sign) in ("Cc", "Cs", "Zl", "Zp")), None)
    if sign is not None:
        got, fix = f"the character {sign!a}", "Rename the folder or the file."
        raise TaskError([Problem(harmless(text), got, "a name that fits on a line", fix)])


def is_zone(name: str) -> bool:
    """Tell whether a name is one of a time zone in the IANA database."""
    try:
        return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]*", name)) and bool(ZoneInfo(name))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def zone_here() -> str:
    """Return the time zone of this machine; UTC where it names none that schedulers know."""
    link = str(LOCALTIME.resolve()) if LOCALTIME.exists() else ""
    named = (os.environ.get("TZ", "").removeprefix(":"), link.rpartition(ZONES)[2])
    return next((name for name in named if is_zone(name)), "UTC")
