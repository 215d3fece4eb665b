"""report.html: what Markdown says, on one page that loads nothing and in which nothing acts."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from assessments import assessment, attempt, control, estimate, full_assessment, record
from harmful import HOSTILE, acting

from ladder.evidence import (
    Ablation,
    Asked,
    Assessment,
    Attempt,
    ContextCosts,
    CostBasis,
    Misses,
    Recommendation,
    TrainingMethod,
)
from ladder.report.brief import as_brief
from ladder.report.effort import in_all_of, kept_words
from ladder.report.headline import NextCheck, answer_words, facts, steps, verdict_words
from ladder.report.markdown import as_markdown
from ladder.report.page import as_page, policy
from ladder.report.reading import read_assessment
from ladder.report.samples import Answer, Row, Samples, shown
from ladder.report.why_pictures import CHANGED
from ladder.wording import harmless

OLDER = Path(__file__).with_name("older")
KILOBYTES = 400
VOID = {"meta", "link", "br", "input"}
FETCHING = ("src", "href", "action", "data", "poster", "srcset", "formaction", "ping", "xlink:href")


class Seen(HTMLParser):
    """What a browser makes of a page: its tags, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "each element ends where it began"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def shown(self) -> str:
        return " ".join(" ".join(self.text).split())


SAMPLES = Samples(
    ("prompt", "lora"),
    (
        Row("row-9", "which team?", ("the desk",), "kind", {
            "prompt": Answer("the store", 0.0, "", "knowledge", (0,)),
            "lora": Answer("the desk", 1.0, "", ""),
        }),
        Row("row-8", "and this?", ("the store",), "", {"prompt": Answer("", None, "boom", "")}),
    ),
    (("documents/d1", "A title", "what it says"),),
)  # fmt: skip

NEXT = NextCheck("2027-02-27", 91, ("the documents are replaced",))


@cache
def golden_page() -> str:
    return as_page(full_assessment(), SAMPLES, NEXT).html


def cells(markdown: str) -> set[str]:
    """Return every cell of every table of a report, as it reads."""
    rows = [line for line in markdown.splitlines() if line.startswith("|") and "---" not in line]
    found = {cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)[1:-1]}
    return {re.sub(r"\*\*|`", "", unescape(cell)) for cell in found if cell}


@pytest.mark.slow
def test_what_stands_in_a_table_of_markdown_stands_on_the_page() -> None:
    shown = Seen(golden_page()).shown()
    missing = {cell for cell in cells(as_markdown(full_assessment())) if cell not in shown}
    assert not missing


def test_every_sentence_of_markdown_stands_on_the_page() -> None:
    shown = Seen(golden_page()).shown().replace(" ", "")
    left_out = ("# ", "## ", "> ", "|", "![", "<", "Answer:", "ladder 9.9", "Machine:", "Versions:",
                "Task 0123")  # fmt: skip
    for line in as_markdown(full_assessment()).splitlines():
        said = re.sub(r"^(- |### )|\*\*|`", "", unescape(line)).replace(" ", "")
        assert line.startswith(left_out) or said in shown, line


def test_the_first_screen_says_question_answer_certainty_cost_saving_and_next_check() -> None:
    header = golden_page().split("<header")[1].split("</header>")[0]
    said = Seen(f"<header{header}</header>").shown()
    for words in (
        "Sort the mail.", "Do we need to fine-tune?", "Train: preference.",
        "lora (best lora), confirmed on 150 held-out test examples", "0.84 (0.79–0.89)",
        "held-out test set, n = 150: confirmed; eval set, n = 200: 0.85 (0.80–0.90)",
        "the gate asks for 0.8", "4.21 USD", "at 100,000 requests: 100 × 0.0421 USD per 1,000",
        "0.0421 USD",
        "built once for 0.2500 USD", "12 % of tokens", "140,000 instead of 160,000 or more",
        "not trained: distill", "2027-02-27", "and every 91 days",
    ):  # fmt: skip
        assert words in said, words


