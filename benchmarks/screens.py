"""Screens of report.html in a real Chromium, to be looked at; and those that the docs show.

    python benchmarks/screens.py RUN [RUN ...] --into FOLDER  # at three widths, dark, on paper
    python benchmarks/screens.py --docs R2 R3                 # the pictures in docs/, of two runs

A run is the folder that `ladder assess` wrote. Its page is made anew, so that an old run shows
today's page. Needs playwright and a Chromium on the PATH; nothing is fetched.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ladder.commands.page import next_check  # noqa: E402
from ladder.report.page import as_page  # noqa: E402
from ladder.report.reading import read_assessment  # noqa: E402
from ladder.report.samples import read_samples  # noqa: E402

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = {390: 844, 1280: 800, 1920: 1080}
MOST_BYTES = 150_000
"""Of a picture in docs/."""


def page_of(run: Path, folder: Path) -> Path:
    """Write the page of a run into a folder; return it."""
    found, place = read_assessment(run)
    made = as_page(found, read_samples(place, found), next_check(place, found))
    path = folder / f"{found.task.name}.html"
    path.write_text(made.html, encoding="utf-8")
    return path


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a running browser."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        sys.exit("No Chromium is on the PATH: apt-get install chromium")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def show(
    browser: Any, page: Path, fragment: str = "", width: int = 1280, dark: bool = False
) -> Any:
    """Open a page."""
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme="dark" if dark else "light",
    )
    opened = context.new_page()
    opened.goto(page.resolve().as_uri() + fragment)
    return opened


def look(runs: list[Path], into: Path) -> None:
    """Write every screen of every run, and its pages on paper."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for page in (page_of(run, Path(folder)) for run in runs):
            for width in WIDTHS:
                for dark in (False, True):
                    opened = show(browser, page, width=width, dark=dark)
                    path = into / f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"
                    opened.screenshot(path=path, full_page=True)
                    opened.context.close()
                    print(path)
            opened = show(browser, page)
            opened.pdf(path=into / f"{page.stem}.pdf", format="A4", prefer_css_page_size=True)
            opened.context.close()
            print(into / f"{page.stem}.pdf")


def write_docs(documents: Path, trained: Path) -> None:
    """Write the pictures of docs/report.md.

    Args:
        documents: a run of r2, which documents answer.
        trained: a run of r3, which a trained adapter answers.
    """
    into = ROOT / "docs"
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        first, second = (page_of(run, Path(folder)) for run in (documents, trained))
        shots = {
            "report-first-screen.png": (first, "", 1280, False),
            "report-diagnosis.png": (first, "#diagnosis", 1280, False),
            "report-samples.png": (first, "#samples/verdict=wrong", 1280, True),
            "report-phone.png": (second, "", 390, False),
        }
        for name, (page, fragment, width, dark) in shots.items():
            opened = show(browser, page, fragment, width, dark)
            opened.wait_for_timeout(300)
            opened.screenshot(path=into / name)
            opened.context.close()
            size = (into / name).stat().st_size
            print(f"docs/{name}: {size:,} bytes")
            if size > MOST_BYTES:
                sys.exit(f"{name} has more than {MOST_BYTES:,} bytes")


def main() -> None:
    """Write the screens that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, default=Path("screens"))
    parser.add_argument("--docs", action="store_true", help="write the pictures of docs/report.md")
    given = parser.parse_args()
    if given.docs:
        if len(given.runs) != 2:
            parser.error("--docs takes a run of r2 and one of r3")
        write_docs(*given.runs)
    else:
        look(given.runs, given.into)


if __name__ == "__main__":
    main()
