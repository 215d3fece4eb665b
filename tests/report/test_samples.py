"""The examples of a run as the page carries them: read, cut, made harmless, bounded."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from assessments import assessment, failed
from harmful import ACTING, acting

from ladder.errors import DataError
from ladder.evidence import Assessment
from ladder.report import samples as module
from ladder.report.page import as_page
from ladder.report.samples import (
    FIRST_BYTES,
    MOST_BYTES,
    MOST_CHARACTERS,
    PLAIN_ROWS,
    embedded,
    plain_rows,
    read_samples,
)

RUN = assessment(attempts=(failed("q-1"),))


def line(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "input": f"about {name}", "answer": "no", "target": "yes", "score": 0.0,
            "error": None, **more}  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]], name: str = "samples.jsonl") -> None:
    path = folder / "prompt" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def two_rungs() -> Assessment:
    lora = assessment().attempts[2]
    return assessment(attempts=(failed("q-1"), lora))


def test_the_rungs_stand_side_by_side_with_cause_and_what_was_retrieved(tmp_path: Path) -> None:
    write(tmp_path, [line("q-1", retrieved=["documents/d"], slice="kind"), line("q-2", score=1)])
    write(tmp_path, [{"id": "documents/d", "title": "T", "text": "says"}], "retrieved.jsonl")
    lora = tmp_path / "lora" / "samples.jsonl"
    lora.parent.mkdir()
    lora.write_text(json.dumps(line("q-1", answer="yes", score=1.0, targets=["yes", "y"])) + "\n")
    found = read_samples(tmp_path, two_rungs())
    assert found.rungs == ("prompt", "lora")
    first, second = found.rows
    assert (first.id, first.input, first.kind) == ("q-1", "about q-1", "kind")
    assert (first.answers["prompt"].cause, first.answers["prompt"].retrieved) == ("knowledge", (0,))
    assert (first.answers["lora"].text, first.answers["lora"].is_wrong) == ("yes", False)
    assert (second.answers["prompt"].cause, list(second.answers)) == ("", ["prompt"])
    assert found.texts == (("documents/d", "T", "says"),)
    values = json.loads(embedded(found).inside)
    assert values["rows"][0] == [
        "q-1", "about q-1", ["yes"], "kind",
        [["no", 0.0, "", "knowledge", [0]], ["yes", 1.0, "", "", []]],
    ]  # fmt: skip
    assert values["rows"][1][4][1] is None


def test_a_run_that_kept_none_has_none(tmp_path: Path) -> None:
    assert read_samples(tmp_path, RUN).rows == ()
    write(tmp_path, [{"id": "q-1", "answer": "a", "target": "b", "score": None, "error": "boom"}])
    [older] = read_samples(tmp_path, RUN).rows
    assert (older.input, older.answers["prompt"].error) == ("", "boom")
    assert "made by an earlier version" in as_page(RUN, read_samples(tmp_path, RUN)).html


@pytest.mark.parametrize("text", ["[]", "{}", '{"id": 1}', "not json", "[" * 100_000, "\ud800"])
def test_a_damaged_file_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    write(tmp_path, [line("q-1")])
    path = tmp_path / "prompt" / "samples.jsonl"
    path.write_bytes(path.read_bytes() + text.encode(errors="surrogatepass") + b"\n")
    with pytest.raises(DataError, match=r"samples\.jsonl:2"):
        read_samples(tmp_path, RUN)


def test_a_very_long_text_is_cut_and_its_length_is_told(tmp_path: Path) -> None:
    write(tmp_path, [line("q-1", answer="x" * 1_000_000, input="\0" * 1_000_000)])
    inside = embedded(read_samples(tmp_path, RUN)).inside
    [row] = json.loads(inside)["rows"]
    assert row[4][0][0] == ["x" * MOST_CHARACTERS, 1_000_000]
    assert row[1] == ["\\u0000" * MOST_CHARACTERS, 1_000_000]


def test_no_cut_parts_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret-indeed")
    answer = "x" * (MOST_CHARACTERS - 8) + " sk-very-secret-indeed " + "y" * 100
    write(tmp_path, [line("q-1", answer=answer)])
    assert "sk-very" not in embedded(read_samples(tmp_path, RUN)).inside


@pytest.mark.parametrize("name", sorted(ACTING))
def test_no_text_of_an_example_acts_or_ends_the_script(name: str, tmp_path: Path) -> None:
    planted = ACTING[name] + "</script><!--"
    row = line(planted, **dict.fromkeys(("input", "answer", "target", "error", "slice"), planted))
    write(tmp_path, [{**row, "retrieved": [planted]}])
    write(tmp_path, [{"id": planted, "title": planted, "text": planted}], "retrieved.jsonl")
    found = read_samples(tmp_path, RUN)
    inside = embedded(found).inside
    assert not acting(inside)
    assert not {"<", ">", "&"} & set(inside)
    assert len(json.loads(inside)["rows"]) == 1


def many(folder: Path, count: int) -> Path:
    write(folder, [line(f"q-{at}", score=float(at % 10 > 0)) for at in range(count)])
    return folder


@pytest.mark.slow
def test_what_is_too_much_for_a_page_lies_beside_it(tmp_path: Path) -> None:
    found = read_samples(many(tmp_path, 50_000), RUN)
    made = embedded(found)
    assert made.beside is not None
    assert len(json.loads(made.beside)["rows"]) == 50_000
    assert len(made.inside) < FIRST_BYTES * 1.2
    inside = json.loads(made.inside)["rows"]
    assert len(inside) == made.count > 5_000
    assert all(row[4][0][1] == 0.0 for row in inside[:5_000]), "those that were missed come first"
    page = as_page(RUN, found)
    assert page.beside == made.beside
    assert "report.samples.json" in page.html
    assert "ladder view" in page.html
    assert page.html.count("<tr>") < 200
    assert len(page.html) < MOST_BYTES


def test_a_thousand_examples_stand_in_the_page_itself(tmp_path: Path) -> None:
    found = read_samples(many(tmp_path, 1_000), RUN)
    made = embedded(found)
    assert (made.count, made.beside) == (1_000, None)
    plain = plain_rows(found)
    assert len(plain) == PLAIN_ROWS
    assert all(row.answers[0][1] is False for row in plain)


@pytest.mark.slow
def test_memory_grows_with_the_rows_and_no_faster(tmp_path: Path) -> None:
    """What is built of ten times as many rows takes ten times the memory, not a hundred times."""
    peaks = []
    for count in (1_000, 10_000):
        found = many(tmp_path / str(count), count)
        tracemalloc.start()
        embedded(read_samples(found, RUN))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 12 * peaks[0]


def test_each_row_is_looked_at_a_fixed_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    before = module.shown
    monkeypatch.setattr(module, "shown", lambda *a: (calls.append(1), before(*a))[1])
    counts = []
    for count in (100, 1_000):
        calls.clear()
        read_samples(many(tmp_path / str(count), count), RUN)
        counts.append(len(calls))
    assert counts[1] == 10 * counts[0]
