"""Bounds and estimates of tokens, against the tokenizers that are at hand."""

from __future__ import annotations

import base64
import random
import string
from pathlib import Path

import pytest

from ladder.engines.bundled import bundled_folder
from ladder.language.tokens import likely_tokens, most_tokens

LUCK = random.Random(0)
TEXTS = {
    "English": "The ferry leaves the harbour at nine in the morning, and refunds are issued.",
    "German": "Die Straßenbahnhaltestelle wird wegen Überschwemmung voraussichtlich gesperrt.",
    "Chinese": "秋岁收的仓库位于北京，联系电话为73772520，每周一至周五营业。",
    "rare Han": "龘靐齉爩麤灪龖厵滟",
    "Japanese": "東京タワーは1958年に完成した電波塔で、観光名所としても知られています。",
    "Korean": "안녕하세요 반갑습니다",
    "Thai": "สวัสดีครับ ที่นี่มีอาหารอร่อยมากมาย",
    "Khmer": "ភ្នំពេញគឺជារាជធានី",
    "Arabic": "مرحبا، كيف حالك اليوم؟",
    "Hindi": "नमस्ते दुनिया। आप कैसे हैं?",
    "Vietnamese": "Tôi không hiểu những người này",
    "Finnish": "lentokonesuihkuturbiinimoottoriapumekaanikkoaliupseerioppilas",
    "Swahili": "Ninakupenda sana rafiki yangu mpendwa, karibu nyumbani kwetu",
    "Hawaiian": "Humuhumunukunukuapuaa",
    "emoji": "🥰❤️😀👨‍👩‍👧🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "code": "def f(x):\n    return {k: v**2 for k, v in x.items() if k != '__a__'}\n",
    "digits": "12345678901234567890",
    "base64": base64.b64encode(LUCK.randbytes(300)).decode(),
    "spaces": "a    b\n\n\n\tc  ",
    "capitals": "TERMS AND CONDITIONS APPLY XQZ",
    "letters": " ".join("".join(LUCK.choices(string.ascii_lowercase, k=12)) for _ in range(200)),
    "consonants": "".join(LUCK.choices("bcdfghjklmnpqrstvwxz", k=400)),
    "no character": "\ud800",
    "nothing": "",
}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_has_more_tokens_than_the_bound(name: str) -> None:
    from tokenizers import Tokenizer

    text = TEXTS[name].encode(errors="replace").decode()
    for folder in tokenizers():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        counted = len(tokenizer.encode(text, add_special_tokens=False).ids)
        assert counted <= most_tokens(TEXTS[name]), folder.name


def tokenizers() -> list[Path]:
    return [bundled_folder("smollm2-135m"), bundled_folder("all-minilm-l6-v2")]


def test_the_bound_of_prose_is_not_far_off() -> None:
    assert most_tokens(TEXTS["English"]) <= 4 * likely_tokens(TEXTS["English"])


def test_a_price_takes_a_quarter_of_the_bytes() -> None:
    assert [likely_tokens(text) for text in ("", "a", "1234", "12345")] == [0, 1, 1, 2]
    assert likely_tokens("北京上海") == 3
