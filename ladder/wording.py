"""How texts from elsewhere are shown: escaped once, here, so that nothing shown can act.

Ids, labels, goals, file names, a server's words, a model's answers: whatever this package did not
write itself. A terminal gets `harmless`, a Markdown file `in_markdown`, a file of data keeps every
sign (`in_json`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from unicodedata import category

from ladder.redaction import redact

BREAKS = {"\n": " ", "\r": " ", "\t": " "}
MOST_SHOWN = 1000
"""Characters of one text on a terminal, where nothing says how long it may be."""
MOST_SAID = 4 * MOST_SHOWN
"""Characters of a whole message that quotes such texts."""
MOST_MARKS = 6
"""Marks on one letter: Hebrew and Tibetan stack up to so many, what strikes out lines has more."""
JOINERS = "\u200c\u200d"
"""Persian, Indic scripts and emoji need them; between other signs they only hide."""
JOINED = ("Lo", "Mn", "Mc", "So", "Sk", "Sm", "Cn")
SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Choose a form of the sign before them: one each, more would only hide."""
HIDDEN = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters and marks by their category, and nothing to see."""
NUMBER_SIGNS = (
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Arabic and other signs around numbers: format characters that are seen."""
SOFT_HYPHEN = "\u00ad"
SEEN = NUMBER_SIGNS + JOINERS + SOFT_HYPHEN
DOTTED_CIRCLE = "\u25cc"


def harmless(text: str, most: int | None = None) -> str:
    r"""Return a text as one line without anything that a terminal obeys, or that hides in it.

    Control characters, marks that turn the direction of writing, tags, halves of surrogate pairs
    and other signs that nobody sees are written as their code point, `\\u001b`; breaks become
    spaces, a soft hyphen goes. Known secrets are taken out.

    Args:
        text: from a file, a server or a model.
        most: characters kept; a longer text ends in `…`.
    """
    folded = " ".join("".join(_signs(redact(text))).split())
    if most is None or len(folded) <= most:
        return folded
    return f"{folded[: most - 1].rstrip(JOINERS)}…"


def indented(text: str, most: int) -> str:
    """Return a text likewise, the spaces that it begins with kept."""
    return " " * (len(text) - len(text.lstrip(" "))) + harmless(text, most)


def harmless_lines(text: str) -> str:
    """Return a text of several lines likewise, its own line breaks and indents kept."""
    lines = redact(text).replace("\r\n", "\n").split("\n")
    return "\n".join("".join(_signs(line)).rstrip() for line in lines)


def in_markdown(text: str) -> str:
    """Return a text as one line of Markdown (CommonMark, GitHub's) that reads as `harmless` does.

    No part of it is HTML, a link, a picture, a heading, a list, a table's edge or emphasis. What
    renderers turn into links by themselves (addresses, mail, @names) stands in code; so does what
    stood in backticks, where it is plain.
    """
    made = _PARTS.sub(_escaped, harmless(text))
    for opening, instead in _OPENINGS:
        made = opening.sub(instead, made, count=1)
    return made


def code(text: str) -> str:
    """Return a name or a command as code in Markdown; one that could end the code, as text."""
    shown = harmless(text)
    plain = shown and not re.search(r"[<>&\[\]{}|`\\*]", shown)
    return f"`{shown}`" if plain else in_markdown(text)


def fenced(text: str, language: str = "text") -> list[str]:
    """Return a text of several lines as the lines of a block of code that it cannot end."""
    shown = harmless_lines(text)
    fence = "`" * max([2, *map(len, re.findall("`+", shown))]) + "`"
    return [f"{fence}{language}", shown, fence]


def in_json(text: str) -> str:
    r"""Return JSON in which what would act on a terminal is escaped, `\\u202e`: the same values."""
    return _UNUSUAL.sub(lambda found: _quoted(found.group()), text)


def acts(text: str) -> bool:
    """Tell whether a sign in a text acts on a terminal; line breaks are none."""
    return any(_acts(found.group()) for found in _UNUSUAL.finditer(text))


def one_of(labels: Sequence[str]) -> str:
    """Return the sentence that asks for a label: in a row, or a label a line where one has marks.

    "card, lost / stolen" among labels joined by commas reads as two of them.
    """
    if any(has_marks(label) for label in labels):
        lines = [
            json.dumps(label, ensure_ascii=False) if "\n" in label else label for label in labels
        ]
        return "\n".join(["Answer with one of these lines:", *lines])
    return f"Answer with one of: {', '.join(labels)}."


def in_a_row(labels: Sequence[str]) -> str:
    """Return labels as a list on one line, in quotes where one has marks."""
    if any(has_marks(label) for label in labels):
        return ", ".join(json.dumps(label, ensure_ascii=False) for label in labels)
    return ", ".join(labels)


def has_marks(label: str) -> bool:
    """Tell whether a label holds what would part it in a list."""
    return any(mark in label for mark in ',;\n"') or label.endswith(".")


class Interval(Protocol):
    """The interval of an estimate over so many rows."""

    @property
    def low(self) -> float:
        """Where it begins."""
        ...

    @property
    def high(self) -> float:
        """Where it ends."""
        ...

    @property
    def n(self) -> int:
        """Rows."""
        ...


