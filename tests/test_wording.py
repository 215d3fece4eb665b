"""Nothing that is shown can act: one escape for terminals, one for Markdown, one for JSON."""

from __future__ import annotations

import json

import pytest
from harmful import ACTING, HOSTILE, acting, headings, live, tokens
from hypothesis import example, given
from hypothesis import strategies as st

from ladder.errors import DataError, EngineError, Problem
from ladder.wording import (
    acts,
    code,
    fenced,
    harmless,
    harmless_lines,
    in_a_row,
    in_json,
    in_markdown,
    latency,
    one_of,
)  # fmt: skip

PIECES = st.one_of(
    st.sampled_from(sorted(ACTING.values())),
    st.sampled_from(
        [*"`*_~#<>&|[]()!\\-+=:.@$^{}%\"'/ \n\t1a9é", "](", "**", "`a`", "&lt;", "1. "]
    ),
    st.text(max_size=4),
    st.characters(codec=None),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)

READABLE = [
    "-0.05 (-0.10 to +0.02), 0.5–0.9",
    "Ünïcödé, naïve café, Ελληνικά, Русский",
    "می‌خواهم کتاب‌ها",  # zero width non-joiners between letters
    "क्‍ष श्री ක්‍ය",
    "שָׁלוֹם עֲלֵיכֶם",
    "👩‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 👩🏽‍💻 1️⃣ 🇩🇪",
    "日本語、中文。한국어 葛󠄀",
    "Việt Nam e\u0301",
    "row_12.json ~ train-8; exact_match → R&D [sic] <5 ms #3",
]


@pytest.mark.parametrize("text", READABLE)
def test_ordinary_texts_are_shown_as_they_are(text):
    assert harmless(text) == text


@pytest.mark.parametrize("text", ACTING.values(), ids=ACTING)
def test_what_acts_is_shown_and_does_nothing(text):
    assert not acting(harmless(text))
    assert not acting(harmless_lines(text))
    assert "\n" not in harmless(text)


