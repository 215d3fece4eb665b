"""A finished run for other programs: JUnit for CI, CSV for a sheet, promptfoo's results, JSON.

JUnit: the attributes that Jenkins' junit-10.xsd allows. promptfoo: version 3 of its results, as
`promptfoo import` reads them. What stands in a cell or an element can act nowhere: control
characters are written out, and no cell is a formula (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ladder.evidence import CONTROL, Assessment, Attempt, LimitVerdict, VerdictWord
from ladder.report.kept import ANSWERED, SAMPLES, kept_rows
from ladder.report.limits import limit_reason
from ladder.report.summary import answer_line
from ladder.wording import harmless, harmless_lines, in_json

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula; the last four are full-width signs."""
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
RESULTS_VERSION = 3
NONE, ASSERT, ERROR = 0, 1, 2
"""promptfoo's reasons of a failure."""


@dataclass(frozen=True)
class Answered:
    """What one rung said to one held-out sample."""

    id: str
    input: str
    """Empty in runs that did not keep it."""
    targets: tuple[str, ...]
    answer: str
    score: float | None
    error: str


Answers = Mapping[str, Mapping[str, Answered]]
"""Rung -> sample id -> what it said."""


def read_answers(run: Path, a: Assessment) -> Answers:
    """Return what each rung said to the held-out samples, as the run kept it.

    Raises:
        DataError: a file of it is damaged.
    """
    answer = [CONTROL] if a.recommendation.control else []
    names = (*answer, *(each.rung for each in a.attempts))
    paths = {name: run / name / SAMPLES for name in names}
    return {
        rung: {row["id"]: _answered(row) for row in kept_rows(path, ANSWERED)}
        for rung, path in paths.items()
        if path.is_file()
    }


def _answered(values: Mapping[str, Any]) -> Answered:
    score, targets = values["score"], values.get("targets") or [values.get("target") or ""]
    return Answered(
        id=values["id"],
        input=str(values.get("input") or ""),
        targets=tuple(map(str, targets)),
        answer=str(values["answer"] or ""),
        score=None if score is None else float(score),
        error=str(values["error"] or ""),
    )


# JUnit.


def as_junit(a: Assessment, answers: Answers) -> str:
    """Return the verdicts as JUnit XML: a suite for each rung, a case for each limit of its gate.

    A missed limit is a failure, an undecided one is skipped, one without a verdict is an error.
    """
    root = ElementTree.Element("testsuites", name=_xml(a.task.name))
    if a.control and a.control.verdict:
        _suite(root, a, "control", a.control.verdict.limits, 0.0)
    for attempt in a.attempts:
        limits = attempt.verdict.limits if attempt.verdict else ()
        suite = _suite(root, a, attempt.rung, limits, attempt.seconds)
        if not limits:
            kind: VerdictWord = "none" if attempt.status == "no verdict" else "undecided"
            _case(suite, a, attempt.rung, "climbed", kind, _why(attempt))
            _count(suite)
    _confirmation(root, a)
    ElementTree.indent(root)
    return f"{XML_HEAD}\n{ElementTree.tostring(root, encoding='unicode')}\n"


def _why(attempt: Attempt) -> str:
    below = attempt.refused_after
    return attempt.reason or (f"it cannot fix what {below} lacks" if below else attempt.status)


def _suite(
    root: ElementTree.Element,
    a: Assessment,
    name: str,
    limits: tuple[LimitVerdict, ...],
    seconds: float,
) -> ElementTree.Element:
    made = a.created[:19]
    suite = ElementTree.SubElement(root, "testsuite", name=_xml(f"{a.task.name}.{name}"))
    suite.set("timestamp", made)
    suite.set("time", f"{seconds:.3f}")
    for limit in limits:
        got = "nothing" if limit.got is None else f"{limit.got:g}"
        said = f"wanted {limit.wanted:g}, got {got}: {limit_reason(limit)}"
        _case(suite, a, name, limit.limit, limit.verdict, said)
    _count(suite)
    return suite


def _case(
    suite: ElementTree.Element, a: Assessment, of: str, name: str, verdict: VerdictWord, said: str
) -> None:
    names = {"name": _xml(name), "classname": _xml(f"{a.task.name}.{of}"), "time": "0"}
    case = ElementTree.SubElement(suite, "testcase", names)
    kinds = {"fail": "failure", "undecided": "skipped", "none": "error"}
    if verdict in kinds:
        told = ElementTree.SubElement(case, kinds[verdict], message=_xml(said))
        if verdict != "undecided":
            told.set("type", verdict)
    else:
        ElementTree.SubElement(case, "system-out").text = _xml(said)


def _count(suite: ElementTree.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))


def _confirmation(root: ElementTree.Element, a: Assessment) -> None:
    """Add the confirmation on the held-out test set, or why there is none."""
    found = a.recommendation
    suite = _suite(root, a, "confirmation", (), 0.0)
    verdict, said = found.confirmed_verdict, answer_line(a)
    if found.withheld:
        verdict = "none"
    elif verdict is None:
        verdict = "fail"
    _case(suite, a, "confirmation", "held-out test set", verdict, said)
    _count(suite)


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", harmless(text))


# CSV.


