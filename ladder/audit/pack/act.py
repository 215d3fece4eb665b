"""Regulation (EU) 2024/1689: the points that a run bears on, in the words of the Act, and dates.

The words are meant to be those of the Official Journal; nobody has compared them with EUR-Lex for
this file, all were compared with public copies, and the pack says with which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Point:
    """A point of the Act."""

    number: str
    """`Annex IV 2(g)`, `Art. 9(8)`."""
    words: str
    """Of the Act; `[…]` where something is left out."""


@dataclass(frozen=True)
class Date:
    """A day that the Act names."""

    day: date
    what: str
    source: str


ACT = "Regulation (EU) 2024/1689"
AMENDED = "Regulation (EU) 2026/1744 (Digital Omnibus on AI)"
READ_ON = "2026-11-28"
TO_VERIFY = (
    f"Words and dates were compared with public mirrors on {READ_ON}, those of Art. 13(3)(b)(ii), "
    "19(1) and 26(6) with copies of the text of 2024 in public repositories on 2026-11-29; what "
    "the amendment changed of these three was not compared. Verify all of them on EUR-Lex, in the "
    "consolidated text: "
    "https://eur-lex.europa.eu/eli/reg/2024/1689/oj"
)
DATES = (
    Date(date(2024, 8, 1), "the Act enters into force", f"{ACT}, Art. 113"),
    Date(date(2026, 7, 27), "the amendment enters into force", AMENDED),
    Date(date(2026, 8, 2), "general date of application", f"{ACT}, Art. 113"),
    Date(
        date(2027, 12, 2),
        "duties of high-risk systems under Annex III (was 2026-08-02)",
        f"{ACT}, Art. 113 as amended by {AMENDED}",
    ),
    Date(
        date(2028, 8, 2),
        "duties of high-risk systems in products under Annex I (was 2027-08-02)",
        f"{ACT}, Art. 113 as amended by {AMENDED}",
    ),
)

ANNEX_IV = (
    Point(
        "1(a)",
        "A general description of the AI system including: its intended purpose, the name of the "
        "provider and the version of the system reflecting its relation to previous versions;",
    ),
    Point(
        "1(b)",
        "how the AI system interacts with, or can be used to interact with, hardware or software, "
        "including with other AI systems, that are not part of the AI system itself, where "
        "applicable;",
    ),
    Point(
        "1(c)",
        "the versions of relevant software or firmware, and any requirements related to version "
        "updates;",
    ),
    Point(
        "1(d)",
        "the description of all the forms in which the AI system is placed on the market or put "
        "into service, such as software packages embedded into hardware, downloads, or APIs;",
    ),
    Point("1(e)", "the description of the hardware on which the AI system is intended to run;"),
    Point(
        "1(f)",
        "where the AI system is a component of products, photographs or illustrations showing "
        "external features, the marking and internal layout of those products;",
    ),
    Point("1(g)", "a basic description of the user-interface provided to the deployer;"),
    Point(
        "1(h)",
        "instructions for use for the deployer, and a basic description of the user-interface "
        "provided to the deployer, where applicable;",
    ),
    Point(
        "2(a)",
        "A detailed description of the elements of the AI system and of the process for its "
        "development, including: the methods and steps performed for the development of the AI "
        "system, including, where relevant, recourse to pre-trained systems or tools provided by "
        "third parties and how those were used, integrated or modified by the provider;",
    ),
    Point(
        "2(b)",
        "the design specifications of the system, namely the general logic of the AI system and of "
        "the algorithms; the key design choices including the rationale and assumptions made, "
        "including with regard to persons or groups of persons in respect of who, the system is "
        "intended to be used; the main classification choices; what the system is designed to "
        "optimise for, and the relevance of the different parameters; the description of the "
        "expected output and output quality of the system; the decisions about any possible "
        "trade-off made regarding the technical solutions adopted to comply with the requirements "
        "set out in Chapter III, Section 2;",
    ),
    Point(
        "2(c)",
        "the description of the system architecture explaining how software components build on or "
        "feed into each other and integrate into the overall processing; the computational "
        "resources used to develop, train, test and validate the AI system;",
    ),
    Point(
        "2(d)",
        "where relevant, the data requirements in terms of datasheets describing the training "
        "methodologies and techniques and the training data sets used, including a general "
        "description of these data sets, information about their provenance, scope and main "
        "characteristics; how the data was obtained and selected; labelling procedures (e.g. for "
        "supervised learning), data cleaning methodologies (e.g. outliers detection);",
    ),
    Point(
        "2(e)",
        "assessment of the human oversight measures needed in accordance with Article 14, "
        "including an assessment of the technical measures needed to facilitate the interpretation "
        "of the outputs of AI systems by the deployers, in accordance with Article 13(3), point "
        "(d);",
    ),
    Point(
        "2(f)",
        "where applicable, a detailed description of pre-determined changes to the AI system and "
        "its performance, together with all the relevant information related to the technical "
        "solutions adopted to ensure continuous compliance of the AI system with the relevant "
        "requirements set out in Chapter III, Section 2;",
    ),
    Point(
        "2(g)",
        "the validation and testing procedures used, including information about the validation "
        "and testing data used and their main characteristics; metrics used to measure accuracy, "
        "robustness and compliance with other relevant requirements set out in Chapter III, "
        "Section 2, as well as potentially discriminatory impacts; test logs and all test reports "
        "dated and signed by the responsible persons, including with regard to pre-determined "
        "changes as referred to under point (f);",
    ),
    Point("2(h)", "cybersecurity measures put in place;"),
    Point(
        "3",
        "Detailed information about the monitoring, functioning and control of the AI system, in "
        "particular with regard to: its capabilities and limitations in performance, including the "
        "degrees of accuracy for specific persons or groups of persons on which the system is "
        "intended to be used and the overall expected level of accuracy in relation to its "
        "intended purpose; the foreseeable unintended outcomes and sources of risks to health and "
        "safety, fundamental rights and discrimination in view of the intended purpose of the AI "
        "system; the human oversight measures needed in accordance with Article 14, including the "
        "technical measures put in place to facilitate the interpretation of the outputs of AI "
        "systems by the deployers; specifications on input data, as appropriate;",
    ),
    Point(
        "4",
        "A description of the appropriateness of the performance metrics for the specific AI "
        "system;",
    ),
    Point(
        "5", "A detailed description of the risk management system in accordance with Article 9;"
    ),
    Point(
        "6",
        "A description of relevant changes made by the provider to the system through its "
        "lifecycle;",
    ),
    Point(
        "7",
        "A list of the harmonised standards applied in full or in part the references of which "
        "have been published in the Official Journal of the European Union; where no such "
        "harmonised standards have been applied, a detailed description of the solutions adopted "
        "to meet the requirements set out in Chapter III, Section 2, including a list of other "
        "relevant standards and technical specifications applied;",
    ),
    Point("8", "A copy of the EU declaration of conformity referred to in Article 47;"),
    Point(
        "9",
        "A detailed description of the system in place to evaluate the AI system performance in "
        "the post-market phase in accordance with Article 72, including the post-market monitoring "
        "plan referred to in Article 72(3).",
    ),
)

ARTICLES = (
    Point(
        "Art. 9(8)",
        "[…] Testing shall be carried out against prior defined metrics and probabilistic "
        "thresholds that are appropriate to the intended purpose of the high-risk AI system.",
    ),
    Point("Art. 10", "Data and data governance (the title of the article)"),
    Point(
        "Art. 12(1)",
        "High-risk AI systems shall technically allow for the automatic recording of events (logs) "
        "over the lifetime of the system.",
    ),
    Point(
        "Art. 13(3)(b)(ii)",
        "the level of accuracy, including its metrics, robustness and cybersecurity referred to in "
        "Article 15 against which the high-risk AI system has been tested and validated and which "
        "can be expected, and any known and foreseeable circumstances that may have an impact on "
        "that expected level of accuracy, robustness and cybersecurity;",
    ),
    Point(
        "Art. 15(3)",
        "The levels of accuracy and the relevant accuracy metrics of high-risk AI systems shall be "
        "declared in the accompanying instructions of use.",
    ),
    Point(
        "Art. 18(1)",
        "The provider shall, for a period ending 10 years after the high-risk AI system has been "
        "placed on the market or put into service, keep at the disposal of the national competent "
        "authorities: the technical documentation referred to in Article 11; […]",
    ),
    Point(
        "Art. 19(1)",
        "[…] the logs shall be kept for a period appropriate to the intended purpose of the "
        "high-risk AI system, of at least six months, unless provided otherwise […]",
    ),
    Point(
        "Art. 26(6)",
        "Deployers of high-risk AI systems shall keep the logs automatically generated by that "
        "high-risk AI system to the extent such logs are under their control, for a period "
        "appropriate to the intended purpose of the high-risk AI system, of at least six months, "
        "unless provided otherwise […]",
    ),
    Point(
        "Art. 43(4)",
        "[…] For high-risk AI systems that continue to learn after being placed on the market or "
        "put into service, changes to the high-risk AI system and its performance that have been "
        "pre-determined by the provider at the moment of the initial conformity assessment and are "
        "part of the information contained in the technical documentation referred to in point "
        "2(f) of Annex IV, shall not constitute a substantial modification.",
    ),
    Point(
        "Art. 72(3)",
        "The post-market monitoring system shall be based on a post-market monitoring plan. The "
        "post-market monitoring plan shall be part of the technical documentation referred to in "
        "Annex IV. […]",
    ),
)

DOCUMENTS_YEARS, LOGS_MONTHS = 10, 6


def years_after(day: date, years: int) -> date:
    """Return the same day so many years later; of 29 February the day before."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of that month."""
    year, month = divmod(day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(day.year + year, month + 1, last)
        except ValueError:
            continue
    raise ValueError(f"no day {months} months after {day}")
