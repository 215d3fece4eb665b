"""Which language texts are in, and the stems of its words (Snowball, by PyStemmer). Pure.

The language is told by its function words: a third of running text, and as good as no other
language's. Where they do not tell, none is taken: a wrong stemmer joins words that are not one.
Languages without a stemmer are listed too, so that a neighbour's is not taken for them.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import regex

from ladder.language.words import comparable

VERSION = 2
"""Goes up when a text's search terms change: rankings that are kept are then made anew."""
TEXTS_READ = 2_000
LEAST_HITS = 8
LEAST_SHARE = 0.1
"""Of the words that are function words of the language; running text has two to four times that."""
LEAD = 1.15
"""How many times the next language's share the best one needs."""
NO_LANGUAGE = "none"

_LETTER = regex.compile(r"\p{L}")
SIGNS_READ = 400
_WORD = regex.compile(r"[\p{L}\p{M}]+")


class Language(NamedTuple):
    """A language that texts may be in."""

    name: str
    words: frozenset[str]
    """Its commonest function words, as `comparable` writes them."""
    stemmer: str = ""
    """Its name at Snowball; empty: there is none."""


_TABLE = """\
af Afrikaans: die en van het in is nie wat om te sy ʼn vir hulle aan dat met op ek jy my hoe kan
  jou
ar Arabic*: في من على أن إلى هذا هذه التي الذي عن ما لا مع هو كان و هل كيف كل أنا متى أين لماذا
  يمكن هناك لم
be Belarusian: і у на што не з да як па за для ён яго гэта але ад быў ці я мой мне дзе чаму
bg Bulgarian: на и в да се за от е са с по не че като ще до или това който аз ми как какво мога
  къде защо имам
ca Catalan*: de la i el que a en les els per del un una amb és no al dels com jo quan on què puc
  meu vull
cs Czech*: a v se na je že s z do o k i to pro jako po by jsou které ve já mi jak co kde můžu mám
  můj
da Danish*: og i at det er en af til på som den for med ikke de har et fra kan der jeg du hvordan
  hvad hvor min mit
de German*: der die und das in zu den ist von mit sich des auf nicht ein eine dem im für wird ich
  sie wie was wo kann mein meine wir
el Greek*: και το να του η της με που την από για τα είναι ο των στο σε οι στη δεν μου πώς πού τι
  μπορώ θέλω σας
en English*: the of and to in a is that for it on with as was at by this are be from i you my how
  what do can not have we
eo Esperanto*: la de en kaj estas al por kun ne ke el sur per oni kiu pri ĝi li estis mi vi kiel
  kio kie mia povas
es Spanish*: de la que el en y a los se del las un por con no una su para es al lo yo mi cómo qué
  dónde puedo cuál tengo
et Estonian*: ja on ei et kui see ka oli või mis aga oma ning selle ta kes pole ma kuidas kus mu
  saan minu
eu Basque*: eta da ez du bat zen dira ere izan hau baina bere edo den dute zuen nik nola zer non
  nire dezaket
fa Persian*: و در به از که این را با است برای آن یک می تا شود بر شد های من چه چگونه کجا شما چی
  میتوانم
fi Finnish*: ja on ei että se hän oli mutta ovat myös kun tai joka niin jos kuin mitä minä miten
  mikä missä voin minun olen voiko
fr French*: de la le et les des en un du une que est pour qui dans par au sur il pas je vous mon
  comment quel où ne ma mes puis
ga Irish*: an na agus ar a i is go le do ag sé bhí tá ní faoi ó sa mé conas cad cá mo
gl Galician: de a o que e do da en un unha os para non no na con se as polo é eu como onde meu
  podo
he Hebrew: של את על לא הוא עם זה היא כי גם או אם אני כל מה יש אל בין הם איך איפה שלי למה מתי
hi Hindi*: के में है की और से का को पर यह हैं कि एक ने लिए भी नहीं क्या था मैं मेरा मेरे कैसे कहाँ
  क्यों हूँ
hu Hungarian*: a az és hogy nem is egy ez volt meg van csak de ha vagy már mint el én hogyan mi
  hol mit kell lehet
hy Armenian*: և է մեջ որ են ի այս մի համար եւ չի ու էր հետ թե բայց ես ինչպես ինչ որտեղ իմ
id Indonesian*: yang dan di untuk dengan dari ini pada tidak itu dalam adalah ke akan atau dapat
  saya bagaimana apa bisa anda mana
is Icelandic: og að í á er sem til við um með en ekki var það hann fyrir af eru ég hvernig hvað
  hvar minn
it Italian*: di e che la il un a per in è una non del sono si della le da con i io mi come dove
  cosa posso mio ho mia
lt Lithuanian*: ir į kad yra su iš o tai buvo kaip bet apie ar po už nuo jo aš kur mano galiu kas
lv Latvian: un ir ar no uz par kas ka bet vai pēc tas kā to arī nav bija pie es kur mans varu
mk Macedonian: на и во да се за од е со не што тоа ги ќе како по или јас каде мој дали зошто
mr Marathi: आणि आहे या व ते तो हे की मध्ये आहेत नाही एक होते काय साठी पण मी माझे कसे कुठे
ne Nepali*: र छ को मा यो पनि हो छन् गर्न भएको लागि एक के तर भने म मेरो कसरी कहाँ
nl Dutch*: de van een het en in is dat op te zijn met voor niet die aan er om ook bij ik je hoe
  wat waar kan mijn u we
no Norwegian*: og i det er en av til på som den for med ikke de har et fra kan å ble jeg du
  hvordan hva hvor min mitt
pl Polish*: w i na z się do nie jest to że o jak za po od dla są przez czy ja co gdzie mogę mój
  mam mi
pt Portuguese*: de que o a e do da em um para com não uma os no na se por as dos é eu meu como
  onde posso minha qual tenho
ro Romanian*: de și în a la cu pe o care este un din să nu că pentru se sunt mai ce eu cum unde
  pot meu am mea
ru Russian*: и в не на что с по это как а к из у для за от но так его или я мой мне мы где можно
  ли почему
sk Slovak: a v sa na je že s z do o k aj to pre ako po by sú ktoré vo ja mi čo kde môžem mám
sl Slovene: in je v na da se za ki so z s pa kot od po bi tudi ali ne jaz kako kaj kje lahko moj
sr Serbian*: и у је да се на за од са су не као који из i u je da se na za od sa su ne kao koji iz
  ја како шта где ja kako šta gde mogu moj
st Sesotho*: ba ho ka le ea oa ke e tse ha se hore sa tsa la mo ne joang eng kae
sv Swedish*: och i att det som en på är av för med till den har de inte om ett var jag du hur vad
  min mitt
sw Swahili: ya na wa kwa ni katika la za kuwa hii cha yake au huo pia watu hiyo mimi vipi nini
  wapi yangu
ta Tamil*: மற்றும் ஒரு இந்த என்று அந்த இது என்ன அவர் என உள்ள வேண்டும் போன்ற நான் எப்படி எங்கே என்
tl Tagalog: ang ng sa na mga ay at si kung para hindi ito ni may isang ako paano ano saan ko
tr Turkish*: ve bir bu da de için ile ne çok daha olarak mi olan gibi var nasıl ben nerede benim
  mı mu neden
uk Ukrainian: і в у на що не з до та як за це для від його є або але я мій мені де чому можна
ur Urdu: کے میں ہے کی اور سے کا کو پر یہ ہیں کہ ایک نے لیے بھی نہیں کیا میرا کیسے کہاں
vi Vietnamese: và của là có cho không các trong được một với này đã khi người những tôi làm sao
  thế nào ở đâu
yi Yiddish*: די און איז פֿון דער אין מיט צו דאָס נישט אַ זיך אויף זײַן איך װי װאָס װוּ"""
"""Code, name, `*` where Snowball stems it: its commonest function words."""


