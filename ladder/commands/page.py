"""report.html and the brief of a run: made from its record, its examples and its plan."""

from __future__ import annotations

from pathlib import Path

from ladder.audit.folders import digests_in
from ladder.audit.ledger import note, refuse_unready
from ladder.errors import LadderError
from ladder.evidence import Assessment, Happening
from ladder.files import write_whole
from ladder.lifecycle.history import RECORDS, history_of
from ladder.lifecycle.plan import PLAN, load_plan
from ladder.report.brief import BRIEF, as_brief, as_brief_page
from ladder.report.headline import NextCheck
from ladder.report.page import PAGE, as_page
from ladder.report.samples import SIBLING, read_samples
from ladder.wording import MOST_SHOWN, harmless


def write_page(folder: Path, assessment: Assessment) -> Path:
    """Write the page of a run and its brief, and the file of examples where they are too many.

    Args:
        folder: of the run.
        assessment: its record.

    Returns:
        the page.

    Raises:
        DataError: the examples of the run are damaged.
        OSError: the folder cannot be written to.
    """
    check = next_check(folder, assessment)
    samples = read_samples(folder, assessment)
    page = as_page(assessment, samples, check, happened_since(folder))
    path, beside = folder / PAGE, folder / SIBLING
    if page.beside is not None:
        write_whole(beside, page.beside)
    else:
        beside.unlink(missing_ok=True)
    write_whole(path, page.html)
    write_whole(folder / BRIEF, as_brief_page(assessment, check))
    write_whole((folder / BRIEF).with_suffix(".md"), as_brief(assessment, check))
    return path


def write_page_anew(folder: Path, assessment: Assessment) -> None:
    """Write the page of a run that ended; where a ledger is kept, it says that the page changed.

    Raises:
        DataError: the examples of the run are damaged.
        OSError: the folder cannot be written to.
        SettingsError: there is a ledger and no machine key: the page stays as it is.
    """
    refuse_unready(folder)
    before = digests_in(folder)
    write_page(folder, assessment)
    now = digests_in(folder)
    changed = {name: digest for name, digest in now.items() if before.get(name) != digest}
    if changed:
        note(folder, "page", files=changed)


def happened_since(folder: Path) -> tuple[Happening, ...]:
    """Return what happened to a run's answer since; lines that cannot be read are left out."""
    return history_of(folder).happenings


def records_read(folder: Path) -> tuple[int, ...]:
    """Return when each record beside the plan was written last, ns; 0: there is none."""
    paths = [folder / name for name in RECORDS]
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


def next_check(folder: Path, assessment: Assessment) -> NextCheck | None:
    """Return when the answer is to be measured again; None without a plan."""
    if not assessment.plan:
        return None
    try:
        plan = load_plan(folder / PLAN)
    except LadderError:  # the page is of the record: a plan that was moved takes a part from it
        return None
    if not plan.due:
        return None
    triggers = tuple(harmless(trigger, MOST_SHOWN) for trigger in plan.triggers)
    return NextCheck(harmless(plan.due[0], MOST_SHOWN), plan.every_days, triggers)
