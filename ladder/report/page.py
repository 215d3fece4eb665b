"""report.html: the assessment as one page that needs no network and no other file.

The sentences, tables and figures are those of `sections` and its like; this module puts them in the
order of a page. Every text is escaped by the template, whoever wrote it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ladder import __version__
from ladder.evidence import Assessment, Happening
from ladder.figures import NARROW, WIDE, in_page
from ladder.report.attempt import result_blocks, why_blocks
from ladder.report.blocks import Block, Bullets, Figure, Heading, Said, Table, say, tabled
from ladder.report.cluster import cluster_line
from ladder.report.cost import cost_blocks
from ladder.report.data import data_blocks
from ladder.report.effort import effort_blocks, kept_words
from ladder.report.headline import (
    NextCheck,
    answer_words,
    but_words,
    facts,
    stands,
    steps,
    verdict_words,
)
from ladder.report.isolation import isolation_facts
from ladder.report.outlook import changes_of_mind, next_words, use_lines
from ladder.report.pictures import scores_figure, slices_figure, trade_figure
from ladder.report.race import race_blocks
from ladder.report.reasons import answer_reasons
from ladder.report.samples import SIBLING, Embedded, Samples, embedded, plain_rows
from ladder.report.sections import evidence_blocks, measured_blocks
from ladder.report.since import since_blocks
from ladder.report.summary import price_words
from ladder.report.texts import each_text
from ladder.report.training import training_method_blocks
from ladder.wording import MOST_SAID, harmless

PAGE = "report.html"
TEMPLATES = Path(__file__).with_name("templates")
NO_SAMPLES = Samples()
BOUNDS = (
    "Where rows place the true score, the bounds are wider than the interval beside the score: "
    "the verdict rests on them, and they hold at every interim look, for all rungs together."
)
SHORT = 24
"""Characters that a line of a table holds on any screen."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src '{script}'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action {forms}"
)
"""Nothing is fetched but the file of examples beside the page, from the same server."""


