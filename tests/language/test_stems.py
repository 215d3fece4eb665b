"""The language of texts, and the stems of their words."""

from __future__ import annotations

import pytest
import Stemmer

from ladder.language.stems import LANGUAGES, has_stems, in_words, language_of, stemmer_of

SAID = {
    "ar": (
        "يجب أن تبقى الكلاب على رباط في العبارة. لا يسمح بالتدخين على متن العبارة، هذا ما"
        " كان من أمر. هل كل هذا في التذكرة؟"
    ),
    "da": (
        "Færgen går klokken ni. Det er ikke tilladt at ryge, og der er en kantine til dem"
        " der har penge af."
    ),
    "de": (
        "Die Fähre verlässt den Hafen um neun. Das ist nicht teuer und wird von dem "
        "Kunden im Hafen bezahlt."
    ),
    "el": (
        "Το πλοίο φεύγει από το λιμάνι στις εννέα. Ο σκύλος δεν πληρώνει και είναι με το "
        "λουρί για την ασφάλεια."
    ),
    "en": (
        "The ferry leaves the harbour at nine in the morning. Dogs must be kept on a lead on deck."
    ),
    "es": (
        "El ferry sale del puerto a las nueve de la mañana. Los perros deben ir con "
        "correa en la cubierta."
    ),
    "fi": (
        "Lautta lähtee kello yhdeksän ja se on myöhässä. Tämä ei ole totta, mutta he ovat"
        " kannella kun niin on."
    ),
    "fr": (
        "Le ferry quitte le port à neuf heures. Les chiens sont en laisse sur le pont et "
        "dans la cafétéria du port."
    ),
    "hi": ("नौका बंदरगाह से नौ बजे निकलती है। कुत्तों को पट्टे पर रखना है और यह सभी के लिए है।"),
    "it": (
        "Il traghetto lascia il porto alle nove del mattino. La mensa è di fronte e non "
        "si paga per i cani."
    ),
    "nl": (
        "De veerboot verlaat de haven om negen uur. Het is niet toegestaan om aan dek met"
        " een hond te staan."
    ),
    "pt": (
        "O ferry sai do porto às nove da manhã. Os cães não podem ficar em uma cabine e a"
        " multa é para os donos."
    ),
    "ru": (
        "Паром выходит из порта в девять утра. Собаки не на поводке, и это по правилам "
        "для всех на борту."
    ),
    "sv": (
        "Färjan lämnar hamnen klockan nio. Det är inte tillåtet att röka och det finns en"
        " kafé för den som har tid."
    ),
    "tr": (
        "Feribot dokuzda ayrılır ve bu bir gemi için çok iyi. Ne daha iyi olan bir yol "
        "var, ne de köpek için yer."
    ),
    "uk": (
        "Пором виходить з порту о дев'ятій. Це не дорого і для всіх на борту є їдальня. "
        "Як його купити та за що це?"
    ),
    "vi": (
        "Phà rời cảng lúc chín giờ và chó không được ở trong cabin. Các vé của người lớn "
        "là một giá, đã có trẻ em này."
    ),
}


@pytest.mark.parametrize("code", sorted(SAID))
def test_running_text_tells_its_language(code: str) -> None:
    assert language_of([SAID[code]]) == code
    assert language_of(SAID[code].split(". ")) == code


@pytest.mark.parametrize(
    ("code", "questions"),
    [
        ("de", "Wie kann ich mein Passwort ändern? Wo ist meine Rechnung? Was kostet der Versand?"),
        ("en", "How do I reset my password? Where can I find my invoice? What does it cost?"),
        (
            "fr",
            "Comment changer mon mot de passe ? Où est ma facture ? Quel est le prix ? Je ne sais",
        ),
        ("ru", "Как мне сбросить пароль? Где мой счёт? Можно ли отменить договор? Почему не я?"),
        ("tr", "Şifremi nasıl sıfırlarım? Faturam nerede ve ne kadar? Bu bir ücret mi? Neden çok?"),
    ],
)
def test_so_do_questions(code: str, questions: str) -> None:
    assert language_of(questions.split("? ")) == code


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["red apple", "blue card"],
        ["关于秋岁收公司"],
        ["ที่นี่มีอาหาร"],
        ["1 2 3"],
        [SAID["de"], SAID["fr"]],
    ],
)
def test_what_does_not_tell_has_no_language(texts: list[str]) -> None:
    assert language_of(texts) is None


def test_stems_are_those_of_the_language() -> None:
    assert stemmer_of("de")("fähren") == stemmer_of("de")("fähre")
    assert stemmer_of("en")("refunded") == stemmer_of("en")("refunds")
    assert stemmer_of("ru")("собаки") == stemmer_of("ru")("собака")
    for none in (None, "none", "zh", "uk"):
        assert stemmer_of(none)("refunds") == "refunds"
        assert not has_stems(none)


def test_every_stemmer_is_there_and_every_language_is_said() -> None:
    names = {language.stemmer for language in LANGUAGES.values()} - {""}
    assert names == set(Stemmer.algorithms()) - {"porter", "dutch_porter"}
    assert in_words("de") == "German stems"
    assert "no stems for Ukrainian" in in_words("uk")
    assert "no stems for zh" in in_words("zh")
    assert in_words(None) == in_words("none") == "words as they are, without stems"
