"""Inputs of the kinds that went wrong for other tools: files, columns, labels, numbers, words.

Each is read, checked or scored as a user would have it, and has the outcome that was decided
before it was tried.
"""

from __future__ import annotations

import csv
import io
import json
import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ladder.commands.check import check_task
from ladder.errors import LadderError
from ladder.language.numbers import last_number
from ladder.retrieval.search import make_index
from ladder.scorers import SCORERS

Row = dict[str, object]
WANTS = {
    "refund": "money for the lamp is wanted back",
    "delivery": "the parcel is lost somewhere",
    "login": "the password fails again",
}
TASK = """name: t
goal: {goal}
data: {{train: train.{ext}, test: test.{ext}{columns}}}
answer: {answer}
score: {score}
models: {{base: "openai:m@http://127.0.0.1:9/v1"}}
gate: {{min_score: 0.8, when_undecided: lean}}
"""


def rows_of(part: str, count: int = 30) -> list[Row]:
    drawn = random.Random(part)
    pairs = "bcdfghjklmnprstvw", "aeiou"
    word = lambda: "".join(drawn.choice(pairs[at % 2]) for at in range(6))  # noqa: E731
    labels = list(WANTS)
    return [
        {
            "input": f"{WANTS[labels[at % 3]]} {' '.join(word() for _ in range(6))}",
            "target": labels[at % 3],
        }
        for at in range(count)
    ]


def as_lines(path: Path, rows: Sequence[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def csv_of(rows: Sequence[Row], mark: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=mark, lineterminator="\n")
    writer.writerows([list(rows[0]), *(list(row.values()) for row in rows)])
    return out.getvalue()


def as_csv(change: Callable[[str], str] = str, encoding: str = "utf-8", mark: str = ","):
    def write(path: Path, rows: Sequence[Row]) -> None:
        path.write_bytes(change(csv_of(rows, mark)).encode(encoding))

    return write


def as_parquet(column: Callable[[list[Row]], dict[str, pa.Array]]):
    def write(path: Path, rows: Sequence[Row]) -> None:
        made = {"input": pa.array([row["input"] for row in rows]), **column(list(rows))}
        pq.write_table(pa.table(made), path)

    return write


def checked(
    folder: Path,
    change: Callable[[Row, int], Row] = lambda row, at: row,
    write: Callable[[Path, Sequence[Row]], None] = as_lines,
    ext: str = "jsonl",
    **task: str,
) -> str:
    """Return what `ladder check` says of a task, or its mistakes."""
    for part in ("train", "test"):
        rows = [change(dict(row), at) for at, row in enumerate(rows_of(part))]
        write(folder / f"{part}.{ext}", rows)
    values = {"answer": "{type: label}", "score": "exact_match", "columns": "", "goal": "Name it."}
    (folder / "task.yaml").write_text(TASK.format(ext=ext, **{**values, **task}), encoding="utf-8")
    return said_of(folder / "task.yaml")


def said_of(task: Path) -> str:
    try:
        return "\n".join(check_task(task, None))
    except LadderError as error:
        return f"MISTAKE {error}"


# Files ------------------------------------------------------------------------------------------

ACCENTS = lambda row, at: {**row, "input": f"{row['input']} né à Köln"}  # noqa: E731
JAPANESE = lambda row, at: {**row, "input": f"{row['input']}返金してください"}  # noqa: E731


@pytest.mark.parametrize(
    ("ext", "write"),
    [
        ("TSV", as_csv(mark="\t")),
        ("csv", as_csv(mark=";")),
        ("csv", as_csv(lambda text: "sep=;\r\n" + text.replace("\n", "\r\n"), "utf-8-sig", ";")),
        ("tsv", as_csv(encoding="utf-16", mark="\t")),
        ("csv", as_csv(lambda text: text.replace("\n", ",\n"))),
        ("csv", as_csv(lambda text: text.replace("\n", ",\n").replace(",\n", "\n", 1))),
        ("csv", as_csv(lambda text: text.replace("\n", "\r"))),
        ("NdJson", as_lines),
    ],
    ids=["TSV", "semicolons", "sep", "utf16", "empty column", "empty cells", "mac", "suffix"],
)
def test_a_file_as_spreadsheets_write_it_is_read(tmp_path, ext, write):
    assert "no mistake found" in checked(tmp_path, ACCENTS, write, ext)


def test_line_separators_of_unicode_end_no_row(tmp_path):
    said = checked(tmp_path, lambda row, at: {**row, "input": f"{row['input']} a\u2028b\x85c\x0cd"})
    assert "no mistake found" in said


@pytest.mark.parametrize(
    ("encoding", "change", "named"),
    [
        ("cp1252", ACCENTS, "it looks like Windows-1252"),
        ("shift_jis", JAPANESE, "an older encoding"),
        ("gb18030", JAPANESE, "an older encoding"),
    ],
)
def test_an_older_encoding_is_named(tmp_path, encoding, change, named):
    said = checked(tmp_path, change, as_csv(encoding=encoding), "csv")
    assert said.startswith("MISTAKE")
    assert named in said
    assert "only this place is broken" not in said


def test_a_quote_that_is_not_closed_is_named_by_its_line(tmp_path):
    def write(path: Path, rows: Sequence[Row]) -> None:
        quoted = [
            ('"' * (at == 3)) + f"{row['input']}\t{row['target']}" for at, row in enumerate(rows)
        ]
        path.write_text("\n".join(["input\ttarget", *quoted]))

    assert "a quote that opens in line 5" in checked(tmp_path, write=write, ext="tsv")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (lambda rows: {"version": "1", "data": rows}, "jq '.data'"),
        (lambda rows: {key: [row[key] for row in rows] for key in rows[0]}, "records"),
        (
            lambda rows: {
                key: {str(at): row[key] for at, row in enumerate(rows)} for key in rows[0]
            },
            "records",
        ),
    ],
    ids=["envelope", "lists", "pandas"],
)
def test_a_table_in_one_object_is_told(tmp_path, made, named):
    said = checked(
        tmp_path, write=lambda path, rows: path.write_text(json.dumps(made(rows))), ext="json"
    )
    assert said.startswith("MISTAKE")
    assert named in said


