"""`ladder trust`: show the code that a task names, and write down that it may run."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.climb.own_code import Named, named_code
from ladder.task import Task
from ladder.trust.code import Code, Consent
from ladder.trust.settings import read_settings, settings_file, shown, trust_code
from ladder.wording import harmless

MOST_SHOWN = 40


def code_lines(task: Task) -> tuple[list[str], list[Code]]:
    """Return what to show of the code that a task names, and what of it is not trusted yet.

    Raises:
        TaskError: it is not there, or may not be named.
    """
    named = named_code(task, fetch=True)
    if not named:
        return [f"{shown(task.source)} names no code: nothing to trust."], []
    trusted = read_settings().trusted_code
    codes = [each.code for each in named if each.code and each.code.files]
    lines = [line for each in named for line in _about(each, trusted)]
    return lines, [code for code in codes if code.digest not in trusted]


def trust_all(task: Task, codes: Sequence[Code]) -> str:
    """Write down that code may run; return the file, as a person would type it."""
    for code in codes:
        trust_code(code.digest, f"{code.place.name}, named by {task.name}")
    return shown(settings_file())


def how_named(named: Named, consent: Consent) -> str:
    """Say for `ladder check` what is needed before code runs: check never runs it."""
    head = f"{named.where}: `{harmless(named.name, 80)}` is code"
    if named.code is not None and named.code.digest in read_settings().trusted_code:
        return f"{head} that {shown(settings_file())} trusts; check does not run it"
    if named.code is None and not named.fetched:
        return f"{head} of a package that {shown(settings_file())} trusts; check does not run it"
    if named.code is None:
        return f"{head} that is fetched; not run by check; assess needs --allow-code"
    return (
        f"{head} of your own; not run by check; assess needs --allow-code, or once: "
        f"{consent.command}"
    )


def _about(named: Named, trusted: dict[str, str]) -> list[str]:
    head = f"{named.where}: {harmless(named.name, 80)}"
    if named.code is None:
        fetched = "has its code fetched: no digest stands for it; it runs with --allow-code only"
        return [f"{head} {fetched if named.fetched else 'is in a package that you trust'}"]
    files = [
        f"  {shown(named.code.place.parent / name)} ({len(data):,} bytes)"
        for name, data in named.code.files.items()
    ]
    rest = [f"  … and {len(files) - MOST_SHOWN} more"] if len(files) > MOST_SHOWN else []
    state = "trusted already" if named.code.digest in trusted else "not trusted yet"
    return [head, *files[:MOST_SHOWN], *rest, f"  sha256 {named.code.digest}: {state}"]
