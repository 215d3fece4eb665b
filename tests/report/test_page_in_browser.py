"""report.html in a real Chromium: accessible, by keyboard, hostile texts as text, many samples."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assessments import assessment, attempt, estimate, failed, full_assessment
from harmful import HOSTILE

from ladder.evidence import Assessment, Comparison
from ladder.evidence.compared import Change, RungsCompared, RunsCompared, Side
from ladder.report.brief import as_brief_page
from ladder.report.compared import compared_page
from ladder.report.headline import NextCheck
from ladder.report.page import as_page
from ladder.report.runs import run_line, runs_page
from ladder.report.samples import SIBLING, read_samples

pytestmark = pytest.mark.slow  # every test starts or drives a browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
LABELS = ("alpha", "bravo", "charlie")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed here: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[test]'")
    with api.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; whatever it asks the network for, and every error in it, fails the test."""
    contexts = []

    def open_page(path: Path, fragment: str = "", **more: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **more})
        page = context.new_page()
        contexts.append((context, page, asked := [], errors := []))
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: line.type == "error" and errors.append(line.text))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context, _, asked, errors in contexts:
        assert not errors
        assert all(url.startswith(("file:", "data:")) for url in asked), asked
        context.close()


def write(folder: Path, count: int, **more: Any) -> None:
    """Write the samples of two rungs: the first misses every third example."""
    for rung in ("prompt", "lora"):
        (folder / rung).mkdir(parents=True)
        lines = []
        for at in range(count):
            wrong = rung == "prompt" and at % 3 == 0
            row = {
                "id": f"q-{at}",
                "input": f"question {at} about {LABELS[at % 3]}",
                "target": f"the {LABELS[at % 3]} team",
                "answer": "the other team" if wrong else f"the {LABELS[at % 3]} team",
                "score": float(not wrong),
                "error": None,
                "slice": LABELS[at % 2],
                **more,
            }
            lines.append(json.dumps(row) + "\n")
        (folder / rung / "samples.jsonl").write_text("".join(lines))


def two_rungs() -> Assessment:
    return assessment(attempts=(failed("q-0"), attempt("lora", "pass")))


def page_of(folder: Path, found: Assessment) -> Path:
    made = as_page(found, read_samples(folder, found), NextCheck("2027-02-27", 91))
    path = folder / "report.html"
    path.write_text(made.html)
    if made.beside is not None:
        (folder / SIBLING).write_text(made.beside)
    return path


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def selected(page: Any) -> str:
    return str(page.locator(".one h3").inner_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(opened: Any, tmp_path: Path, scheme: str, width: int) -> None:
    write(tmp_path, 30)
    path = page_of(tmp_path, full_assessment().but(attempts=two_rungs().attempts))
    size = {"width": width, "height": 800}
    # The rules are a script of axe's own, which the page's policy would refuse.
    page = opened(path, viewport=size, color_scheme=scheme, bypass_csp=True)
    page.wait_for_selector(".one h3")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wider = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(f"{wider}.map(each => each.ariaLabel)") == []
    lines = [run_line(two_rungs(), "/mail/1/"), run_line(two_rungs(), "/mail/2/")]
    (tmp_path / "runs.html").write_text(runs_page("runs", lines))
    listed = opened(tmp_path / "runs.html", viewport=size, color_scheme=scheme, bypass_csp=True)
    assert violations(listed) == []
    (tmp_path / "compared.html").write_text(compared_page(two_runs()))
    both = opened(tmp_path / "compared.html", viewport=size, color_scheme=scheme, bypass_csp=True)
    assert violations(both) == []
    for shown in (listed, both):
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 390])
def test_the_tables_of_the_brief_fit_a_telephone(opened: Any, tmp_path: Path, width: int) -> None:
    (tmp_path / "brief.html").write_text(
        as_brief_page(full_assessment(), NextCheck("2027-02-27", 91))
    )
    page = opened(tmp_path / "brief.html", viewport={"width": width, "height": 800})
    tables = page.locator(".scroll").all()
    assert tables
    for table in tables:
        assert table.evaluate("each => each.scrollWidth <= each.clientWidth")
    for value in page.locator("td:nth-child(2)").all():
        assert value.evaluate("each => each.getClientRects()[0].width") >= 96, "a figure is cut up"


def two_runs() -> RunsCompared:
    """Two runs with rows that were lost, more than are named, and with changes."""
    side = Side(description="best lora", score=estimate(0.8), p95_ms=20.0, usd_per_1k=0.5)
    slower = side.but(p95_ms=40.0)
    paired = Comparison(
        other="first", n=200, difference=-0.1, low=-0.15, high=-0.05, p_value=0.001,
        claim="worse",
    )  # fmt: skip
    rows = tuple(f"row-{at}" for at in range(25))
    return RunsCompared(
        first="runs/mail/2026-11-28T100213.090023Z",
        second="runs/mail/2026-11-29T100213.090023Z",
        first_answer="Answer: lora (best lora).",
        second_answer="Answer: nothing that was measured passes.",
        confidence=0.95,
        changes=(Change(part="code", what="torch", first="2.10", second="2.11"),),
        rungs=(
            RungsCompared(name="lora", first=side, second=slower, paired=paired, lost=rows),
            RungsCompared(name="distill", first=side, second=None),
        ),
    )


