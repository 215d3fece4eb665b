"""Words in any script: what is compared, what is searched for, what is counted. Pure.

Scripts that put no space between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese …) are read
character by character, as the evaluations of CMRC 2018 (Cui et al., 2019) and MLQA (Lewis et al.,
2020) do. A character is a grapheme cluster (UAX 29): its vowel signs and tone marks stay with it.
They are searched by characters and pairs of neighbours, which does as well as a dictionary (Nie et
al., 2000, "On the use of words and n-grams for Chinese information retrieval").
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

import regex

APOSTROPHES = "‘’‛ʼʻʹ´＇՚ꞌ"
"""As keyboards and typographers write them: l’eau, м’яч, Hawaiʻi, it´s."""
HYPHENS = "‐‑‒–−﹣－־֊"
KEPT_FORMS = ("<super>", "<sub>", "<fraction>", "<circle>")
"""Compatibility forms that mean something of their own: 10² is not 102."""
ARTICLES = {
    "en": "a an the",
    "de": "ein eine einen einem einer eines der die das den dem des",
    "es": "un una unos unas el la los las",
    "fr": "un une des le la les l",
    "it": "un uno una il lo la i gli le l",
    "nl": "een de het",
    "pt": "um uma uns umas o a os as",
    "none": "",
}
"""Language -> its articles. English as SQuAD drops them, German and Spanish as MLQA does."""
KOREAN_PARTICLES = regex.compile(
    "은|는|이|가|을|를|의|에|도|와|과|로|만|으로|에서|에게|까지|부터|처럼|보다|이다|다|입니다|이라|라|이고|이며|"
    "에는|에도|에서는"
)
"""What is written onto the end of a Korean noun."""
CHARACTERS_PER_WORD = 2
"""Of scripts without spaces, on average: Chinese words have about 1.6, Thai and Khmer more."""

# Line_Break=SA: Thai, Lao, Khmer, Burmese and their neighbours. The sign ー lengthens kana.
_UNSPACED = (
    r"[[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{LB=SA}\p{Javanese}\p{Balinese}ー]--\p{Nd}]"
)
_UNSPACED_RUN = regex.compile(rf"(?V1){_UNSPACED}(?:{_UNSPACED}|\p{{M}})*")
_PIECE = regex.compile(
    rf"(?V1)(?P<run>{_UNSPACED}(?:{_UNSPACED}|\p{{M}})*)|(?P<sign>[\p{{So}}[\p{{Sm}}--\p{{ASCII}}]])"
    rf"|[^\p{{So}}[\p{{Sm}}--\p{{ASCII}}]{_UNSPACED}]+"
)
_TERM = regex.compile(
    rf"(?V1)(?P<run>{_UNSPACED}(?:{_UNSPACED}|\p{{M}})*)|(?P<hangul>\p{{Hangul}}+)|(?P<sign>\p{{So}})"
    rf"|(?P<word>[[\p{{L}}\p{{M}}\p{{N}}_]--{_UNSPACED}--\p{{Hangul}}]+)"
    r"(?P<end>[+#]+(?![\w+#]))?"  # of C++ and C#
)
_CLUSTER = regex.compile(r"\X")
_GROUPED = regex.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ASCII_MARKS = r"[\p{P}\p{S}&&\p{ASCII}]"
_MEANT = regex.compile(
    r"(?<![\w)\]\-])-(?=\p{Sc}?\.?\d)"  # the sign of a number
    r"|(?<![\w.])\.(?=\d)"  # its decimal point
    r"|(?<=\d)[!-/:-@\[-`{-~](?=\d)"  # a mark inside it
    r"|(?<=\w)(?:[+#]+|-)(?![\w+#\-])"  # the end of C++, C#, A+ and A-
)
"""Marks that are a part of what is said."""
_MARKS = regex.compile(rf"(?V1){_ASCII_MARKS}|[\p{{P}}\p{{Sc}}\p{{Sk}}]")
_PARTING = regex.compile(
    rf"(?V1)[\p{{P}}--\p{{ASCII}}--[{APOSTROPHES}{HYPHENS}]](?:(?<!\d.)|(?!\d))"
)
"""Marks outside ASCII that part words, full-width ones too: they are not those of ASCII yet."""
_KEPT = {code: 0xE000 + code for code in range(128) if not chr(code).isalnum()}
"""Mark that is kept -> the private character that stands for it while other marks are dropped."""
_BACK = {kept: mark for mark, kept in _KEPT.items()}
_BETWEEN = regex.compile(r"[:;,=<>|()\[\]{}\"\\!?](?:(?<!\d.)|(?!\d))")
"""ASCII marks that part words, save between digits: label=refund, <b>yes</b>."""
_ELIDED = regex.compile(r"(?<=\w')\w\b|\b\w(?='\w)")
_ONE_LETTER = str.maketrans("أإآٱىیکıάέήίϊΐόύϋΰώ", "ااااييكiαεηιιιουυυω")
"""Letters that keyboards and capitals mix up: hamza left out, Persian for Arabic, Α for Ά."""
_VOWEL_POINTS = regex.compile(
    r"[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u064B-\u0655\u0670]"
)
# Unseen characters, save joiners inside scripts that need them and the tags that make a flag.
_UNSEEN = regex.compile(
    r"(?V1)[\p{DI}--[\u200c\u200d\U000e0020-\U000e007f]]"
    r"|(?<![\u0590-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0590-\U0010ffff])"
)
_IGNORED = regex.compile(r"(?V1)[\p{DI}--[\U000e0020-\U000e007f]]")


class _Forms(dict[int, str]):
    """What stands in a compared text for a character, worked out once for each one met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        form = unicodedata.decomposition(char).partition(" ")[0]
        if _IGNORED.match(char) or char == "\u0640" or code in _BACK:
            kept = ""  # seen by nobody: joiners, marks of direction, the BOM; the Arabic stretch
        elif char.isdecimal():
            kept = str(unicodedata.decimal(char))
        elif char in APOSTROPHES:
            kept = "'"
        elif char in HYPHENS:
            kept = "-"
        elif char in "٫٬":
            kept = ".,"["٫٬".index(char)]
        elif form.startswith("<") and form not in KEPT_FORMS:
            kept = unicodedata.normalize("NFKC", char)
        else:
            kept = char
        self[code] = kept
        return kept