class Scored(Interval, Protocol):
    """A mean score."""

    @property
    def mean(self) -> float:
        """The estimate."""
        ...


class Differing(Interval, Protocol):
    """What one system scores more than another."""

    @property
    def difference(self) -> float:
        """The estimate."""
        ...


def span(estimate: Scored) -> str:
    """Return a score with its interval; nothing where nothing was scored."""
    if estimate.n == 0:
        return "–"
    return f"{estimate.mean:.2f} ({estimate.low:.2f}–{estimate.high:.2f})"


def gap(found: Differing) -> str:
    """Return a difference with its interval."""
    return f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f}, n = {found.n})"


def apart(difference: float, digits: int = 2) -> str:
    """Say how much a score is above or below the one it is compared with: `0.05 lower`."""
    words = f"{abs(difference):.{digits}f}"
    if float(words) == 0:
        return f"{words} apart"
    return f"{words} {'higher' if difference > 0 else 'lower'}"


def duration(seconds: float) -> str:
    """Return seconds as a short text."""
    if seconds < 1:
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def latency(ms: float) -> str:
    """Return milliseconds as a short text, in seconds from 1,000 on."""
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"


def counted(kinds: Mapping[str, int]) -> str:
    """Return how often each kind of error came, the commonest first: `12 x HTTP 503`."""
    first = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} x {kind}" for kind, count in first)


_UNUSUAL = re.compile(r"[^\n -~]")
_PLAIN = r"[^\s<>&\[\](){}|`\\*!]"
_PARTS = re.compile(
    r"(?<![^\s(])`(?P<kept>[\w.:/@=,+-]+(?: [\w.:/@=,+-]+)*)`(?=[).,;:]*(?:\s|$))"
    r"|(?P<acts>[\\\[|*]|(?<=\])\(|(?<=\{)[{%])"
    rf"|(?P<entity>[<&`])|(?P<word>{_PLAIN}+)"
)
_LINKED = re.compile(r"://|www\.|[@$]", re.IGNORECASE)
"""What renderers make links, names or formulas of, without being asked."""
_ENTITIES = {"<": "&lt;", "&": "&amp;", "`": "&#96;"}
_OPENINGS = (  # what opens a list, a quotation, a heading's underline or a table's second line
    (re.compile(r"^(\d{1,9})([.)])(?=\s|$)"), r"\1\\\2"),
    (re.compile(r"^([-+](?![\w.])|[>=]|:(?=-))"), r"\\\1"),
)


def _escaped(found: re.Match[str]) -> str:
    if found["kept"]:
        return found[0]
    if found["acts"]:
        return f"\\{found[0]}"
    if found["entity"]:
        return _ENTITIES[found[0]]
    word = found["word"]
    if _LINKED.search(word):
        return f"`{word}`"
    beside = (
        found.string[found.start() - 1 : found.start()],
        found.string[found.end() : found.end() + 1],
    )
    if word != "~" or beside != (" ", " "):
        word = word.replace("~", "\\~")
    word = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", word)
    return f"\\{word}" if word.startswith("#") else word


def _signs(text: str) -> list[str]:
    """Return what is shown of each sign of a text."""
    made, before, marks = [], " ", 0
    for sign, after in zip(text, f"{text[1:]} ", strict=False):
        if sign == SOFT_HYPHEN:
            continue
        is_mark = category(sign) in ("Mn", "Me")
        marks = marks + 1 if is_mark else 0
        made.append(_shown(sign, before, after, marks))
        before = sign
    return made


def _shown(sign: str, before: str, after: str, marks: int) -> str:
    if " " <= sign <= "~":
        return sign
    if sign in BREAKS:
        return BREAKS[sign]
    if sign in JOINERS:
        return sign if _joins(before) and _joins(after) else _written(sign)
    if marks > MOST_MARKS:
        return ""
    alone = SELECTORS.match(sign) and (before.isspace() or SELECTORS.match(before))
    if alone or _acts(sign):
        return _written(sign)
    if SELECTORS.match(sign):
        return sign
    return f"{DOTTED_CIRCLE}{sign}" if marks and before.isspace() else sign


def _joins(sign: str) -> bool:
    return sign > "~" and sign not in HIDDEN and category(sign) in JOINED


def _acts(sign: str) -> bool:
    number = ord(sign)
    if category(sign) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return sign not in SEEN
    return (
        sign in HIDDEN
        or number & 0xFFFE == 0xFFFE  # no characters, in every plane
        or 0xFDD0 <= number <= 0xFDEF
        or 0xFFF0 <= number <= 0xFFF8
        or (0xE0000 <= number <= 0xE0FFF and not SELECTORS.match(sign))
        or number == 0x2065
    )


def _written(sign: str) -> str:
    number = ord(sign)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _quoted(sign: str) -> str:
    return json.dumps(sign)[1:-1] if _acts(sign) else sign


def disturbed_words(waited: float, most: str = "") -> str:
    """Say that times were taken beside other work.

    Args:
        waited: share of its processor time for which the process waited.
        most: stands before the share, where it is the greatest of several.
    """
    return (
        f"other work had the processors for {most}{waited:.0%} of the time that was wanted: these "
        "are no times of a quiet machine, and they are not kept; run the same command again on one"
    )