def _read(line: str) -> Language:
    head, _, words = line.partition(": ")
    name = head[3:].rstrip("*")
    stemmer = name.lower() if head.endswith("*") else ""
    return Language(name, frozenset(comparable(words).split()), stemmer)


LANGUAGES = {line[:2]: _read(line) for line in _TABLE.replace("\n  ", " ").splitlines()}
"""ISO 639-1 code -> language; those that Snowball stems, and their neighbours."""


@lru_cache(maxsize=1)
def _languages_of() -> dict[str, tuple[str, ...]]:
    """Return function word -> codes of the languages that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for code, language in LANGUAGES.items():
        for word in language.words:
            found[word] = (*found.get(word, ()), code)
    return found


def language_of(texts: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of the language that texts are in; None where it is not clear.

    Args:
        texts: the first `TEXTS_READ` of them are read.
    """
    languages, hits, total = _languages_of(), Counter[str](), 0
    for text in islice(texts, TEXTS_READ):
        words = _WORD.findall(comparable(text))
        total += len(words)
        for word in words:
            hits.update(languages.get(word, ()))
    first, second = [*hits.most_common(2), ("", 0), ("", 0)][:2]
    clear = first[1] >= max(LEAST_HITS, LEAST_SHARE * total, LEAD * second[1])
    return first[0] if clear else None


def nearest_language(text: str) -> str:
    """Return a text's script and, where function words tell more for one than for others, language.

    For shares of many texts only: of a short one it is a guess.
    """
    letters = _LETTER.findall(text)
    if not letters:
        return "no letters"
    script = Counter(_script(letter) for letter in letters[:SIGNS_READ]).most_common(1)[0][0]
    languages, hits = _languages_of(), Counter[str]()
    for word in _WORD.findall(comparable(text)):
        hits.update(languages.get(word, ()))
    first, second = [*hits.most_common(2), ("", 0), ("", 0)][:2]
    return f"{script} {first[0]}".strip() if first[1] > second[1] else script


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """Return a letter's script as Unicode names it, e.g. LATIN, CYRILLIC, CJK."""
    return unicodedata.name(letter, "UNKNOWN").split()[0]


def has_stems(language: str | None) -> bool:
    """Tell whether the words of a language, an ISO 639-1 code, are searched by their stems."""
    return bool(language and language in LANGUAGES and LANGUAGES[language].stemmer)


def stemmer_of(language: str | None) -> Callable[[str], str]:
    """Return a function word -> stem; words as they are where the language has no stemmer."""
    if not language or not has_stems(language):
        return str
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer(LANGUAGES[language].stemmer).stemWord
    return stem


def in_words(language: str | None) -> str:
    """Say what a search by words goes by, e.g. "German stems"."""
    if language and has_stems(language):
        return f"{LANGUAGES[language].name} stems"
    if language in (None, NO_LANGUAGE):
        return "words as they are, without stems"
    known = LANGUAGES.get(str(language))
    return f"words as they are: there are no stems for {known.name if known else language}"
