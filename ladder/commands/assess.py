"""The climb: the only loop that goes up a rung."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ladder import __version__
from ladder.advice.effort import effort
from ladder.advice.recommend import (
    at_control,
    recommend,
    with_training_methods,
)
from ladder.advice.training_methods import training_methods
from ladder.artefacts.card import write_card
from ladder.climb.dry_run import foresee
from ladder.climb.loop import Climbed, climb_task
from ladder.climb.opening import open_bench
from ladder.climb.preflight import gate_warnings
from ladder.commands.audit import cited_by, note_assessment
from ladder.commands.page import write_page
from ladder.economy.bills import economics
from ladder.engines import is_served
from ladder.engines.sharded.connection import reach, whole_address
from ladder.evidence import (
    ASSESSMENT,
    Assessment,
    DataReport,
    Isolation,
    TaskRecord,
)
from ladder.figures import costs_svg
from ladder.files import write_whole
from ladder.hardware import hardware, versions
from ladder.lifecycle.plan import PLAN, make_control_plan, make_plan
from ladder.models.models import base_is_local
from ladder.progress import RunStarted, Watch
from ladder.redaction import redact_in
from ladder.report.brief import BRIEF
from ladder.report.markdown import as_markdown
from ladder.report.page import PAGE
from ladder.report.summary import answer_line
from ladder.rungs import trains
from ladder.rungs.protocol import Bench
from ladder.samples.describe import describe_data, headline, refuse_untestable
from ladder.task import RungName, Task
from ladder.tracking.reporting import missing_extras, reporting
from ladder.tracking.values import as_ended
from ladder.wording import in_json

REPORTED = (ASSESSMENT, "report.md", PAGE, BRIEF)
"""Files of a run that a tracker is given."""


def assess(
    task: Task,
    runs: Path,
    watch: Watch,
    *,
    until: RungName | None = None,
    every: bool = False,
    forecast: bool = False,
    certify: Callable[[], Isolation] | None = None,
) -> tuple[Assessment, Path]:
    """Assess a task: climb, recommend, confirm, plan, and write it all down.

    Where an endpoint is down or the spending limit is reached, what was measured so far is written
    down with the reason (`Assessment.stopped`), and nothing is recommended.

    Args:
        task: the user's job.
        runs: folder of all runs; completions and trained artefacts are shared in it.
        watch: sees progress.
        until: the last rung to climb.
        every: measure every rung on every eval example, for comparison.
        forecast: make a dry run first, so that whoever watches knows how long it may take.
        certify: says at the end what of a run without a way out tried to leave (`--isolated`).

    Returns:
        the assessment, and the folder that holds it.
    """
    started = time.perf_counter()
    for missing in missing_extras(task):
        raise missing
    if task.execution.engine == "ray" and not is_served(task.models.base):
        reach(whole_address(task.execution.address))  # before the control and the first race
    bench = open_bench(task, runs, watch)
    criteria = cited_by(bench)
    report = describe_data(task, bench.data)
    for line in (headline(task, report), *gate_warnings(task, bench.data)):
        watch.say(line)
    refuse_untestable(task, report)
    watch.tell(_begun(bench))
    if forecast and not _was_assessed(bench):
        with watch.step("estimating how long it will take", 1) as advance:
            foreseen = foresee(bench, until)
            advance(1)
        if foreseen is not None:
            watch.tell(foreseen)
    with reporting(task, dict(bench.data.digests), runs, bench.folder, watch) as trackers:
        bench.history.seen = trackers.rung
        found = climb_task(bench, until=until, every=every)
        plan = _plan(bench, found)
        seconds = round(time.perf_counter() - started, 2)
        assessment = _assessment(bench, report, found, seconds, every=every).but(
            plan=PLAN if plan else None,
            isolation=certify() if certify is not None else None,
            criteria=criteria,
        )
        # What is shown and kept names no password or key that a model's address may hold.
        assessment = Assessment.model_validate(redact_in(assessment.model_dump(mode="json")))
        _write(bench, assessment, plan)
        note_assessment(bench, assessment)
        files = (bench.folder / name for name in REPORTED)
        trackers.end(as_ended(assessment, answer_line(assessment), files))
    bench.evaluator.models.close()
    return assessment, bench.folder


def _begun(bench: Bench) -> RunStarted:
    """Return what is about to be climbed, for whoever watches."""
    task = bench.task
    return RunStarted(
        task=task.name,
        base=task.models.base,
        rungs=tuple(task.rungs),
        min_score=task.gate.min_score,
        max_p95_ms=task.gate.max_p95_ms,
        max_cost_usd_per_1k=task.gate.max_cost_usd_per_1k,
        eval_rows=len(bench.data.gate),
        test_rows=len(bench.data.sealed),
        max_spend_usd=task.rules.max_spend_usd,
    )


def _was_assessed(bench: Bench) -> bool:
    """Tell whether the last run of this task was of this very task: then most answers are kept."""
    last = max(bench.folder.parent.glob("*/assessment.json"), default=None)
    try:
        return last is not None and bench.task.digest in last.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _plan(bench: Bench, found: Climbed) -> str | None:
    """Return the text of the plan that keeps the answer alive; None where there is no answer."""
    if found.confirmed is None:
        return None
    if found.chosen and found.certified:
        return make_plan(bench, found.chosen, found.confirmed.score)
    if found.at_control and found.control and found.confirmed.verdict.verdict != "fail":
        return make_control_plan(bench, found.control.judged_line, found.confirmed.score)
    return None


def _assessment(
    bench: Bench, report: DataReport, found: Climbed, seconds: float, *, every: bool
) -> Assessment:
    task, attempts, models = bench.task, tuple(bench.history.attempts), bench.evaluator.models
    confirmed, rows = found.confirmed, len(bench.data.train)
    trainings = [rung for rung, what in trains().items() if what != "nothing"]
    ways = training_methods(task, attempts, found.chosen, rows, bench.trainer.memory(), trains())
    if found.at_control and found.control and confirmed:
        advice, ways = at_control(bench.task, found.control, confirmed), ()
    else:
        weights = base_is_local(task)
        advice = recommend(
            task, attempts, found.chosen, confirmed, found.stopped, trains(), weights_here=weights
        )
    return Assessment(
        ladder_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=TaskRecord(
            name=task.name,
            goal=task.goal,
            source=str(task.source),
            digest=task.digest,
            base=task.models.base,
            scorer=task.score[0].name,
            gate=task.gate.model_dump(),
            seed=task.seed,
            rungs=tuple(task.rungs),
        ),
        data=report,
        control=found.control,
        control_calibration=found.control_calibration,
        judge=found.judge,
        parity=found.parity,
        attempts=attempts,
        recommendation=with_training_methods(advice, ways),
        economics=economics(task, len(bench.data.observed), len(bench.data.gate), attempts),
        effort=effort(
            task, report, attempts, models.needed, trainings, asked=models.asked, every=every
        ),
        hardware=hardware(),
        versions=versions(),
        cluster=models.cluster,
        seconds=seconds,
        stopped=found.stopped,
        every_rung=every,
        plan=None,
    )


def _write(bench: Bench, assessment: Assessment, plan: str | None) -> None:
    """Write the record, the report, its page, the plan and the cards of artefacts."""
    folder = bench.folder
    record = in_json(assessment.model_dump_json(indent=2))
    write_whole(folder / ASSESSMENT, f"{record}\n")
    write_whole(folder / "report.md", as_markdown(assessment))
    if assessment.economics and assessment.economics.bills:
        write_whole(folder / "costs.svg", costs_svg(assessment.economics))
    if plan:
        write_whole(folder / PLAN, plan)
    write_page(folder, assessment)
    for attempt in bench.history.attempts:
        if attempt.candidate is not None and attempt.candidate.build.folder:
            write_card(Path(attempt.candidate.build.folder), assessment, attempt)
