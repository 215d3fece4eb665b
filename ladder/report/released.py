"""A release check in words: on a terminal, as JUnit for CI, as Markdown for a job's summary."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from ladder.evidence import Forgetting, LimitVerdict, NotWorse, ReleaseRecord, Unmeasured
from ladder.report.exports import NOT_XML, XML_HEAD
from ladder.report.limits import limit_reason
from ladder.wording import apart, harmless, in_markdown, latency, span

MOST_SHOWN = 10
"""Rows and prompts that are named on a screen; the record has more."""
MOST_OF_TEXT = 120
ALL = "all"


def release_lines(found: ReleaseRecord) -> Iterator[str]:
    """Say what a release check found, line by line."""
    for name in ("champion", "candidate"):
        side = found.sides.get(name)
        if side and side.score:
            system = found.champion if name == "champion" else found.candidate
            paid = "" if side.usd_per_1k is None else f", {side.usd_per_1k:.4f} USD per 1,000"
            late = "" if side.p95_ms is None else f", p95 {latency(side.p95_ms)}"
            yield f"{name} {system.folder}: score {span(side.score)}{late}{paid}"
    yield f"not worse by {found.margin:g} or more, at {100 * found.error:g} % error:"
    for check in found.checks:
        yield f"{_mark(check.holds, check.decides)} {_name(check)}: {check_words(check)}"
    for limit in found.limits:
        yield f"{_mark(limit.verdict == 'pass')} {limit.limit}: {_limit_words(limit)}"
    for forgot in found.forgetting:
        held, decides = forgot.check.holds, forgot.check.decides
        yield f"{_mark(held, decides)} forgetting: {forgetting_words(forgot)}"
    yield from _lost(found)
    for name, one in found.calibration.items():
        by_chance = f"up to {one.ece_by_chance:.3f} by chance at n = {one.n}"
        yield f"calibration of the {name}: ECE {one.ece:.3f} ({by_chance}), Brier {span(one.brier)}"
    yield from (f"not looked at: {unmeasured_words(one)}" for one in found.unmeasured)
    yield release_verdict(found)


def release_verdict(found: ReleaseRecord) -> str:
    """Return the sentence with the decision."""
    if found.passed:
        return "Passed: the candidate may take the champion's place."
    return f"Refused: {', '.join(dict.fromkeys(found.refusals))}."


def check_words(check: NotWorse) -> str:
    """Say what a check rests on."""
    units = f"n = {check.n:,}" if check.n == check.rows else f"n = {check.n:,} groups"
    if check.verdict == "too few rows":
        return f"too few rows to say: {units}, and not even equal answers would show it"
    sure = "" if check.p_value is None else f", p {check.p_value:.4f}"
    said = (
        f"{check.verdict}: {apart(check.difference, 3)}, at worst {apart(check.low, 3)}{sure}; "
        f"{check.won} won, {check.lost} lost, {units}"
    )
    if check.shows is not None and check.shows > check.margin:
        equal = f"one as good would pass in {100 * check.power:.0f} %; " if check.power else ""
        wants = f"{check.wants:,}" if check.wants else "more"
        said += (
            f"; {equal}this n shows {check.shows:.3f} at 80 % power, about {wants} would show this"
        )
    return said


def forgetting_words(found: Forgetting) -> str:
    """Say what became of the fixed prompts."""
    check = found.check
    said = (
        f"{found.after} of {check.n} fixed prompts right, {found.before} with the {found.against}: "
        f"{check.lost} lost, {check.won} won"
    )
    if check.holds:
        return f"{said}; not worse by {check.margin:g} (p {check.p_value or 0:.4f})"
    if found.p_worse <= check.error:
        return f"{said}; more than chance loses (p {found.p_worse:.4f})"
    return f"{said}; {check.margin:g} is not ruled out (p {check.p_value or 0:.4f})"


def unmeasured_words(one: Unmeasured) -> str:
    """Say what was not looked at, and why."""
    if one.what == "rows known to a training":
        return f"{one.why} rows that stand among training or dev examples of one of the two"
    return f"{one.what} ({one.why})"


def _name(check: NotWorse) -> str:
    return "all rows" if check.name == ALL else harmless(check.name, 40)


def _mark(held: bool, decides: bool = True) -> str:
    return "held" if held else "NOT HELD" if decides else "told"


def _lost(found: ReleaseRecord) -> Iterator[str]:
    if found.regressions:
        lost = found.checks[0].lost if found.checks else len(found.regressions)
        yield f"rows that the champion answers better: {lost:,}"
        for row in found.regressions[:MOST_SHOWN]:
            yield f"  {harmless(row.id, 40)}: {harmless(row.input, MOST_OF_TEXT)}"
            was, now, wanted = (_short(text) for text in (row.champion, row.candidate, row.target))
            yield f"      wanted {wanted}; champion {was}; candidate {now}"
    for forgot in found.forgetting:
        if forgot.lost:
            yield f"prompts that the {forgot.against} answers rightly and the candidate does not:"
        for one in forgot.lost[:MOST_SHOWN]:
            yield f"  {one.name}: {harmless(one.prompt, MOST_OF_TEXT)}"
            wanted, was, now = (_short(text) for text in (one.wanted, one.before, one.after))
            yield f"      wanted {wanted}; before {was}; after {now}"


def _short(text: str) -> str:
    return f"`{harmless(text, MOST_OF_TEXT)}`"


# JUnit and Markdown.


def release_junit(found: ReleaseRecord) -> str:
    """Return a release check as JUnit XML: a case for each thing that must hold."""
    name = _xml(f"{found.candidate.task}.release")
    root = ElementTree.Element("testsuites", name=name)
    suite = ElementTree.SubElement(root, "testsuite", name=name, timestamp=found.at[:19])
    for case, held, decides, said in release_cases(found):
        made = ElementTree.SubElement(suite, "testcase", name=_xml(case), classname=name, time="0")
        if held:
            ElementTree.SubElement(made, "system-out").text = _xml(said)
        elif decides:
            ElementTree.SubElement(made, "failure", message=_xml(said), type="refused")
        else:
            ElementTree.SubElement(made, "skipped", message=_xml(said))
    suite.set("tests", str(len(suite.findall("testcase"))))
    for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))
    ElementTree.indent(root)
    return f"{XML_HEAD}\n{ElementTree.tostring(root, encoding='unicode')}\n"


def release_cases(found: ReleaseRecord) -> Iterator[tuple[str, bool, bool, str]]:
    """Yield what a check looked at: its name, whether it held, whether it decides, in words."""
    for check in found.checks:
        name = "all rows" if check.name == ALL else check.name
        yield name, check.holds, check.decides, check_words(check)
    for limit in found.limits:
        yield limit.limit, limit.verdict == "pass", True, _limit_words(limit)
    for forgot in found.forgetting:
        said = forgetting_words(forgot)
        if forgot.lost:
            said += f"; lost: {', '.join(one.name for one in forgot.lost)}"
        yield (
            f"forgetting, beside the {forgot.against}",
            forgot.check.holds,
            (forgot.check.decides),
            said,
        )


def _limit_words(limit: LimitVerdict) -> str:
    return f"wanted {limit.wanted:g}: {limit_reason(limit)}"


def release_markdown(found: ReleaseRecord) -> str:
    """Return a release check as Markdown, for the summary of a CI job."""
    names = [in_markdown(each.folder) for each in (found.candidate, found.champion)]
    rows = [
        f"| {in_markdown(name)} | {_word(held, decides)} | {in_markdown(said)} |"
        for name, held, decides, said in release_cases(found)
    ]
    lost = [
        f"- {in_markdown(row.id)}: {in_markdown(harmless(row.input, MOST_OF_TEXT))}"
        for row in found.regressions[:MOST_SHOWN]
    ]
    return "\n".join(
        [
            f"## Release check: {names[0]} against {names[1]}",
            "",
            f"**{in_markdown(release_verdict(found))}**",
            "",
            "| what | held | on what |",
            "|---|---|---|",
            *rows,
            *(["", "Rows that the champion answers better:", "", *lost] if lost else []),
            *(["", *(f"Not looked at: {in_markdown(unmeasured_words(one))}.  "
                     for one in found.unmeasured)] if found.unmeasured else []),
            "",
        ]
    )  # fmt: skip


def _word(held: bool, decides: bool) -> str:
    return "yes" if held else "**no**" if decides else "no; told only"


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", harmless(text))