@dataclass(frozen=True)
class Section:
    """A part of the page that its contents name."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """The page, and the file beside it where it has too many examples."""

    html: str
    beside: str | None


def as_page(
    assessment: Assessment,
    samples: Samples = NO_SAMPLES,
    check: NextCheck | None = None,
    since: Sequence[Happening] = (),
) -> Page:
    """Return the report as a page.

    Args:
        assessment: as it was read.
        samples: the examples that its rungs were measured on.
        check: when the answer is measured again, where there is a plan.
        since: what happened to the answer since its certification.
    """
    a = each_text(assessment, partial(harmless, most=MOST_SAID))
    happened = each_text(tuple(since), partial(harmless, most=MOST_SAID))
    data = embedded(samples)
    html = made_from(
        "page.html",
        a=a,
        verdict=verdict_words(a),
        answer=answer_words(a),
        stands=stands(a),
        but=but_words(a),
        facts=tuple(facts(a, check)),
        steps=tuple(steps(a)),
        reasons=Bullets(tuple(answer_reasons(a))),
        sections=(*_sections(a), *_since(happened)),
        next_blocks=tuple(_next_blocks(a, check)),
        provenance=tuple(_provenance(a)),
        samples=samples,
        plain=plain_rows(samples, a.recommendation.rung),
        has_inputs=any(row.input for row in samples.rows),
        **_data(data),
    )
    return Page(html, data.beside)


def made_from(template: str, *, forms: bool = False, **values: Any) -> str:
    """Return a page made from a template; it has the style sheet, the script and the policy.

    Args:
        template: its name.
        forms: whether what is chosen on the page may go to the server that shows it.
        values: what the template names.
    """
    own = {
        "version": __version__,
        "policy": policy(forms=forms),
        "style": Markup(_text("page.css")),
        "script": Markup(_text("page.js")),
    }
    return _environment().get_template(template).render(**own, **values)


def policy(*, forms: bool = False) -> str:
    """Return the content security policy of a page: our own script, and nothing from afar."""
    digest = b64encode(sha256(_text("page.js").encode()).digest()).decode()
    return POLICY.format(script=f"sha256-{digest}", forms="'self'" if forms else "'none'")


def _data(found: Embedded) -> dict[str, Any]:
    return {
        "data": Markup(found.inside),
        "count": found.count,
        "sibling": SIBLING if found.beside is not None else "",
        "megabytes": len(found.beside or "") / 1e6,
    }


def _sections(a: Assessment) -> Iterator[Section]:
    """Yield the sections between the ladder and the examples."""
    measured = list(measured_blocks(a, a))[1:]
    pictures = [scores_figure(a), trade_figure(a), slices_figure(a)]
    yield Section("measured", "What was measured", (*filter(None, pictures), *measured))
    why = {x.rung: tuple(why_blocks(x)) for x in a.attempts}
    told = [block for rung, blocks in why.items() if blocks for block in _under(rung, blocks)]
    if told:
        yield Section("diagnosis", "What was missed, and why", tuple(told))
    rungs = [
        block for x in a.attempts for block in (*result_blocks(x, a.attempts), *race_blocks(x))
    ]
    if rungs:
        yield Section("rungs", "Rung by rung", (say(BOUNDS), *rungs))
    if rungs and (minds := tuple(changes_of_mind(a))):
        yield Section("outlook", "What would change this answer", (Bullets(minds),))
    if a.plan and stands(a) and (uses := tuple(use_lines(a))):
        yield Section(
            "use", "Using this answer", (say("In the folder of this page:"), Bullets(uses))
        )
    ways = tuple(training_method_blocks(a))
    if ways:
        yield Section("training", "Which way of training", ways[1:])
    costs = tuple(cost_blocks(a))[1:]
    if costs:
        yield Section("cost", "Cost", costs)
    yield Section("rows", "The rows", tuple(data_blocks(a))[1:])
    yield Section("effort", "What the decision took", tuple(effort_blocks(a.effort)))


def _since(happened: Sequence[Happening]) -> Iterator[Section]:
    if blocks := tuple(since_blocks(happened)):
        yield Section("since", "Since the certification", blocks)


def _under(title: str, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    return (Heading(3, title), *blocks)


def _next_blocks(a: Assessment, check: NextCheck | None) -> Iterator[Block]:
    """Yield when the answer is measured again, and by which command."""
    if not a.plan:
        yield say("None is planned: no answer is certified that could be checked.")
        yield say(next_words(a))
    yield from tuple(evidence_blocks(a, a.plan))[2:]
    if check:
        yield say(f"Due on {check.day}, then every {check.every_days} days; before that, when:")
        yield Bullets(check.triggers)


def _provenance(a: Assessment) -> Iterator[Block]:
    """Yield everything that the figures rest on, with whole digests."""
    prices = {
        f"price of {x.rung}": price_words(x.measurement.cost_basis)
        for x in a.attempts
        if x.measurement and x.measurement.cost_basis
    }
    rows = {
        "ladder": a.ladder_version,
        "created": a.created,
        "took": f"{a.seconds:,.0f} s{kept_words(a.effort)}",
        "seed": str(a.task.seed),
        "task file": a.task.source,
        "task": a.task.digest,
        **{f"data: {role}": digest for role, digest in a.data.digests.items()},
        "base model": a.task.base,
        **{f"model: {k}": v for k, v in a.recommendation.deployment.get("fingerprint", {}).items()},
        **{f"machine: {k}": v for k, v in a.hardware.items()},
        **{f"version: {k}": v for k, v in a.versions.items()},
        **prices,
        **({"cluster": cluster_line(a.cluster)} if a.cluster else {}),
        **(dict(isolation_facts(a.isolation)) if a.isolation else {}),
    }
    yield tabled(("what", "value"), *((name, str(value)) for name, value in rows.items()))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "kind": _kind,
        "coded": _coded,
        "drawn": _drawn,
        "numeric": _numeric,
        "is_short": _is_short,
    }
    return made


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _kind(value: object) -> str:
    return type(value).__name__


def _coded(text: str) -> Markup:
    """Return a sentence in which what stands in backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _drawn(figure: Figure, name: str) -> Markup:
    """Return a picture twice: for a screen, and for a telephone."""
    wide, narrow = (
        in_page(figure.draw(width), f"{name}-{word}", figure.caption)
        for width, word in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


def _numeric(table: Table) -> Sequence[bool]:
    """Tell which columns hold figures alone: they are set to the right."""
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.head)
    return [bool(column) and all(map(_is_figure, column)) for column in columns]


def _is_figure(said: Said) -> bool:
    figure = r"([-+]?[\d,.]+( (ms|s|min|USD))?|[–?]|)"
    return isinstance(said, str) and re.fullmatch(figure, said) is not None


def _is_short(said: Said) -> bool:
    """Tell whether a cell of a table stands on one line: a score with its interval does."""
    return isinstance(said, str) and len(said) <= SHORT
