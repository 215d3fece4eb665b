"""Which file of a pack bears on which point of the Act, and what is left for a human.

A file is evidence for a point, in part at most: no line says that a requirement is met.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from ladder.audit.pack.act import (
    ANNEX_IV,
    ARTICLES,
    DOCUMENTS_YEARS,
    LOGS_MONTHS,
    Point,
    months_after,
    years_after,
)
from ladder.evidence import Kept, MappedPoint

CARD, DATA, BOM = "model-card.md", "data-card.json", "ml-bom.cdx.json"
SLICES, TEST, MONITORING = "slices.csv", "test-report.md", "monitoring-plan.md"
ISOLATION = "isolation.json"
RECORD, REPORT, BRIEF = "run/assessment.json", "run/report.html", "run/brief.html"
TASK, PLAN, COSTS = "run/task.yaml", "run/revalidation.yaml", "run/costs.svg"
LEDGER, HEADS, FREEZE = "ledger/ledger.jsonl", "ledger/ledger.heads.jsonl", "ledger/freeze.json"
KEY = "ledger/machine.pub.pem"
EXAMPLES = "run/examples/"
"""Begins the names of test logs, where the pack holds them."""
RELEASES = "run/releases.jsonl"
PROVENANCE = "run/provenance.dsse.json"
RECIPE, TRAINING = "run/recipe.yaml", "run/training.json"
STATEMENTS, SIGNATURES = "run/statements/", "run/signature-"
"""Begin the names of signed statements: on each rung that was judged, and of persons."""
BEGINNINGS = (EXAMPLES, STATEMENTS, SIGNATURES)

_Row = tuple[tuple[str, ...], str]
OF_ANNEX_IV: Mapping[str, _Row] = {
    "1(a)": (
        (TASK, CARD, RELEASES),
        "the provider's name; the intended purpose, in your words: for whom, on whom, where not; "
        "the version, and how it relates to the one before",
    ),
    "1(b)": ((), "what else it exchanges data with: systems, interfaces, other AI systems"),
    "1(c)": (
        (BOM, MONITORING),
        "versions of the software around the measured system; what an update requires",
    ),
    "1(d)": ((), "the forms in which it is placed on the market or put into service"),
    "1(e)": (
        (RECORD,),
        "the hardware that it is meant for: the record names the machine that it was measured on",
    ),
    "1(f)": ((), "photographs or illustrations, where it is a component of a product"),
    "1(g)": ((), "the user interface of the deployer"),
    "1(h)": (
        (CARD,),
        "the instructions for use; the team checks the accuracy that they declare by `ladder card "
        "RUN --check FILE`",
    ),
    "2(a)": (
        (REPORT, BOM, RECIPE, TRAINING, PROVENANCE),
        "steps that were made outside of the run; under which terms the pre-trained model is used",
    ),
    "2(b)": (
        (TASK, REPORT, BRIEF),
        "assumptions about the persons concerned; the rationale of the gate; which answers are "
        "valid; trade-offs that the figures do not show",
    ),
    "2(c)": (
        (BOM, REPORT, TRAINING),
        "the architecture of the whole system around the model; resources of the base's own "
        "training",
    ),
    "2(d)": (
        (DATA, RECIPE, PROVENANCE),
        "where the rows come from, their period, channels and languages, how they were obtained, "
        "selected, labelled and cleaned before the run; their licence; whether they hold personal "
        "data",
    ),
    "2(e)": ((), "human oversight: who may stop or overrule an answer, and how they can tell"),
    "2(f)": (
        (MONITORING, PLAN),
        "which changes are pre-determined: the plan says what is measured again, and when, not "
        "which changes are allowed",
    ),
    "2(g)": (
        (
            TEST,
            RECORD,
            REPORT,
            SLICES,
            DATA,
            FREEZE,
            ISOLATION,
            STATEMENTS,
            SIGNATURES,
            EXAMPLES,
        ),
        "date and signature under test-report.md; tests of robustness and of discriminatory "
        "impacts: the run made none",
    ),
    "2(h)": (
        (BOM, ISOLATION),
        "the cybersecurity measures of the system: neither a list of what it is made of nor the "
        "isolation of its test is one",
    ),
    "3": (
        (CARD, SLICES, REPORT),
        "accuracy for persons and groups of persons, beyond kinds of rows; unintended outcomes and "
        "risks; oversight; specifications of the input",
    ),
    "4": (
        (FREEZE, TEST),
        "what the metric cannot see; why it fits the purpose, where no freeze says it",
    ),
    "5": ((), "the risk management system (Article 9)"),
    "6": (
        (LEDGER, RELEASES),
        "changes before and beside what is recorded here, and who decided them; a ledger without a "
        "release or a promotion records none",
    ),
    "7": (
        (),
        "harmonised standards that were applied; where there are none, the solutions and other "
        "standards",
    ),
    "8": ((), "a copy of the EU declaration of conformity"),
    "9": (
        (MONITORING, PLAN),
        "the post-market monitoring system and its plan: this is its core for accuracy alone; "
        "incidents, feedback and duties are yours to add",
    ),
}
OF_ARTICLES: Mapping[str, _Row] = {
    "Art. 9(8)": (
        (FREEZE, TEST, TASK, RECORD),
        "why metric and thresholds are appropriate to the purpose; where there is no freeze, other "
        "proof that they were defined before the test",
    ),
    "Art. 10": ((DATA, REPORT), "data governance: choices, origin, bias, gaps"),
    "Art. 12(1)": (
        (LEDGER,),
        "the logs of the system in use: what is here are records of its tests and changes",
    ),
    "Art. 13(3)(b)(ii)": (
        (CARD, SLICES),
        "circumstances that may change the accuracy; robustness and cybersecurity",
    ),
    "Art. 15(3)": (
        (CARD,),
        "the instructions of use: declare no more than the certified lower bound",
    ),
    "Art. 18(1)": ((), "the day of placing on the market, and the place where this is kept"),
    "Art. 19(1)": ((), "the provider's logs, and how long they are kept"),
    "Art. 26(6)": ((), "the deployer's logs, and how long they are kept"),
    "Art. 43(4)": (
        (MONITORING, LEDGER),
        "whether a change is a substantial modification",
    ),
    "Art. 72(3)": ((MONITORING, PLAN), "the whole plan, in the Commission's template"),
}


def map_points(present: Collection[str]) -> tuple[tuple[MappedPoint, ...], tuple[MappedPoint, ...]]:
    """Return the points of Annex IV, and those of the articles.

    Args:
        present: names of the files that the pack holds.
    """
    return (
        tuple(_mapped(ANNEX_IV, OF_ANNEX_IV, present)),
        tuple(_mapped(ARTICLES, OF_ARTICLES, present)),
    )


def _mapped(
    points: tuple[Point, ...], rows: Mapping[str, _Row], present: Collection[str]
) -> Iterator[MappedPoint]:
    for point in points:
        wanted, human = rows[point.number]
        files = tuple(name for each in wanted for name in sorted(present) if _is(name, each))
        yield MappedPoint(point=point.number, words=point.words, files=files, human=human)


def _is(name: str, wanted: str) -> bool:
    return name == wanted or (wanted in BEGINNINGS and name.startswith(wanted))


def retention(day: date) -> tuple[Kept, ...]:
    """Return how long what is to be kept, were the system placed on the market on a day."""
    return (
        Kept(
            what="the technical documentation, this pack with it",
            at_least=f"{DOCUMENTS_YEARS} years after the system was placed on the market",
            until=years_after(day, DOCUMENTS_YEARS).isoformat(),
            source="Art. 18(1)",
        ),
        Kept(
            what="logs of the system in use, by provider and deployer",
            at_least=f"{LOGS_MONTHS} months from each entry, and as long as the purpose asks for",
            until=months_after(day, LOGS_MONTHS).isoformat(),
            source="Art. 19(1), Art. 26(6)",
        ),
    )