def as_csv(a: Assessment, answers: Answers) -> str:
    """Return every held-out sample with what each rung said to it; RFC 4180, UTF-8."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    rungs = list(answers)
    heads = [f"{rung} {what}" for rung in rungs for what in ("answer", "score", "error")]
    writer.writerow(["id", "input", "target", *heads])
    for one in _samples(answers):
        row = [_cell(one.id), _cell(one.input), _cell(" | ".join(one.targets))]
        for rung in rungs:
            said = answers[rung].get(one.id)
            score = "" if said is None or said.score is None else f"{said.score:g}"
            row += [_cell(said.answer if said else ""), score, _cell(said.error if said else "")]
        writer.writerow(row)
    return made.getvalue()


def _samples(answers: Answers) -> list[Answered]:
    """Return each sample once, as the first rung that has it keeps it."""
    found: dict[str, Answered] = {}
    for said in answers.values():
        for name, one in said.items():
            found.setdefault(name, one)
    return list(found.values())


def _cell(text: str) -> str:
    shown = harmless_lines(text)
    begins = text.startswith(FORMULA) or shown.lstrip().startswith(FORMULA)
    return f"'{shown}" if begins else shown


# JSON and promptfoo.


def as_json(a: Assessment, answers: Answers) -> str:
    """Return assessment.json."""
    return in_json(a.model_dump_json(indent=2)) + "\n"


def as_promptfoo(a: Assessment, answers: Answers) -> str:
    """Return the answers as results of promptfoo: a prompt for each rung, a test for each sample.

    `promptfoo import FILE` reads them. An answer passes with the full score.
    """
    samples = _samples(answers)
    at = {one.id: number for number, one in enumerate(samples)}
    prompts, results = [], []
    for number, (rung, said) in enumerate(answers.items()):
        prompt = _prompt(a, rung)
        own = [_result(prompt, number, at[one.id], one, a.task.scorer) for one in said.values()]
        results += own
        prompts.append({**prompt, "metrics": _metrics(own)})
    digest = hashlib.sha256(f"{a.task.digest}{a.created}".encode()).hexdigest()
    record = {
        "evalId": f"ladder-{digest[:16]}",
        "results": {
            "version": RESULTS_VERSION,
            "timestamp": a.created,
            "prompts": prompts,
            "results": results,
            "stats": _stats(results, a.seconds),
        },
        "config": {
            "description": f"{a.task.name}: {answer_line(a)}",
            "prompts": [prompt["raw"] for prompt in prompts],
            "providers": list(dict.fromkeys(prompt["provider"] for prompt in prompts)),
            "tests": [_test(one, a.task.scorer) for one in samples],
        },
        "shareableUrl": None,
        "metadata": {"evaluationCreatedAt": a.created, "ladder": a.ladder_version},
        "vars": ["input", "target"],
    }
    return in_json(json.dumps(record, ensure_ascii=False, indent=1)) + "\n"


def _prompt(a: Assessment, rung: str) -> dict[str, Any]:
    raw = f"{a.task.goal}\n\n{{{{input}}}}"
    label = f"{rung}: {_described(a, rung)}"
    return {
        "raw": raw,
        "label": label,
        "id": hashlib.sha256(f"{label}\n{raw}".encode()).hexdigest(),
        "provider": f"ladder:{rung}",
    }


def _described(a: Assessment, rung: str) -> str:
    if rung == CONTROL and a.control:
        return a.control.judged_line.name
    attempt = next(each for each in a.attempts if each.rung == rung)
    return attempt.candidate.description if attempt.candidate else attempt.status


def _test(one: Answered, scorer: str) -> dict[str, Any]:
    values = {"input": one.input, "target": one.targets[0]}
    metadata = {"id": one.id, "targets": list(one.targets), "scorer": scorer}
    return {"description": one.id, "vars": values, "metadata": metadata}


def _result(
    prompt: Mapping[str, Any], rung: int, test: int, one: Answered, scorer: str
) -> dict[str, Any]:
    passed = one.score is not None and one.score >= 1
    score = one.score or 0.0
    said = f"{scorer} {score:g}; wanted {' or '.join(one.targets)}"
    made = _test(one, scorer)
    return {
        "promptIdx": rung,
        "testIdx": test,
        "testCase": made,
        "vars": made["vars"],
        "promptId": prompt["id"],
        "provider": {"id": prompt["provider"], "label": prompt["label"]},
        "prompt": {"raw": prompt["raw"].replace("{{input}}", one.input), "label": prompt["label"]},
        "response": {"output": one.answer} | ({"error": one.error} if one.error else {}),
        **({"error": one.error} if one.error else {}),
        "failureReason": ERROR if one.error else NONE if passed else ASSERT,
        "success": passed,
        "score": score,
        "latencyMs": 0,
        "namedScores": {scorer: score},
        "gradingResult": {
            "pass": passed,
            "score": score,
            "reason": one.error or said,
            "namedScores": {scorer: score},
            "componentResults": [],
        },
    }


def _metrics(results: list[dict[str, Any]]) -> dict[str, Any]:
    counts = _counts(results)
    return {
        "score": sum(one["score"] for one in results),
        "testPassCount": counts[NONE],
        "testFailCount": counts[ASSERT],
        "testErrorCount": counts[ERROR],
        "assertPassCount": counts[NONE],
        "assertFailCount": counts[ASSERT],
        "totalLatencyMs": 0,
        "tokenUsage": TOKENS,
        "namedScores": {},
        "namedScoresCount": {},
        "cost": 0,
    }


TOKENS = {"prompt": 0, "completion": 0, "cached": 0, "total": 0, "numRequests": 0}


def _stats(results: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    counts = _counts(results)
    made = {"successes": counts[NONE], "failures": counts[ASSERT], "errors": counts[ERROR]}
    return {**made, "tokenUsage": TOKENS, "durationMs": round(1000 * seconds)}


def _counts(results: list[dict[str, Any]]) -> dict[int, int]:
    reasons = [one["failureReason"] for one in results]
    return {kind: reasons.count(kind) for kind in (NONE, ASSERT, ERROR)}


EXPORTS: dict[str, Callable[[Assessment, Answers], str]] = {
    "junit": as_junit,
    "csv": as_csv,
    "json": as_json,
    "promptfoo": as_promptfoo,
}
"""Name of a form -> what writes it."""
