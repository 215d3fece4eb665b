"""Numbers as people write them: 1,234.5 and 1.234,5 and 1'234.50 and 1 234,5 and ٣٫٥. Pure.

A number's own shape says which mark is the decimal one, save where a single mark stands before
exactly three digits: 1,234 is 1234 in London and 1.234 in Berlin. Such a number is read by the
decimal mark that the user names, else by the one that the task's other numbers show.

What only looks like numbers is left out: dates, times, ratios, and versions such as 1.2.3. A
fraction such as 3/4 is one number, and so is 1.5 × 10^3. A minus counts where no letter, digit or
bracket stands before it: 5-3 holds no negative number.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal

import regex

from ladder.language.words import comparable

Mark = Literal[".", ","]
"""What stands before the decimals."""

_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = "[⁰¹²³⁴-⁹⁺⁻]"
_TEN_TO = regex.compile(
    r"(?:(?P<factor>(?<=\d))\s*[x×*·]\s*|(?<![\w.,]))10"
    rf"(?:(?:\^|\*\*)[({{]?(?P<power>[-+]?\d+)[)}}]?|(?P<raised>{_RAISED}+))"
)
_LATEX = (
    (regex.compile(r"(?<=\d)\{([.,])\}(?=\d)"), r"\1"),
    (regex.compile(r"(?<=\d)\\[,;: ](?=\d{3})"), " "),
    (regex.compile(r"(?<=\d)(?=\\[dtc]?frac\{)"), " "),
    (regex.compile(r"\\[dtc]?frac\{(\d+)\}\{(\d+)\}"), r"\1/\2"),
    (regex.compile(r"\\(?:times|cdot)\b"), "×"),
)
"""Numbers as mathematics is typeset: 1{,}234 and 1\\,234 and \\frac{3}{4}."""
_UNDERSCORE = regex.compile(r"(?<=\d)_(?=\d{3}(?!\d))")
"""As programs group digits: 1_000."""
_OF_UNIT = regex.compile(
    r"(?<=\pL)(?:\^|\*\*)[({]?[-+]?\d+[)}]?"  # cm^2
    r"|(?<=\d\P{N}{1,20}\pL)\d(?![\w.,/]*\d)(?!\w)"  # behind a number: 12 m2, 15 kg CO2
)
"""Digits that are a part of a word."""
_LIST_COMMA = regex.compile(r"(?<=[0-9])，(?=[0-9])")
"""A full-width comma between usual digits parts a list in Chinese and Japanese."""
_ARABIC_POINT = regex.compile(r"(?<=\d)\u066b(\d{3})(?!\d)")
"""It can be nothing else, which one more decimal makes plain."""
_VULGAR = regex.compile("[¼-¾⅐-⅞]")
_NO_NUMBER = regex.compile(
    r"""(?x)(?<![\d.,])(?:
        \d{4}([-./])\d{1,2}\1\d{1,2}(?:[t\ ]\d{1,2}:\d{2}(?::\d{2})?)?   # 2024-05-01
        | \d{1,2}([-./])\d{1,2}\2(?:\d{4}|\d{2})                         # 12.03.2024, 3/12/24
        | \d{1,2}/(?:19|20)\d{2}                                        # 05/2024
        | (?:\d{2,4}[年년]\ ?)?\d{1,2}[月월](?:\ ?\d{1,2}[日号號일])?          # 2024年5月1日
        | \d+(?::\d+)+(?:\.\d+)?                                        # 10:30; 3:1
        | \d{1,2}(?:\.\d{2}\ ?uhr|h\d{2})(?!\pL)                         # 10.30 Uhr, 10h30
        | (?<!\pL)v\.?\ ?\d+(?:\.\d+)+                                   # v1.5
        | (?!\d{1,3}(?:\.\d{3})+(?![.\d]))\d+(?:\.\d+){2,}               # 1.2.3 and 192.168.0.1
    )(?![\d])(?![.,:/-]\d)"""
)
_DIGITS = r"""(?x:
    \d{1,3}(?:'\d{3})+(?!'?\d)(?:[.,]\d+)?                             # 1'234.50
    | \d{1,3}(?:[ ]\d{3})+(?![ ]?\d)(?:[.,]\d+)?                       # 1 234,5
    | \d{1,3}(?:,\d{2,3})*,\d{3}(?![,\d])(?:\.\d+)?                   # 1,234,567.8; 12,34,567
    | \d{1,3}(?:\.\d{3})+(?![.\d])(?:,\d+)?                           # 1.234.567,8
    | (?<!\d,)\d+,\d+(?!,\d)                                          # 1,5 but not 1,5,7
    | (?<!\d\.)\d+\.\d+(?!\.\d)
    | (?<![\w.])\.\d+
    | \d+
)(?!\d)"""
_NUMBER = regex.compile(
    r"(?P<sign>(?<![\w)\]\-+])[-+](?:\p{Sc}\s?)?(?=[\d.]))?"
    r"(?:(?P<whole>(?<![\d.,])\d+)\s(?=\d+/\d))?"
    rf"(?P<digits>{_DIGITS})"
    r"(?:/(?P<below>\d+)(?!/?\d)|(?P<power>e[-+]?\d+)(?!\w))?"
    rf"(?!{_RAISED})"
)
_ONE_MARK = regex.compile(r"[1-9]\d{0,2}[.,]\d{3}")


def last_number(text: str, decimal: Mark | None = None) -> float | None:
    """Return the last number in a text; None where it holds none, or one that is too large.

    Args:
        text: any.
        decimal: the decimal mark of a number such as 1,234, whose shape leaves it open; None reads
            it as English does, with a point.
    """
    found = list(_found(text))
    return _value(found[-1], decimal) if found else None


def readings(text: str) -> tuple[float, ...]:
    """Return the values that a text's last number may have, by a decimal point and by a comma.

    One where both agree; none where there is no number.
    """
    both = (last_number(text, "."), last_number(text, ","))
    return tuple(dict.fromkeys(value for value in both if value is not None))


def decimal_mark(texts: Iterable[str]) -> Mark | None:
    """Return the decimal mark that numbers show by their shape; None where none or both are shown.

    "23,0 %" shows a comma, and so do "1.234.567" and "1.234,5".
    """
    shown = {mark for text in texts for found in _found(text) if (mark := _shown(found["digits"]))}
    return shown.pop() if len(shown) == 1 else None


def with_values(text: str, decimal: Mark | None = None) -> str:
    """Return a text with the value of each number in its place: equal numbers are equal texts.

    A number that could be read in two ways stays as it is where no decimal mark is given.
    """
    parts, at, plain = [], 0, _plain(text)
    for found in _NUMBER.finditer(plain):
        open_to_both = decimal is None and _ONE_MARK.fullmatch(found["digits"])
        value = None if open_to_both else _value(found, decimal)
        parts += [plain[at : found.start()], found[0] if value is None else repr(value)]
        at = found.end()
    return "".join([*parts, plain[at:]])


def _plain(text: str) -> str:
    """Return a text with one way of writing digits, signs and powers, without dates and times."""
    text = _LIST_COMMA.sub(", ", text)
    if "\\" in text or "{" in text:
        for written, meant in _LATEX:
            text = written.sub(meant, text)
    spoken = _ARABIC_POINT.sub(r".\g<1>0", text.replace("\u066c", "'"))
    folded = comparable(_VULGAR.sub(_spelt_out, spoken))
    folded = _TEN_TO.sub(_power_of_ten, _UNDERSCORE.sub("'", folded))
    folded = _OF_UNIT.sub("#", folded)
    return str(_NO_NUMBER.sub(lambda found: "#" * len(found[0]), folded))


def _power_of_ten(found: regex.Match[str]) -> str:
    """Return × 10^3 as e3, and 10^3 alone as 1e3."""
    power = found["power"] or found["raised"].translate(_POWERS)
    return f"e{power}" if found["factor"] is not None else f"1e{power}"


def _spelt_out(fraction: regex.Match[str]) -> str:
    """Return ½ as 1/2, apart from a whole number before it."""
    before: str = fraction.string[: fraction.start()]
    gap = " " * before[-1:].isdecimal()
    return f"{gap}{unicodedata.normalize('NFKC', fraction[0])}".replace("\u2044", "/")


def _found(text: str) -> Iterator[regex.Match[str]]:
    yield from _NUMBER.finditer(_plain(text))


def _shown(digits: str) -> Mark | None:
    """Return the decimal mark that a number's shape shows; None where it shows none."""
    marks = [char for char in digits if char in ".,"]
    if not marks or _ONE_MARK.fullmatch(digits):
        return None
    grouped = len(marks) > 1 and len(set(marks)) == 1
    last = marks[-1]
    if grouped:  # 1.234.567: the other mark would be the decimal one
        return "," if last == "." else "."
    return "." if last == "." else ","


def _value(found: regex.Match[str], decimal: Mark | None) -> float | None:
    digits = found["digits"]
    mark = decimal or "." if _ONE_MARK.fullmatch(digits) else _shown(digits)
    other = "," if mark == "." else "."
    plain = digits.replace("'", "").replace(" ", "")
    if mark:
        plain = plain.replace(other, "").replace(mark, ".")
    try:
        value = float(plain + (found["power"] or ""))
        if found["below"]:
            value = int(found["whole"] or 0) + value / int(found["below"])
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    if found["sign"] and found["sign"].startswith("-"):
        value = -value
    return value if math.isfinite(value) else None