def test_the_first_screen_holds_the_answer_and_its_figures(opened: Any, tmp_path: Path) -> None:
    page = opened(page_of(tmp_path, two_rungs()))
    for part in ("h1", ".verdict", ".answer", ".facts"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 800, part
    assert page.locator(".facts dt").all_inner_texts() == [
        "Score, how sure", "A month", "Per 1,000", "Saved", "Next check",
    ]  # fmt: skip


def test_everything_is_reached_by_keyboard(opened: Any, tmp_path: Path) -> None:
    write(tmp_path, 30)
    page = opened(page_of(tmp_path, two_rungs()))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "verdict", (
        "letters act in the samples alone"
    )
    page.locator(".list").focus()
    assert selected(page) == "q-0"
    for key, name in (("j", "q-1"), ("ArrowDown", "q-2"), ("k", "q-1"), ("End", "q-29"),
                      ("ArrowUp", "q-28"), ("Home", "q-0"), ("k", "q-0")):  # fmt: skip
        page.keyboard.press(key)
        assert selected(page) == name, key
    active = page.locator(".list").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("/")
    page.keyboard.type("bravo 13 jk")
    page.locator("[role=status]", has_text="0 of 30").wait_for()
    page.locator("#by-text").fill("bravo 13")
    page.locator("[role=status]", has_text="1 of 30").wait_for()
    assert selected(page) == "q-13"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "list"


def test_the_filters_and_the_address_say_the_same(opened: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    write(tmp_path, 30)
    path = page_of(tmp_path, two_rungs())
    page = opened(path)
    page.locator("#by-verdict").select_option("wrong")
    assert page.locator("[role=status]").inner_text() == "10 of 30 samples"
    page.locator("#by-kind").select_option("bravo")
    assert page.locator("[role=status]").inner_text() == "5 of 30 samples"
    page.locator("#by-kind").select_option("")
    page.locator("#by-cause").select_option("knowledge")
    assert page.locator("[role=status]").inner_text() == "1 of 30 samples"
    page.locator("#by-cause").select_option("")
    page.locator(".row", has_text="q-6").first.click()
    assert "id=q-6" in page.url
    assert "verdict=wrong" in page.url
    again = opened(path, page.url[page.url.index("#") :])
    assert selected(again) == "q-6"
    assert again.locator("[role=status]").inner_text() == "10 of 30 samples"
    assert again.locator(".answered mark").all_inner_texts() == ["other"], "what the target has not"
    linked = opened(path)
    linked.locator("a", has_text="q-0").first.click()
    expect(linked.locator(".one h3")).to_have_text("q-0")
    count = linked.locator("[role=status]")  # a browser tells of a new address a moment later
    linked.locator("#diagnosis ~ ul a", has_text="knowledge").click()
    expect(count).to_have_text("1 of 30 samples")
    linked.locator("a", has_text="Its misses").click()
    expect(count).to_have_text("0 of 30 samples")
    assert linked.locator("#by-rung").input_value() == "lora"


def test_without_scripts_the_first_samples_are_a_table(opened: Any, tmp_path: Path) -> None:
    write(tmp_path, 30)
    page = opened(page_of(tmp_path, two_rungs()), java_script_enabled=False)
    assert page.locator("#plain tbody tr").count() == 12
    assert page.locator("#plain").is_visible()
    assert not page.locator("#browser").is_visible()


def test_hostile_texts_are_text(opened: Any, tmp_path: Path) -> None:
    planted = HOSTILE.replace("\ud800", "") + "</script><img src=x onerror=alert(3)>\0\u202e"
    said = {"input": planted, "target": planted, "slice": planted}
    write(tmp_path, 4, answer=planted + "x" * 1_000_000, **said)
    page = opened(page_of(tmp_path, two_rungs()))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert page.locator("img, .one script, .one a").count() == 0
    for sign in ("\0", "\u202e", "\x1b", "\u200b"):
        assert sign not in page.locator("body").inner_text()
    more = page.locator(".one button").last
    assert "characters" in more.inner_text()
    more.click()
    shown = page.locator(".one").inner_text()
    assert f"it has {len(planted) + 1_000_000:,} characters" in shown
    for written in ("\\u202e", "\\u001b", "\\u0000", "<script>alert(1)", "[red]alert[/red]"):
        assert written in shown, written
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("count", [1_000, 50_000])
def test_many_samples_are_a_few_elements(opened: Any, tmp_path: Path, count: int) -> None:
    """What can be seen of the list is there, and no more: however many samples there are."""
    write(tmp_path, count, input="a question of some length, with what a customer may say " * 2)
    page = opened(page_of(tmp_path, two_rungs()))
    held = int(page.locator("[role=status]").inner_text().split(" ")[0].replace(",", ""))
    assert held == count if count == 1_000 else 1_000 < held < count
    elements = page.evaluate("document.querySelectorAll('*').length")
    assert elements < 6_000
    assert page.locator(".row").count() < 40
    page.locator(".list").focus()
    page.keyboard.press("End")
    assert page.locator(".row").count() < 40
    assert page.locator(".row[aria-selected=true]").get_attribute("aria-posinset") == str(held)
    assert (tmp_path / SIBLING).exists() == (count == 50_000)