@given(TEXTS)
def test_no_text_acts_on_a_terminal(text):
    shown = harmless(text)
    assert not acting(shown)
    assert not acts(shown)
    assert "\n" not in shown
    assert harmless(shown) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_loses_nothing_but_spaces(text):
    assert harmless(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\u001b[31mb"),
        ("a\x9bb\x7f\x00", "a\\u009bb\\u007f\\u0000"),
        ("a\r\n\tb", "a b"),
        ("\u202eab", "\\u202eab"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("pass\u200dword", "pass\\u200dword"),
        ("🙂\u200d\u200d🙂", "🙂\\u200d\\u200d🙂"),
        ("❤\ufe0f\ufe01\ufe02", "❤\ufe0f\\ufe01\\ufe02"),
        ("Donau\u00addampf", "Donaudampf"),
        ("x" + "\u0301" * 50, "x" + "\u0301" * 6),
        ("\u0338= 3", "\u25cc\u0338= 3"),
        ("\ue000\ufdd0\uffff", "\\ue000\\ufdd0\\uffff"),
    ],
)
def test_how_a_sign_is_written(text, shown):
    assert harmless(text) == shown


def test_a_long_text_ends_where_it_may():
    assert harmless("a" * 10, 10) == "a" * 10
    assert harmless("a" * 1_000_000, 10) == "a" * 9 + "…"
    assert harmless("ab👩\u200d👩", 5) == "ab👩\u200d👩"
    assert harmless("ab👩\u200d👩c", 5) == "ab👩…"  # no joiner without what it joins


def plain(markdown: str) -> str:
    """Return what a reader sees of a line of Markdown; every part of it must be text or code."""
    found = tokens(markdown)
    kinds = {"paragraph_open", "paragraph_close", "inline", "text", "code_inline"}
    assert {token.type for token in found} <= kinds, markdown
    return "".join(t.content for t in found if t.type in ("text", "code_inline"))


def without_ticks(text: str) -> str:
    return text.replace("`", "")


@pytest.mark.parametrize("text", ACTING.values(), ids=ACTING)
def test_nothing_acts_in_markdown(text):
    assert without_ticks(plain(in_markdown(text))) == without_ticks(harmless(text))
    assert not live(in_markdown(text))


@given(TEXTS)
@example("`a`http://x.y `b@c`")
@example("``a`` \\`b\\`")
@example("# a #")
def test_markdown_reads_as_the_terminal_does(text):
    shown = in_markdown(text)
    assert without_ticks(plain(shown)) == without_ticks(harmless(text))
    assert not live(shown)


@given(TEXTS, TEXTS)
def test_two_texts_stay_in_their_cells(first, second):
    head = "| a | b |\n|---|---|\n"
    found = tokens(f"{head}| {in_markdown(first)} | {in_markdown(second)} |\n")
    cells = [token for token in found if token.type == "inline"][2:]
    read = ["".join(part.content for part in cell.children or ()) for cell in cells]
    wanted = [harmless(first), harmless(second)]
    assert list(map(without_ticks, read)) == list(map(without_ticks, wanted))


@given(TEXTS)
def test_a_text_stays_in_its_heading_its_item_and_its_bold_words(text):
    shown = in_markdown(text)
    assert len(headings(f"# {shown}\n")) == 1
    for line in (
        f"- {shown}\n",
        f"> {shown}\n",
        f"before\n{shown}\nafter\n",
        f"**x**: ({shown}).\n",
    ):
        kinds = {token.type for token in tokens(line)}
        assert not kinds & {"heading_open", "hr", "table_open", "html_block", "link_open", "image"}
        assert len([t for t in tokens(line) if t.type == "list_item_open"]) == line.startswith("- ")


@pytest.mark.parametrize(
    "text",
    ["-0.05 (0.5–0.9)", "+0.02", "exact_match", "train-8 ~ test-5", "R2D2 (v1.2)!", "a > b, x: y"],
)
def test_figures_and_names_stay_as_they_are_in_markdown(text):
    assert in_markdown(text) == text


def test_plain_code_stays_code():
    assert in_markdown("left out by `rungs:` or --until") == "left out by `rungs:` or --until"
    assert code("hf:org/model@main") == "`hf:org/model@main`"
    assert not live(code("a`<b>`http://x.y|"))


@given(TEXTS)
def test_a_fence_holds_what_is_in_it(text):
    found = tokens("\n".join([*fenced(text), "after"]))
    assert [token.type for token in found][:2] == ["fence", "paragraph_open"]
    assert found[0].content == f"{harmless_lines(text)}\n"


VALUES = st.recursive(st.one_of(TEXTS, st.integers()), lambda v: st.dictionaries(TEXTS, v))


@pytest.mark.slow
@given(VALUES)
def test_json_holds_the_same_values_and_nothing_that_acts(value):
    written = in_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value
    assert not acting(written.replace("\u00ad", ""))  # a soft hyphen only lets a line be broken


def test_ordinary_json_stays_readable():
    written = json.dumps(READABLE, ensure_ascii=False)
    assert in_json(written) == written


@pytest.mark.slow
def test_every_part_of_a_problem_is_one_harmless_line():
    problem = Problem(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    assert not acting(str(problem))
    assert str(DataError([problem, problem])).count("\n") == 1
    assert not acting(str(DataError([problem, problem])))
    assert len(str(Problem("a" * 10**6, "b" * 10**6, "c", "Fix it."))) < 3000
    assert str(Problem("a" * 10**6, "b" * 10**6, "c", "Fix it.")).endswith("Fix it.")


def test_an_error_that_quotes_others_is_one_line():
    said = str(EngineError(f"server: {HOSTILE}\nAnswer: all is well"))
    assert not acting(said)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("labels", "asked", "row"),
    [
        (["a", "b c"], "Answer with one of: a, b c.", "a, b c"),
        (
            ["card", "card, lost / stolen"],
            "Answer with one of these lines:\ncard\ncard, lost / stolen",
            '"card", "card, lost / stolen"',
        ),
        (["yes; no", "b"], "Answer with one of these lines:\nyes; no\nb", '"yes; no", "b"'),
        (["a\nb", "c"], 'Answer with one of these lines:\n"a\\nb"\nc', '"a\\nb", "c"'),
        (["etc.", "c"], "Answer with one of these lines:\netc.\nc", '"etc.", "c"'),
    ],
)
def test_labels_can_be_told_apart_where_they_are_listed(
    labels: list[str], asked: str, row: str
) -> None:
    assert one_of(labels) == asked
    assert in_a_row(labels) == row


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0.34, "0.3 ms"), (9.96, "10 ms"), (802.4, "802 ms"), (999.6, "1.00 s"), (5644, "5.64 s"),
     (12_345, "12.3 s"), (240_000, "240.0 s")],
)  # fmt: skip
def test_a_latency_is_told_in_seconds_from_a_second_on(ms, words):
    assert latency(ms) == words