@pytest.mark.parametrize("label", ["NA", "None", "null", "nan", "#N/A", "-"])
@pytest.mark.parametrize(("ext", "write"), [("csv", as_csv()), ("jsonl", as_lines)])
def test_a_label_that_pandas_takes_for_missing_stays(tmp_path, label, ext, write):
    odd = lambda row, at: {**row, "target": label if at % 2 else row["target"]}  # noqa: E731
    assert f"-> {label}" in checked(tmp_path, odd, write, ext)


# Typed columns ----------------------------------------------------------------------------------


def names_of(rows: Sequence[Row]) -> list[object]:
    return [row["target"] for row in rows]


@pytest.mark.parametrize(
    "column",
    [
        lambda rows: pa.array(names_of(rows)).dictionary_encode(),
        lambda rows: pa.array(names_of(rows)).cast(pa.large_binary()),
        lambda rows: pa.array([[name.encode()] for name in names_of(rows)]),
        lambda rows: pa.array([name.encode() for name in names_of(rows)]).dictionary_encode(),
    ],
    ids=["categories", "large bytes", "lists of bytes", "categories of bytes"],
)
def test_labels_are_texts_whatever_parquet_holds_them_as(tmp_path, column):
    write = as_parquet(lambda rows: {"target": column(rows)})
    assert "-> login" in checked(tmp_path, write=write, ext="parquet")


@pytest.mark.parametrize(
    ("column", "shown", "answer"),
    [
        (lambda at: [1.1 + at], pa.list_(pa.float32(), 1), ("7.1", "number")),
        (lambda at: [("k", str(at))], pa.map_(pa.string(), pa.string()), ('{"k": "7"}', "json")),
        (lambda at: 90 + at, pa.duration("s"), ("PT97S", "text")),
    ],
    ids=["short floats", "map", "duration"],
)
def test_values_keep_their_meaning(tmp_path, column, shown, answer):
    from ladder.samples.reading import read_rows
    from ladder.task import load_task

    text, kind = answer
    scores = {"number": "number", "json": "json_fields", "text": "exact_match"}
    write = as_parquet(
        lambda rows: {"target": pa.array([column(at) for at in range(len(rows))], shown)}
    )
    checked(tmp_path, write=write, ext="parquet", answer=f"{{type: {kind}}}", score=scores[kind])
    assert read_rows(load_task(tmp_path / "task.yaml")).train[6 + (kind != "number")].target in (
        text,
        text.replace("7", "6", 1),
    )


