"""index.html and index.md of an evidence pack, and the two pages that a person works with.

From an `EvidencePack` and the record of its run. Nothing here says that a requirement is met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ladder.audit.pack import mapping as names
from ladder.audit.pack.certified import certified, declared, level, slices
from ladder.evidence import Assessment, Estimate, EvidencePack, MappedPoint, RevalidationPlan
from ladder.report.blocks import (
    Block,
    Bullets,
    Code,
    Heading,
    Link,
    Part,
    Quote,
    Said,
    Strong,
    Table,
    say,
    tabled,
)
from ladder.report.control import take_control
from ladder.report.frozen import frozen_lines
from ladder.report.limits import limit_reason
from ladder.report.markdown import markdown
from ladder.report.page import NO_SAMPLES, made_from
from ladder.report.sections import gate_words
from ladder.report.summary import answer_sentence
from ladder.report.texts import each_text
from ladder.scorers import MODEL_SCORERS, SCORERS
from ladder.wording import MOST_SAID, harmless, in_markdown, span

READ = (
    'python3 -c "import base64, json; '
    "print(base64.b64decode(json.load(open('{}')).get('payload')).decode())\""
)
FILES: Mapping[str, str] = {
    names.CARD: "model card; its head is the model-index of the Hugging Face hub",
    names.DATA: "data card, Croissant 1.1: rows by what they were for, without a row",
    names.BOM: "bill of materials, CycloneDX 1.6: models, rows, libraries, scores",
    names.SLICES: "scores by kind of row, with intervals",
    names.TEST: "criteria, results, and the place for a signature",
    names.MONITORING: "the plan for measuring again, in words",
    names.ISOLATION: "record of the run's isolation: no route to anywhere, and what was attempted",
    names.RECORD: "the record of the run: figures of pages and cards are from it",
    names.REPORT: "the report, written anew without examples: not the file that was signed",
    "run/report.md": "the same as Markdown, likewise",
    names.BRIEF: "the report on one page, for whoever decides",
    names.COSTS: "picture of the report: costs",
    names.TASK: "what was asked for: the task file, by its digest the one that was assessed",
    names.PLAN: "the same plan, as `ladder revalidate` reads it",
    names.RELEASES: "release checks of this run",
    names.PROVENANCE: "SLSA provenance v1 of the training: recipe, base, rows, signed",
    names.RECIPE: "settings of the training: the recipe, by its digest the one that was run",
    names.TRAINING: "what the training measured of itself: steps, loss, precision, time, memory",
    names.STATEMENTS: "in-toto test-result v0.1 on a rung, signed by the machine",
    names.SIGNATURES: "in-toto statement, its key said to be that of the person named",
    names.EXAMPLES: "test log: rows and answers",
    names.LEDGER: "records (RFC 8785; `number` is from 0), leaves of a Merkle tree (RFC 6962)",
    names.HEADS: "signed tree heads (DSSE, Ed25519), one after each record",
    names.FREEZE: "the criteria as they were signed (DSSE)",
    names.KEY: "public key of the machine that signed",
}
"""File of a pack, or how the names of several begin -> what it is."""
WORDS = (
    ("rung", "a way to customise a model: prompt, rag, lora, distill, tried in this order"),
    ("gate", "the limits in the task file that an answer has to hold"),
    ("control", "the best answer without a language model, for comparison"),
    ("eval set, look", "rows that judge; they are read in portions, each a look at the result"),
    ("held-out test set", "rows that the answer alone is put to, after the climb"),
    ("held-out examples", "eval set and held-out test set together: nothing has learnt from them"),
    ("gate_rows, sealed_rows", "in files for programs: eval set, held-out test set"),
    (
        "training rows",
        "`train` is the sha256 of their file, `training examples` that of the rows that were taken "
        "from it, `rows.jsonl` that of the texts that the recipe was given",
    ),
    ("key", "named by the id that securesystemslib gives it, which is not the sha256 of its file"),
    (
        "when_undecided",
        "what follows where the rows decide nothing: `lean`, the estimate does, told as unproven; "
        "`climb`, the next rung; `stop`, no answer; `ask`, a person does",
    ),
    ("in reserve", "rows that nothing has read yet"),
    (
        "certified lower bound",
        "the low end of the interval of the score on the held-out test set, if its rows are a "
        "random sample of use; shown by the run alone, and no certificate in the Act's sense",
    ),
    (
        "digest",
        "of a file its sha256; of a part of a model or an adapter that over the digests of its "
        "files by name, as compact JSON: `adapter` over settings and weights as they were loaded, "
        "`weights` over the weights alone, `config` over the settings without paths",
    ),
)
SPLITS = (
    "Splits: the rows of each file are shuffled by the seed and each row's id (or its group) "
    "alone; near-duplicates are set aside first (equal after folding, or a Jaccard similarity of "
    "character 5-grams of 0.8 or more). From the rows to learn from, the first choose between "
    "candidates (dev) and the others train; from the rows of the test file, where there is one, "
    "the first judge (eval set), the next are the held-out test set, and the rest stays in "
    "reserve. Rows of one group stay in one split."
)
"""How rows are split (`ladder.samples.splits`)."""
DIGITS = 12
"""Of a digest in the map; the whole one stands in the table of files."""
WHAT = (
    "Evidence for a technical documentation under Regulation (EU) 2024/1689 (AI Act): what one "
    "assessment measured, by the points of Annex IV. It is no statement that any requirement is "
    "met, and no legal advice. What a person has to write stands beside each point."
)


def pack_markdown(pack: EvidencePack, a: Assessment) -> str:
    """Return index.md."""
    return markdown(pack_blocks(each_text(pack, in_markdown), each_text(a, in_markdown), pack))


def pack_page(pack: EvidencePack, a: Assessment) -> str:
    """Return index.html, which needs no network; its template escapes every text."""
    shown = partial(harmless, most=MOST_SAID)
    p = each_text(pack, shown)
    blocks = tuple(pack_blocks(p, each_text(a, shown), pack))
    return made_from("pack.html", pack=p, blocks=blocks, samples=NO_SAMPLES)


def pack_blocks(p: EvidencePack, a: Assessment, raw: EvidencePack) -> Iterator[Block]:
    """Yield the index.

    Args:
        p: the pack, its texts escaped.
        a: the assessment, likewise.
        raw: the pack as it is: names of files are links.
    """
    yield Heading(1, f"Evidence pack: {p.task}")
    yield Quote(a.task.goal)
    yield say(WHAT)
    yield tabled(("what", "value"), *_facts(p, a))
    readable = (names.FREEZE, names.PROVENANCE, names.SIGNATURES)
    if signed := next(
        (each for name in readable for each in raw.files if each.startswith(name)), ""
    ):
        read = Code(READ.format(signed))
        yield say(("What a signed file says: ", read, "; others by their name in its place."))
    yield Heading(2, "What a reader would still ask")
    yield Bullets(p.questions)
    yield Heading(2, "Annex IV: technical documentation")
    yield _map_table(p.annex_iv, raw.annex_iv, raw.files)
    yield Heading(2, "Articles that the pack bears on")
    yield _map_table(p.articles, raw.articles, raw.files)
    if slices(a.chosen):
        yield Heading(2, "Accuracy by kind of row")
        yield _slice_table(a)
    yield Heading(2, "How long to keep it")
    keep = ((k.what, k.at_least, k.until, k.source) for k in p.keep)
    yield tabled(
        (
            "what",
            "at least",
            "not before, if it was placed on the market, or logged, on the day of the run",
            "source",
        ),
        *keep,
    )
    yield Heading(2, "Dates of the Act, as amended")
    yield tabled(("day", "what", "source"), *((d.day, d.what, d.source) for d in p.dates))
    yield say(p.to_verify)
    yield from _file_blocks(p, raw)
    yield Heading(2, "Words")
    yield tabled(("word", "meaning"), *WORDS)


def _facts(p: EvidencePack, a: Assessment) -> Iterator[tuple[Said, ...]]:
    found = certified(a)
    yield "answer", answer_sentence(a)
    if instead := take_control(a):
        yield "against no language model", instead
    if found is None or p.certified is None:
        yield "certified lower bound", "none: no accuracy may be declared"
    else:
        yield (
            "certified lower bound",
            f"{a.task.scorer} {declared(p.certified):g}: declare no more. Measured "
            f"{span(found.score)}, {level(a)} interval, {found.score.n:,} held-out test examples",
        )
    yield "gate", gate_words(a)
    if a.criteria and a.criteria.metric_rationale:
        yield "why this metric, as it was frozen", a.criteria.metric_rationale
    shares = [one.share for one in p.annex_iv]
    yield (
        "points of Annex IV",
        f"{len(shares)}: evidence for a part of {shares.count('in part')}, "
        f"{shares.count('for a human')} for a human alone",
    )
    yield "assessment", (f"{p.run}, sha256 ", Code(p.assessment))
    for name in (name for name in p.files if name.startswith(names.SIGNATURES)):
        where = ": name and role stand in it alone, so that they can be erased; read it as below"
        yield "signed by a person", (Link(name), where)
    yield "check the files", (Code("sha256sum -c SHA256SUMS"), ", in this folder")
    if names.LEDGER in p.files and names.KEY in p.files:
        where = "." if a.criteria else "ledger --ledger-only"
        checked = (
            "files, ledger and signatures"
            if a.criteria
            else "the ledger, which does not name this run"
        )
        command = f"ladder audit verify {where} --public-key {names.KEY}"
        said = (
            f", by ladder {p.ladder_version}: {checked}; a person's signature with --person-key. "
            "Whoever made this pack put the machine's key in it: compare it with the one that the "
            "team gave you before"
        )
        yield "check more", (Code(command), said)


def _map_table(
    shown: Sequence[MappedPoint], raw: Sequence[MappedPoint], files: Mapping[str, str]
) -> Table:
    rows = (
        (one.point, one.words, _links(known.files, files), one.human)
        for one, known in zip(shown, raw, strict=True)
    )
    return tabled(("point", "the Act's words", "evidence for it", "for a human"), *rows)


def _links(named: Sequence[str], files: Mapping[str, str]) -> Said:
    """Return the files of a point with the beginnings of their digests."""
    parts: list[Part] = []
    for name in named:
        parts += [", "] if parts else []
        parts += [Link(name), " ", Code(files[name][:DIGITS])]
    return tuple(parts) or "none"


def _slice_table(a: Assessment) -> Table:
    rows = ((name, span(one), f"{one.n:,}") for name, one in slices(a.chosen).items())
    return tabled(("kind of row", f"{a.task.scorer} ({level(a)})", "eval examples"), *rows)


def _file_blocks(p: EvidencePack, raw: EvidencePack) -> Iterator[Block]:
    yield Heading(2, "Files")
    rows = (((Link(k),), _what(k), (Code(v),)) for k, v in raw.files.items())
    yield tabled(("file", "what it is", "sha256"), *rows)
    if p.left_out:
        yield say(
            "Left out, since they hold rows and answers: the test logs of the run. With "
            "`--with-examples` they are in the pack. Their digests, to compare with the run:"
        )
        yield tabled(
            ("file of the run", "sha256"), *((k, (Code(v),)) for k, v in p.left_out.items())
        )


def _what(name: str) -> str:
    """Say what a file of a pack is; of one that is told by its name alone: a record of the run."""
    begins = next((each for each in names.BEGINNINGS if name.startswith(each)), "")
    return FILES.get(name) or FILES.get(begins) or "what happened since, a record a line"


def test_report(assessment: Assessment, digests: dict[str, str]) -> str:
    """Return test-report.md: what was tested, how, with what result, for a person to sign.

    Args:
        assessment: as it was read.
        digests: what the signature stands under: name -> sha256.
    """
    return markdown(_test_blocks(each_text(assessment, in_markdown), digests))


def _test_blocks(a: Assessment, digests: dict[str, str]) -> Iterator[Block]:
    yield Heading(1, f"Test report: {a.task.name}")
    yield Quote(a.task.goal)
    yield say(f"Tested {a.created} by ladder {a.ladder_version}, seed {a.task.seed}.")
    instead = take_control(a)
    yield say((Strong("Result:"), " ", answer_sentence(a)), *((instead,) if instead else ()))
    yield Heading(2, "Criteria")
    yield say(f"Metric {_metric(a)}; {gate_words(a)}.", *frozen_lines(a.criteria))
    yield say(*_deciding(a))
    yield say(SPLITS)
    yield Heading(2, "Results")
    yield tabled(("system", "limit", "wanted", "measured", "verdict", "why"), *_limit_rows(a))
    yield tabled(("set", "score", "examples"), *_score_rows(a))
    yield Heading(2, "What you sign")
    yield tabled(("file", "sha256"), *(((Link(k),), (Code(v),)) for k, v in digests.items()))
    yield Heading(2, "Signature of a responsible person (Annex IV 2(g))")
    yield tabled(("", ""), *((name, "") for name in ("Name", "Function", "Date", "Signature")))
    yield say(
        "By signing I state that I have read this report and the files above, and answer for them.",
        "Sign a copy, or a print: this file is listed in SHA256SUMS as it is.",
    )


def _deciding(a: Assessment) -> Iterator[str]:
    """Say how a verdict is reached, for a reader who has the figures alone."""
    confidence = float(a.task.gate["confidence"] or 0)
    yield (
        f"A wrong pass or fail of score or p95 happens at most {100 * (1 - confidence):.3g} % of "
        "the time anywhere in the run, if the examples are a random sample of use: its looks at "
        "the eval set, its rungs and the control share that error."
    )
    yield (
        "Of score and p95, pass: the true value is shown to hold the limit; fail: to break it; "
        "undecided: neither, and `when_undecided` says what then (lean: the estimate decides, and "
        "the answer says that it is unproven). Of cost and of failed "
        "requests (max_error_rate: no answer came, which is not how many answers are wrong) the "
        "figure decides, and no error is bounded."
    )
    yield (
        "Rungs, and a control that may end the run, have an equal share of that error each, which "
        "its limits divide. All looks at a limit spend its part row by row: answers that are right "
        "or wrong by an exact binomial count of every path through the looks (Lan and DeMets, "
        "1983), graded ones by bets that may be looked at at any time."
    )
    yield (
        "The held-out test set is read once, for the answer alone, and is not part of that error: "
        "its interval is its own. Candidates, prompts and adapters are chosen on rows to learn "
        "from and dev rows; what the eval set shows decides whether a rung is climbed, and its "
        "diagnosis reads it again."
    )
    yield (
        "Intervals of a score are Wilson's where each answer is right or wrong, else by betting "
        "(no assumption on the distribution); they take the examples for a random sample of use. "
        "The bound beside a verdict is wider: it pays for every look, rung and limit."
    )


def _metric(a: Assessment) -> str:
    """Name the metric, with what it does where it is one of ours."""
    made = SCORERS.get(a.task.scorer) or MODEL_SCORERS.get(a.task.scorer)
    told = (made.__doc__ or "").partition("\n")[0] if made else ""
    return f"{a.task.scorer} ({told.rstrip('.')})" if told else a.task.scorer


def _limit_rows(a: Assessment) -> Iterator[tuple[str, ...]]:
    for attempt in a.attempts:
        for one in attempt.verdict.limits if attempt.verdict else ():
            got = "nothing" if one.got is None else f"{one.got:.4g}"
            why = limit_reason(one)
            yield attempt.rung, one.limit, f"{one.wanted:g}", got, one.verdict, why
    if a.control and a.control.verdict:
        for one in a.control.verdict.limits:
            got = "nothing" if one.got is None else f"{one.got:.4g}"
            yield "control", one.limit, f"{one.wanted:g}", got, one.verdict, limit_reason(one)


def _score_rows(a: Assessment) -> Iterator[tuple[str, ...]]:
    def row(name: str, one: Estimate) -> tuple[str, ...]:
        return name, f"{span(one)}, {level(a)} interval", f"{one.n:,}"

    for attempt in a.attempts:
        if m := attempt.measurement:
            yield row(f"{attempt.rung}, eval set", m.score)
            for name, one in m.slices.items():
                yield row(f"{attempt.rung}, eval set, {name}", one)
            for name, one in m.others.items():
                yield row(f"{attempt.rung}, eval set, {name} in place of {a.task.scorer}", one)
    if a.recommendation.confirmed:
        verdict = a.recommendation.confirmed_verdict
        yield row(f"answer, held-out test set ({verdict})", a.recommendation.confirmed)


def monitoring_plan(plan: RevalidationPlan) -> str:
    """Return monitoring-plan.md: the revalidation plan in words."""
    return markdown(_monitoring_blocks(each_text(plan, in_markdown)))


def _monitoring_blocks(plan: RevalidationPlan) -> Iterator[Block]:
    yield Heading(1, "Monitoring plan: its core for accuracy")
    yield say(
        "What is measured again after the system is in use (Art. 72(3), Annex IV 9). Incidents, "
        "complaints, and the duties of deployers are for a human to add."
    )
    yield say(
        f"Measured {plan.created}: {span(plan.baseline.gate_rows)} on the eval set"
        + (
            f", {span(plan.baseline.sealed_rows)} on the held-out test set."
            if plan.baseline.sealed_rows
            else "."
        )
    )
    yield Heading(2, "When")
    yield say(f"Every {plan.every_days} days, next on {', '.join(plan.due)}; and at once when:")
    yield Bullets(plan.triggers)
    yield Heading(2, "What")
    limits = ((k, str(v)) for k, v in plan.gate.items() if v is not None)
    yield tabled(("criterion", "value"), *limits)
    yield say(
        ("Command: ", Code(plan.command), ". A finding ends it with exit code 1."),
        "It runs where the run lies: its plan names task, rows and model by their place there, and "
        "none of them is in this pack.",
    )
    yield Heading(2, "What the answer depends on")
    yield tabled(("pinned", "digest or version"), *plan.pinned.items())