_FORMS = _Forms()


def composed(text: str) -> str:
    """Return a text in NFC, without characters that nobody sees and with single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    return " ".join(text.split())


def comparable(text: str) -> str:
    """Fold what makes no difference to a word or a number: case, width, digits' script, quotes.

    Full-width letters are the usual ones (NFKC), every script's digits are 0 to 9, apostrophes and
    hyphens are those of ASCII. Superscripts, fractions and circled numbers stay what they are.
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFC", text.translate(_FORMS)).casefold()
    # A folded İ is i and a dot above it; once more NFC, since folding case can part characters.
    return unicodedata.normalize("NFC", plain.replace("i\u0307", "i"))


def characters(text: str) -> list[str]:
    """Return the grapheme clusters of a text: what a reader takes for one character."""
    found: list[str] = _CLUSTER.findall(text)
    return found


def plain_words(text: str) -> list[str]:
    """Return a text's words as SQuAD compares them, for every script: for prose only.

    Case and punctuation are folded (ASCII punctuation joins what it parts, as in SQuAD; any other
    parts words). A number keeps its sign and the marks inside it, save English thousands commas;
    C++, C#, A+ and A- keep their ends; emoji and mathematical signs outside ASCII are words.
    """
    folded = comparable(_PARTING.sub(" ", text))
    folded = _GROUPED.sub(lambda found: found[0].replace(",", ""), folded)
    folded = _MEANT.sub(lambda found: found[0].translate(_KEPT), folded)
    folded = _MARKS.sub(_gap, folded).translate(_BACK)
    return [word for piece in _PIECE.finditer(folded) for word in _words_of(piece)]


def parted_words(text: str) -> list[str]:
    """Return the words of a text as `plain_words`, parted at brackets, colons and the like too."""
    return plain_words(_BETWEEN.sub(" ", text))


def _gap(found: regex.Match[str]) -> str:
    return "" if found[0].isascii() else " "


def _words_of(piece: regex.Match[str]) -> Sequence[str]:
    return characters(piece[0]) if piece["run"] else piece[0].split()


def holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether words stand in a text in order, next to each other.

    The last one may carry a Korean particle: 서울은 holds 서울.

    Args:
        words: of the text, by `plain_words`.
        wanted: what is looked for; nothing is never found.
    """
    size = len(wanted)
    return size > 0 and any(
        words[at : at + size - 1] == wanted[:-1] and _ends_with(words[at + size - 1], wanted[-1])
        for at in range(len(words) - size + 1)
    )


def _ends_with(word: str, wanted: str) -> bool:
    return word == wanted or (
        word.startswith(wanted) and KOREAN_PARTICLES.fullmatch(word, pos=len(wanted)) is not None
    )


def search_terms(text: str, stem: Callable[[str], str] = str) -> list[str]:
    """Return what a text is found by, in order.

    Words of every length, as stems; emoji; of scripts without spaces and of Hangul, whose compounds
    and particles are written together, each character and each pair of neighbours. The points of
    Hebrew and Arabic vowels are left out: most texts have none. A letter that an apostrophe parts
    from its word ("John's", "l'eau") is no word.

    Args:
        text: any.
        stem: word -> its stem.
    """
    folded = _VOWEL_POINTS.sub("", _ELIDED.sub(" ", comparable(text)))
    terms: list[str] = []
    for found in _TERM.finditer(folded):
        if found["run"] or found["hangul"]:
            each = characters(found[0])
            terms += each
            terms += map("".join, pairwise(each))
        elif found["word"]:
            terms.append(stem(found["word"]).translate(_ONE_LETTER))
            terms += [found[0]] if found["end"] else []
        else:
            terms.append(found[0])
    return terms


def running_words(text: str) -> list[str]:
    """Return the words of a text as they stand, to compare runs of words.

    Parted at spaces; characters where there are none. Case and punctuation stay.
    """
    parts: list[str] = []
    for word in text.split():
        at = 0
        for run in _UNSPACED_RUN.finditer(word):
            parts += [word[at : run.start()]] * (run.start() > at)
            parts += characters(run[0])
            at = run.end()
        parts += [word[at:]] * (at < len(word))
    return parts


def count_words(text: str) -> int:
    """Return how many words a text has; where no spaces part them, an estimate."""
    unspaced = sum(len(characters(run)) for run in _UNSPACED_RUN.findall(text))
    spaced = len(_UNSPACED_RUN.sub(" ", text).split()) if unspaced else len(text.split())
    return spaced + -(-unspaced // CHARACTERS_PER_WORD)


def has_no_spaces(text: str) -> bool:
    """Tell whether most of a text is in a script that puts no space between words."""
    unspaced = sum(map(len, _UNSPACED_RUN.findall(text)))
    return 2 * unspaced > sum(not char.isspace() for char in text)