@pytest.mark.parametrize("value", [None, "", " \u00a0", "\u200b", "\ufeff\u2060", float("nan"), []])
@pytest.mark.parametrize("column", ["input", "target"])
def test_a_value_in_which_nothing_is_seen_is_missing(tmp_path, value, column):
    odd = lambda row, at: {**row, column: value} if at == 2 else row  # noqa: E731
    said = checked(tmp_path, odd)
    if column == "target" or value != []:
        assert f"train.jsonl:3: {column}: got an empty value" in said


@pytest.mark.parametrize("kind", ["label", "number"])
def test_an_object_is_neither_a_label_nor_a_number(tmp_path, kind):
    score = {"label": "exact_match", "number": "number"}[kind]
    held = lambda row, at: {**row, "target": {"value": row["target"]}}  # noqa: E731
    said = checked(tmp_path, held, answer=f"{{type: {kind}}}", score=score)
    assert said.startswith("MISTAKE")
    assert 'an object, `{"value"' in said


def test_an_object_among_texts_is_warned_of(tmp_path):
    held = lambda row, at: {**row, "target": {"value": row["target"], "aliases": ["y"]}}  # noqa: E731
    assert "are the text of an object" in checked(tmp_path, held, answer="{type: text}")


@pytest.mark.parametrize(
    "written",
    [
        "['{}' 'b']",
        "['{}'\n 'b']",
        "('{}', 'b')",
        '["{}", "b"]',
        "array(['{}', 'b'], dtype=object)",
        "{{'text': ['{}', 'b'], 'answer_start': [1, 2]}}",
        "{{'text': array(['{}', 'b'], dtype=object), 'answer_start': array([1, 2])}}",
    ],
)
def test_several_answers_as_exporters_write_them_into_csv(tmp_path, written):
    held = lambda row, at: {"input": row["input"], "targets": written.format(row["target"])}  # noqa: E731
    assert "-> login | b" in checked(tmp_path, held, as_csv(), "csv", answer="{type: text}")
    held = lambda row, at: {"input": row["input"], "target": written.format(row["target"])}  # noqa: E731
    assert "60 targets are " in checked(tmp_path, held, as_csv(), "csv", answer="{type: text}")


# Columns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sentence1", "sentence2"),
        ("question_a", "question_b"),
        ("title", "body"),
        ("text", "Context"),
    ],
)
def test_a_part_of_the_input_is_not_lost_in_silence(tmp_path, first, second):
    held = lambda row, at: {first: row["input"], second: "it rains", "label": row["target"]}  # noqa: E731
    said = checked(tmp_path, held, columns=f", columns: {{input: {first}, target: label}}")
    assert f"the column `{second}` is not read, so no model sees it" in said


def test_a_misspelt_column_of_the_task_is_answered_with_the_nearest(tmp_path):
    held = lambda row, at: {"Text": row["input"], "label": row["target"]}  # noqa: E731
    said = checked(tmp_path, held, columns=", columns: {input: text, target: label}")
    assert "Did you mean data: {columns: {input: Text}}?" in said


# The task file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        "[on, off]",
        "[NO, SE]",
        "[1:30, 2:45]",
        "[010, 020]",
        "[1_000, 2_000]",
        "[1.10, 1.20]",
        "[~, x]",
        "[2024-01-01, 2024-02-01]",
        "[0x10, 0x20]",
        "[+1, -1]",
    ],
)
def test_labels_that_yaml_reads_as_something_else_are_to_be_quoted(tmp_path, labels):
    said = checked(tmp_path, answer=f"{{type: label, labels: {labels}}}")
    assert "Write each in quotes" in said


@pytest.mark.parametrize(
    "goal", ["Answer: yes or no", '"Name" it', "@bot answers", "`x` is", "*Answer* it", "{name} it"]
)
def test_a_goal_with_signs_of_yaml_is_to_be_quoted(tmp_path, goal):
    said = checked(tmp_path, goal=goal)
    assert "task.yaml:2: " in said
    assert "in quotes" in said