def test_the_next_check_has_its_day_its_command_and_what_calls_for_it_sooner() -> None:
    section = golden_page().split('<section aria-labelledby="next">')[1].split("</section>")[0]
    said = Seen(f"<section>{section}</section>").shown()
    for words in ("2027-02-27", "91 days", "the documents are replaced", "ladder revalidate"):
        assert words in said, words


def test_provenance_has_whole_digests_versions_machine_seed_and_prices() -> None:
    section = golden_page().split('<section aria-labelledby="provenance">')[1]
    said = Seen(f"<section>{section.split('</section>')[0]}</section>").text
    for words in ("0123456789abcdef0123", "fedcba9876543210fedc", "77", "a fast one", "3.11.9",
                  "the price list, no date given", "bundled:m", "task.yaml"):  # fmt: skip
        assert words in said, words


def test_the_page_loads_nothing_and_allows_nothing() -> None:
    page = golden_page()
    seen = Seen(page)
    addresses = [
        str(value) for _, attrs in seen.tags for name, value in attrs.items() if name in FETCHING
    ]
    assert addresses
    assert all(address.startswith(("#", "data:,")) for address in addresses), addresses
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!#)", page)
    [meta] = [attrs for tag, attrs in seen.tags if attrs.get("http-equiv")]
    assert meta["content"] == policy()
    assert "default-src 'none'" in policy()
    assert "unsafe-inline" not in policy().split("script-src")[1].split(";")[0]
    handlers = [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert not handlers


def test_every_picture_is_named_and_has_its_figures_as_a_table() -> None:
    page = golden_page()
    figures = page.split("<figure>")[1:]
    assert len(figures) == 6  # scores, latency, kinds of row, ablations, chances, break-even
    for figure in (part.split("</figure>")[0] for part in figures):
        caption = figure.split("<figcaption>")[1].split("</figcaption>")[0]
        assert figure.count(f'role="img" aria-label="{caption}"') == 2  # for a screen, a telephone
        assert "<table" in figure
        assert "var(--ink" in figure
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"/]+)"', page)
    assert set(targets) <= set(ids)


@pytest.mark.slow
def test_the_page_is_small() -> None:
    assert len(golden_page().encode()) < 1000 * KILOBYTES
    assert golden_page() == as_page(full_assessment(), SAMPLES, NEXT).html


@pytest.mark.slow
def test_an_older_run_without_examples_is_a_page_without_a_browser_of_them() -> None:
    found, _ = read_assessment(OLDER)
    page = as_page(found).html
    assert "No training: rag passes" in page or "rag passes" in page
    for absent in ('id="samples"', "samples-data", "#samples", "<script>"):
        assert absent not in page
    Seen(page)


@pytest.mark.slow
def test_no_text_of_a_record_acts() -> None:
    planted = f"<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {HOSTILE}"
    hostile = full_assessment().but(
        task=record(name=planted, goal=planted, source=planted, base=planted),
        control=control(planted),
        hardware={planted: planted},
        attempts=(attempt("prompt", "fail", reason=planted),),
    )
    shown_text = shown(planted)
    row = Row(harmless(planted), shown_text, (shown_text,), harmless(planted), {
        "prompt": Answer(shown_text, 0.0, harmless(planted), "", (0,)),
    })  # fmt: skip
    samples = Samples(("prompt",), (row,), ((harmless(planted), harmless(planted), shown_text),))
    page = as_page(hostile, samples).html
    seen = Seen(page)
    assert {tag for tag, _ in seen.tags} <= {tag for tag, _ in Seen(golden_page()).tags}
    assert seen.shown().count("alert(1)") > 10
    assert not any(key.startswith("on") for _, attrs in seen.tags for key in attrs)
    assert not acting(page)


def none_passed(**more: Any) -> Assessment:
    found = {"rung": None, "description": "none of the rungs", **more}
    return assessment(recommendation=Recommendation.model_validate(found))


def test_the_few_words_for_each_kind_of_answer() -> None:
    no_training = TrainingMethod(name="none", chosen=True, ground="untrained rung chosen")
    base = assessment()
    judged = control().but(judged="nearest example")
    assert verdict_words(base) == "lora passes"
    unsure = base.but(recommendation=base.recommendation.but(confirmed_verdict="undecided"))
    assert verdict_words(unsure) == (
        "lora passes, but the held-out test set neither confirms nor refutes it"
    )
    assert verdict_words(none_passed(withheld=True)) == "No verdict"
    assert verdict_words(none_passed(advice="stronger base")) == "Nothing here passes"
    assert answer_words(none_passed(advice="stronger base")).startswith("No rung passes this gate")
    at_control = none_passed(control=True, description="nearest example").but(control=judged)
    assert verdict_words(at_control) == "No training, and no language model"
    advice = base.recommendation.but(training_methods=(no_training,), leans_to_pass=True)
    assert verdict_words(base.but(recommendation=advice)) == (
        "No training: lora passes, by the estimate"
    )
    stopped = none_passed(withheld=True).but(stopped="the server is down")
    assert answer_words(stopped) == "The server is down"
    assert "Saved" not in {fact.name for fact in facts(stopped, None)}
    made = in_all_of(base.effort)
    hardly = made.but(tokens=made.tokens + made.tokens // 1000)
    alike = base.effort.but(plans={"every rung": hardly}, training_avoided=())
    assert "Saved" not in {fact.name for fact in facts(base.but(effort=alike), None)}
    no_plan = base.but(effort=base.effort.but(plans={}))
    told = {fact.name: fact.value for fact in facts(no_plan, None)}
    assert told["Not trained"] == "distill", "nothing is said to be saved that was not asked for"


def test_the_ladder_shows_where_the_climb_stopped_and_why() -> None:
    drawn = {step.name: step for step in steps(assessment())}
    assert list(drawn) == ["control", "prompt", "rag", "lora", "distill"]
    assert drawn["prompt"].state == "failed"
    assert drawn["prompt"].note.startswith("6 of 10 misses")
    assert drawn["rag"].note == "no documents are given"
    assert drawn["lora"].chosen
    assert drawn["distill"].word == "not climbed"
    assert drawn["distill"].note == "not needed: lora passes"
    left = none_passed(advice="climb on", not_measured=("distill",))
    assert [step.note for step in steps(left)][-1] == "left out by `rungs:` or `--until`"
    assert drawn["lora"].of == "eval set, n = 200"


def test_a_run_that_ended_blames_no_rung_on_its_end_that_the_task_leaves_out() -> None:
    ended = assessment().but(
        stopped="no answers",
        task=record(rungs=("prompt", "rag")),
        attempts=(attempt("prompt", "fail"),),
    )
    notes = {step.name: step.note for step in steps(ended)}
    assert notes["rag"] == "the run ended before it"
    assert notes["lora"] == notes["distill"] == "left out by `rungs:`"


def test_a_step_shows_its_whole_reason_and_of_an_endless_one_where_the_whole_stands() -> None:
    whole = "The reason of a rung in as many words as a diagnosis takes. " * 5
    for reason, more in ((whole.strip(), False), ("word " * 100, True)):
        found = assessment(attempts=(Attempt(rung="prompt", status="skipped", reason=reason),))
        step = next(step for step in steps(found) if step.name == "prompt")
        assert step.more is more
        assert step.note == reason if not more else step.note.endswith("word …")
        climb = as_page(found).html.split('<ol class="ladder">')[1].split("</ol>")[0]
        assert ('<a href="#rungs">the whole</a>' in climb) is more
        assert step.note in Seen(climb).shown()


def test_what_a_run_has_not_measured_has_no_section() -> None:
    bare = none_passed(withheld=True).but(attempts=(), control=None, economics=None)
    page = as_page(bare).html
    Seen(page)
    assert "<figure>" not in page
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles == [
        "The climb", "What was measured", "The rows", "What the decision took",
        "The next check", "Provenance",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_curve_of_context_is_drawn_where_it_was_measured() -> None:
    one = estimate(0.6, 40)
    same = {"other": "x", "difference": 0.1, "low": 0, "high": 0.2, "n": 9, "p_value": 0.1,
            "claim": "better"}  # fmt: skip
    costs = ContextCosts.model_validate(
        {"rows": 40, "texts": 4, "curve": {1: one, 4: one}, "knee": 1, "alone": one, "split": {},
         "length": same, "distraction": same, "position": same}
    )  # fmt: skip
    page = as_page(assessment(attempts=(attempt("rag", "fail", context=costs),))).html
    assert "Score over texts in context; filled: 1, the fewest that do as well as any" in page
    assert "texts in context</text>" in page


MACHINE = CostBasis(kind="machine", usd_per_hour=0.2, machines=2, requests_per_month=100_000)


def test_a_month_is_said_as_the_sum_that_it_is() -> None:
    base = full_assessment()
    measured = base.attempts[-1].measurement
    assert measured is not None
    rented = base.attempts[-1].but(measurement=measured.but(cost_basis=MACHINE))
    known = {fact.name: fact.note for fact in facts(base.but(attempts=(rented,)), None)}
    assert known["A month"] == "at 100,000 requests: 2 machines × 730 h × 0.2 USD an hour"


@pytest.mark.slow
def test_the_wrong_answers_of_a_rung_that_passed_are_named_and_linked() -> None:
    signs = {"not retrieved": ("row-7", "row-8"), "none": ("row-9",)}
    seen = Misses(count=3, of=200, signs=signs)
    found = full_assessment()
    found = found.but(attempts=(*found.attempts[:-1], found.attempts[-1].but(misses=seen)))
    said = (
        "3 of its 200 eval answers are wrong (a score below 0.5), not diagnosed since it passed. "
        "What is seen without asking more, a sign and no proven cause:"
    )
    assert f"{said}\n\n- **not retrieved**: 2, no document that the row names" in as_markdown(found)
    page = as_page(found, SAMPLES, NEXT).html
    section = page.split('<section aria-labelledby="diagnosis">')[1].split("</section>")[0]
    assert said in Seen(f"<section>{section}</section>").shown()
    assert "#samples/rung=lora&amp;verdict=wrong" in section
    assert "#samples/rung=lora&amp;cause=sign%3A+not+retrieved" in section
    assert said.partition(". ")[0] in as_brief(found, None)
    plain = Misses(count=4, of=200, signs={"none": ("row-1", "row-2", "row-3", "row-4")})
    lora = found.attempts[-1].but(misses=plain)
    shown_once = "not diagnosed since it passed: row-1, row-2, row-3 and 1 more."
    assert shown_once in as_markdown(found.but(attempts=(lora,)))


def test_the_ablations_are_explained_where_they_stand() -> None:
    assert set(CHANGED) == set(get_args(Ablation))
    assert "| oracle | with the right document alone in context |" in as_markdown(full_assessment())


def test_answers_kept_from_earlier_runs_are_told_with_what_they_took_there() -> None:
    base = assessment()
    needed = {"race": Asked(calls=9, seconds=90), "training": Asked(seconds=7, tokens=5)}

    def kept(asked: Asked | None) -> str:
        return kept_words(base.effort.but(by_purpose=needed, asked=asked))

    before = "answers kept from earlier runs, where the models took"
    assert kept(Asked()) == f" (all {before} 90 s)"
    assert kept(Asked(calls=4, seconds=30)) == f" (5 of 9 {before} 60 s)"
    assert kept(Asked(calls=9, seconds=90)) == kept(None) == ""
    told = base.but(effort=base.effort.but(by_purpose=needed, asked=Asked()))
    assert f"321 s (all {before} 90 s)" in as_markdown(told)
    assert f"321 s (all {before} 90 s)" in as_page(told).html


def test_an_answer_says_how_it_is_used_and_what_does_not_stand_says_nothing_of_it() -> None:
    page = as_page(full_assessment()).html
    assert "In the folder of this page:" in page
    for command in ("ladder size .", "ladder promote ."):
        assert command in page
    assert "Using this answer" not in as_page(none_passed(advice="stronger base")).html
