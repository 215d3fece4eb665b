"""Texts that act where they are shown as they are, and what is looked for in what was shown."""

from __future__ import annotations

import itertools
import re
from unicodedata import category

from markdown_it import MarkdownIt
from markdown_it.token import Token

ACTING = {
    "clears the screen": "\x1b[2J\x1b[H",
    "renames the window": "\x1b]0;owned\x07",
    "links in the terminal": "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "begins a sequence in one byte": "\x9b31m\x9d0;owned\x9c",
    "goes back over what was printed": "passed\b\b\b\b\b\bfailed\rverdict",
    "ends the line": "row\n# Answer: pass\r\n## All well\x0b\x0c\x85\u2028\u2029end",
    "turns the direction": "\u202egnorw\u202c \u2066right\u2069 \u200e\u200f\u061c",
    "hides": "a\u200bb\u2060c\ufeffd\u180ee\U000e0041\U000e0042\u3164\u034f\x00",
    "is half a character": "half\ud800 a character",
    "strikes out": "x" + "\u0336\u0489" * 40,
    "is a script": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "breaks out of HTML": "--></details><!--</summary>",
    "is a picture": "![x](http://tracker.example/a.png)",
    "is a link": "[read this](javascript:alert(1)) [or](data:text/html,hi) <http://a.example>",
    "is a link by itself": "see https://a.example/b_c, www.b.example; me@c.example @somebody",
    "is a reference": "[^1] [x][y] [z]: http://ref.example",
    "is a table": "a | b\n|---|---|\n| c | d\\|",
    "is a fence": "```\n~~~\n``a`b`` `<b>`",
    "is a heading": "# one\n## two ##\n===\n---\n> said\n- item\n1. first\n- [ ] done",
    "is emphasis": "**bold** __init__ _it_ ~~gone~~ ***",
    "is a formula": "$\\frac{1}{0}$ costs $5 and $6 $$x$$ ${",
    "is a template": "{{ page }} {% include x %}",
    "is markup of the terminal's library": "[red]alert[/red] [link=http://l.example]x[/link] [/]",
    "is an entity": "&lt;b&gt; &#60;b&#62; AT&T",
}
"""What it does -> a text that does it."""

HOSTILE = " ".join(ACTING.values())


def acting(text: str) -> set[str]:
    """Return the signs of a text that act on a terminal, or hide in it; line breaks are ours."""
    kept = "\n\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
    kept += "\U000110bd\U000110cd"  # signs around numbers: they are seen
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    found = {sign for sign in text if category(sign) in kinds and sign not in kept}
    return found | set(re.findall("[\u034f\u115f\u1160\u3164\uffa0\U000e0000-\U000e00ff]", text))


def tokens(markdown: str) -> list[Token]:
    """Return every token of a Markdown text, with tables, strikethrough and HTML let through."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    blocks = reader.parse(markdown)
    return [token for block in blocks for token in (block, *(block.children or ()))]


LINKED = re.compile(r"(?i)\w://|www\.|\w@\w|(^|\s)@\w|\$(?! per 1k|: )")
"""What GitHub, and others, make a link, a name or a formula of: only code is safe from it. The
report's own two dollar signs stand alone."""


def live(markdown: str) -> set[str]:
    """Return what acts in a Markdown text: links, pictures, HTML, emphasis, what is made of text.

    The report's own parts are a bold word, a folded table of the race, and the picture of costs.
    """
    found = set()
    for token in tokens(markdown):
        own = token.content in (
            "<details><summary>The race on dev examples</summary>\n", "</details>\n", "</details>",
        ) or (token.attrs.get("src") == "costs.svg")  # fmt: skip
        if token.type in ("link_open", "image", "html_block", "html_inline", "fence") and not own:
            found.add(f"{token.type}: {token.content}{token.attrs}")
        if token.type in ("em_open", "s_open", "hr", "code_block"):
            found.add(token.type)
        if token.type == "text" and (seen := LINKED.search(token.content)):
            found.add(f"{seen.group()} in {token.content}")
    return found


def headings(markdown: str) -> list[str]:
    """Return the headings of a Markdown text."""
    found = tokens(markdown)
    pairs = itertools.pairwise(found)
    return [after.content for token, after in pairs if token.type == "heading_open"]