@pytest.mark.parametrize(
    ("score", "named"),
    [("80%", "0.8"), ("'0,8'", "0.8"), ("80", "0.8"), ("yes", "a share"), ("eighty", "a share")],
)
def test_a_share_is_a_number(tmp_path, score, named):
    checked(tmp_path)
    task = tmp_path / "task.yaml"
    task.write_text(task.read_text().replace("min_score: 0.8", f"min_score: {score}"))
    assert said_of(task).startswith("MISTAKE")
    assert named in said_of(task)


def test_a_tolerance_is_read_as_people_write_it():
    assert SCORERS["number"](tolerance="1e-3")("1000.5", "1000").value == 1
    for wrong in ("5%", True, -1):
        with pytest.raises(ValueError, match="tolerance"):
            SCORERS["number"](tolerance=wrong)


@pytest.mark.parametrize(
    ("listed", "written", "named"),
    [
        ("“yes”", "yes", "Did you mean `“yes”`"),
        ("card\u00a0payment", "card payment", r"card\xa0payment"),
        ("Yes", "yes", "Did you mean `Yes`"),
        ("e\u0301t\u00e9", "\u00e9te\u0301", "no mistake found"),
    ],
)
def test_a_label_that_is_nearly_one_of_the_list_is_named(tmp_path, listed, written, named):
    held = lambda row, at: {**row, "target": written if at % 2 else "b"}  # noqa: E731
    assert named in checked(tmp_path, held, answer=f"{{type: label, labels: ['{listed}', b]}}")


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1’234.50", 1234.5), ("1\u202f234,50 €", 1234.5), ("R$ 1.234,56", 1234.56),
        ("12,34,567.89", 1234567.89),
        ("１，２３４．５", 1234.5), ("٣٫٥", 3.5), ("৩.৫", 3.5), ("๑๒๓", 123),
        ("−$1,234.50", -1234.5), ("€ -5", -5),
        ("10^6", 1e6), ("10³", 1e3), ("10⁻³", 1e-3), ("5 × 10^{-3}", 5e-3), ("1.2*10**3", 1200),
        ("1,2E+03", 1200),
        ("1.2 \\times 10^{3}", 1200), ("12 m2", 12), ("15 kg CO2", 15), ("5 kg/m3", 5),
        ("3 cm^2", 3),
        ("9.81 m/s^2", 9.81), ("9.81 m·s⁻²", 9.81), ("7 (see Q3)", 7), ("12 m**2", 12),
        ("CO2: 7", 7), ("R150", 150),
        ("Q3", 3), ("1_000", 1000), ("1{,}234", 1234), ("$1{,}234.5$", 1234.5), ("1\\,234", 1234),
        ("3{,}5", 3.5),
        ("\\frac{3}{4}", 0.75), ("-\\frac{1}{2}", -0.5), ("2\\frac{1}{2}", 2.5),
        ("\\boxed{\\dfrac{3}{4}}", 0.75),
        ("\\boxed{42}", 42), ("42\\%", 42), ("5,– €", 5), ("CHF 5’000.–", 5000), ("Rs.5", 5),
        ("共12个", 12),
        ("between 5 and 10", 10), ("2⅓", 2 + 1 / 3), ("2024/05/01", None), ("10:30", None),
        ("5-3", 3),
    ],
)  # fmt: skip
def test_a_number_as_people_and_models_write_it(text, value):
    assert last_number(text) == (value if value is None else pytest.approx(value))


# Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("दिल्ली।", "दिल्ली"), ("አዲስ፡አበባ።", "አዲስ አበባ"), ("نعم، لا؟", "نعم لا"), ("ہاں۔", "ہاں"),
        ("Այո։", "Այո"),
        ("¿Qué?", "qué"), ("„Berlin“", "berlin"), ("בית־ספר", "בית-ספר"), ("don’t", "don't"),
        ("it´s", "it's"),
        ("Hawaiʻi", "Hawai'i"), ("oʻzbek", "o‘zbek"), ("м’яч", "мʼяч"), ("ｶﾞﾝﾀﾞﾑ", "ガンダム"),
        ("２０２４年", "2024年"),
        ("使用Python编程", "使用 Python 编程"), ("约翰·史密斯", "约翰史密斯"),
        ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"),
        ("می‌خواهم", "میخواهم"), ("❤️", "❤"), ("ᲗᲑᲘᲚᲘᲡᲘ", "თბილისი"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_answer(one, other):
    for name in ("token_f1", "contains"):
        assert SCORERS[name]()(one, other).value == SCORERS[name]()(other, one).value == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"), ("1,5", "15"), ("10:30", "1030"), ("3/4", "34"), ("−5", "5"),
        ("C#", "C++"), ("10³", "103"),
        ("½", "12"), ("v1.2", "v12"), ("🇩🇪", "🇫🇷"), ("1️⃣", "2️⃣"), ("✓", "✗"), ("A+", "A-"),
        ("काम", "कम"),
        ("٣٫٥", "35"), ("2–1", "21"), ("☐", "☑"), ("★★★☆☆", "★★★★☆"),
    ],
)  # fmt: skip
def test_two_answers_are_two(one, other):
    for name in ("token_f1", "contains"):
        assert SCORERS[name]()(one, other).value < 1
        assert SCORERS[name]()(one, one).value == 1


@pytest.mark.parametrize(
    ("answer", "target", "found"),
    [
        ("Answer:Paris", "Paris", 1), ("label=refund", "refund", 1), ("<b>Paris</b>", "Paris", 1),
        ("\\boxed{B}", "B", 1),
        ("Ответ:Москва.", "Москва", 1), ("الجواب:نعم.", "نعم", 1),
        ('{"label":"refund"}', "refund", 1), ("x=5", "5", 1),
        ("Paris,London", "Paris", 1), ("选B", "B", 1), ("서울입니다", "서울", 1),
        ("ประเทศไทย", "ไทย", 1), ("東京都", "東京", 1),
        ("not", "no", 0), ("1.5", "5", 0), ("5,000", "5", 0), ("10:30", "30", 0), ("-5", "5", 0),
        ("no-one", "no", 0),
        ("don't", "t", 0), ("not_refund", "refund", 0), ("C++", "C", 0), ("राम", "र", 0),
        ("A+", "A", 0),
    ],
)  # fmt: skip
def test_what_an_answer_contains(answer, target, found):
    assert SCORERS["contains"]()(answer, target).value == found


# Search -----------------------------------------------------------------------------------------

BARE = lambda text: "".join(  # noqa: E731
    sign for sign in unicodedata.normalize("NFD", text.upper()) if not unicodedata.combining(sign)
)


@pytest.mark.parametrize(
    ("document", "question", "names", "typed"),
    [
        ("ร้าน{}อยู่ที่ถนนนี้", "ร้าน{}อยู่ที่ไหน", ["กาแฟ", "ดอกไม้", "หนังสือ"], str),
        ("ຮ້ານ{}ຢູ່ຖະໜົນນີ້", "ຮ້ານ{}ຢູ່ໃສ", ["ກາເຟ", "ດອກໄມ້", "ເກີບ"], str),
        ("ហាង{}នៅផ្លូវនេះ", "ហាង{}នៅឯណា", ["កាហ្វេ", "ផ្កា", "សៀវភៅ"], str),
        ("{}ဆိုင်သည်ဤလမ်းတွင်", "{}ဆိုင်ဘယ်မှာလဲ", ["ကော်ဖီ", "ပန်း", "စာအုပ်"], str),
        ("{}가게는 이 거리에 있습니다", "{} 가게는 어디인가요", ["커피", "꽃", "책"], str),
        ("ཚོང་ཁང་{}་ནི", "{}་ག་པར", ["ཇ", "མེ་ཏོག", "ལྷམ"], str),
        ("κατάστημα {}", "ΠΟΥ {}", ["Αθήνα", "Πάτρα", "Βόλος"], BARE),
        (
            "متجر {} هنا",
            "أين {}؟",
            ["أحمد", "إبراهيم", "ليلى"],
            lambda n: n.translate(str.maketrans("أإى", "ااي")),
        ),
        (
            "فروشگاه {} اینجا",
            "{} کجاست",
            ["کتاب", "گل", "چای"],
            lambda n: n.replace("ک", "ك").replace("ی", "ي"),
        ),
        (
            "{} mağazası",
            "{} nerede",
            ["Iğdır", "İzmir", "Şırnak"],
            lambda n: n.replace("I", "ı").replace("İ", "i"),
        ),
        ("the {} compiler", "a {} compiler", ["C", "C++", "C#"], str),
        ("feeling {} today", "who felt {}", ["😀", "😡", "🇩🇪"], str),
    ],
)
def test_a_search_finds_the_name_as_it_is_typed(document, question, names, typed):
    index = make_index([document.format(name) for name in names])
    for place, name in enumerate(names):
        found = index.search([question.format(typed(name))], 2)[0]
        assert found[0][0] == place
        assert found[0][1] > found[1][1]


# Near-duplicates --------------------------------------------------------------------------------

HAN = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜"
HANGUL = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허"
EMOJI = "😀😁😂🤣😃😄😅😆😉😊😋😎😍😘🥰😗😙😚🙂🤗🤩🤔🤨😐😑😶🙄😏😣😥😮🤐😯😪😫🥱😴😌😛😜"
NAMES = [
    f"{a}{b}{c}"
    for a in ("Bel", "Dor", "Kam", "Lus", "Mir", "Nat")
    for b in ("ani", "ero", "oli")
    for c in ("va", "ston", "kin", "ard", "une", "ix")
]


def drawn(*answers: str) -> Callable[[int], str]:
    return lambda at: answers[random.Random(at).randrange(len(answers))]


CITY = drawn("北京", "上海", "广州")
TEMPLATES: dict[str, Callable[[int], tuple[str, str]]] = {
    "chinese numbers": lambda at: (
        f"请将{at * 7 + 3}公里每小时换算成米每秒",
        f"{(at * 7 + 3) / 3.6:.1f}",
    ),
    "chinese names": lambda at: (
        f"请问{HAN[at % 40]}{HAN[at * 7 % 41 % 40]}公司的仓库在哪里",
        CITY(at),
    ),
    "korean names": lambda at: (
        f"{HANGUL[at % 28]}{HANGUL[at // 28]}{HANGUL[at * 5 % 28]}회사의 본사는 어디에 있습니까",
        drawn("서울", "부산", "대구")(at),
    ),
    "emoji": lambda at: (
        f"The customer reacted with {EMOJI[at % 40]}{EMOJI[at * 7 % 39]} to our mail",
        CITY(at),
    ),
    "marks": lambda at: (
        f"{NAMES[at // 2]} is coming home now{'?' if at % 2 else '.'}",
        "ask" if at % 2 else "say",
    ),
    "capitals": lambda at: (
        f"Is this right: {NAMES[at // 2] if at % 2 else NAMES[at // 2].upper()} went to the shop",
        "yes" if at % 2 else "no",
    ),
    "operators": lambda at: (f"Compute {at % 9}{'+-*'[at % 3]}{at // 9} exactly", str(at)),
    "signs": lambda at: (
        f"Is the value {at - 60} positive or negative?",
        "positive" if at > 60 else "negative",
    ),
    "units": lambda at: (
        f"Convert {at // 4 + 1} {('km', 'm', 'cm', 'mm')[at % 4]} to inches",
        str(at),
    ),
    "currencies": lambda at: (f"How much tax is due on {'€$£'[at % 3]}{at // 3 * 10}?", str(at)),
    "arabic digits": lambda at: (
        f"حوّل {at * 7 + 3} كيلومترا إلى أميال".translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        str(at),
    ),
    "two words": lambda at: (
        f"Qui est {NAMES[at % 108]} {NAMES[at * 5 % 108]} et où habite-t-il ?",
        NAMES[at % 97],
    ),
}


@pytest.mark.parametrize("made", TEMPLATES.values(), ids=TEMPLATES)
def test_templated_rows_with_unlike_answers_stay(tmp_path, made):
    from ladder.progress import Quiet
    from ladder.samples.loading import load_data
    from ladder.task import load_task

    rows = [dict(zip(("input", "target"), made(at), strict=True)) for at in range(100)]
    random.Random(3).shuffle(rows)
    checked(tmp_path, answer="{type: text}")
    as_lines(tmp_path / "train.jsonl", rows[:50])
    as_lines(tmp_path / "test.jsonl", rows[50:])
    data = load_data(load_task(tmp_path / "task.yaml"), None, Quiet())
    kept = (*data.train, *data.dev, *data.gate, *data.sealed, *data.reserve)
    assert len(kept) >= 90
    assert not data.contradictions


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: f"Hello, {text}!!", lambda text: f"  {text} 🙂"]
)
def test_a_row_said_again_is_still_set_aside(tmp_path, change):
    rows = rows_of("train", 40)
    again = [{**row, "input": change(str(row["input"]))} for row in rows]
    checked(tmp_path)
    as_lines(tmp_path / "train.jsonl", rows)
    as_lines(tmp_path / "test.jsonl", [*again, *rows_of("test")])
    assert "40 held-out examples repeat training examples" in said_of(tmp_path / "task.yaml")


def test_rows_that_differ_in_a_number_are_listed_and_no_leak_is_denied(tmp_path):
    checked(tmp_path)
    timer = "please set the kitchen timer for {} minutes from now on"
    for part, minutes in (("train", 3), ("test", 5)):
        row = {"input": timer.format(minutes), "target": str(rows_of(part)[0]["target"])}
        as_lines(tmp_path / f"{part}.jsonl", [*rows_of(part, 40), row])
    said = said_of(tmp_path / "task.yaml")
    assert "1 held-out example differs from a training example in a number or a name only" in said
    assert "like a training example: " in said
    assert "no leak found" not in said


SAME_TEXT = "where is the café key for the door number 7 of my room"


@pytest.mark.parametrize(
    ("again", "first", "second", "kind", "named"),
    [
        (unicodedata.normalize("NFD", SAME_TEXT), "login", "refund", "label", True),
        (SAME_TEXT.replace("7", "７"), "login", "refund", "label", True),
        (SAME_TEXT.replace("7", "٧"), "login", "refund", "label", True),
        (SAME_TEXT.replace(" ", "\u00a0"), "login", "refund", "label", True),
        (SAME_TEXT, "5", "5,0", "number", False),
        (SAME_TEXT, "1,000", "1000", "number", False),
        (SAME_TEXT, ["a", "b"], ["b", "c"], "text", False),
        (SAME_TEXT, "It is in room 7.", "it is in room 7", "text", False),
        (SAME_TEXT, {"a": 1, "b": 2}, {"b": 2, "a": 1.0}, "json", False),
    ],
)
def test_rows_that_contradict_are_named(tmp_path, again, first, second, kind, named):
    odd = {0: (SAME_TEXT, first), 1: (again, second)}
    plain = {
        "label": lambda at: list(WANTS)[at % 3],
        "number": str,
        "text": str,
        "json": lambda at: {"n": at},
    }
    score = {"number": "number", "json": "json_fields"}.get(kind, "exact_match")
    made = lambda row, at: {**row, "target": plain[kind](at)}  # noqa: E731
    checked(tmp_path, made, answer=f"{{type: {kind}}}", score=score)
    rows = [made(row, at) for at, row in enumerate(rows_of("train"))]
    for at, (text, target) in odd.items():
        rows[at] = {"input": text, "target": target}
    as_lines(tmp_path / "train.jsonl", rows)
    assert (
        "contradicts an earlier row: train-2 ~ train-1" in said_of(tmp_path / "task.yaml")
    ) == named


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("!!!", "???"),
        ("a", "b"),
        ("1", "2"),
        ("好", "坏"),
        ("∀", "∃"),
        ("⠓", "⠃"),
        (".-", "-..."),
        ("ꆈ", "ꌠ"),
    ],
)
def test_the_control_reads_texts_without_a_word(good, bad):
    from ladder.evaluation.ways import linear
    from ladder.samples.rows import Sample

    train = [Sample(str(at), (good, bad)[at % 2], ("good", "bad")[at % 2]) for at in range(12)]
    assert linear(train)([good, bad]) == ["good", "bad"]
