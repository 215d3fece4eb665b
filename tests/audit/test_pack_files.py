"""Bill of materials, data card, map and questions: valid, from the record, and claiming no more."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from artefacts.test_card import passport
from assessments import assessment, full_assessment
from harmful import HOSTILE, acting

from ladder.audit.pack.act import ANNEX_IV, ARTICLES, months_after, years_after
from ladder.audit.pack.card import run_card
from ladder.audit.pack.data_card import CONFORMS, CONTEXT, data_card
from ladder.audit.pack.mapping import (
    EXAMPLES,
    FREEZE,
    HEADS,
    ISOLATION,
    LEDGER,
    MONITORING,
    OF_ANNEX_IV,
    OF_ARTICLES,
    PROVENANCE,
    SIGNATURES,
    TASK,
    map_points,
    retention,
)
from ladder.audit.pack.ml_bom import ml_bom
from ladder.audit.pack.questions import questions
from ladder.audit.pack.slice_table import slice_table
from ladder.evidence import Assessment, Build, CitedFreeze, Control, ControlLine, Estimate
from ladder.report.texts import each_text


def hostile() -> Assessment:
    """Return a run whose every text acts where it is shown as it is."""
    text = HOSTILE.replace("\ud800", "")
    a = full_assessment()
    task = a.task.but(name=text, goal=text, base=text, scorer=text, digest=text)
    data = a.data.but(digests={text: text})
    return a.but(task=task, data=data, hardware={text: text}, versions={text: text})


@pytest.mark.parametrize(
    "a", [assessment(), full_assessment(), hostile()], ids=["a", "full", "bad"]
)
@pytest.mark.parametrize("trained", [None, "adapter", "head"])
def test_the_bill_of_materials_is_valid_cyclonedx(a, trained):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator  # seconds: a grammar is built

    made = ml_bom(a, passport(trained, "x") if trained else None, {"python": "PSF-2.0"})
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(made)) is None
    assert made == ml_bom(a, passport(trained, "x") if trained else None, {"python": "PSF-2.0"})


def test_the_bill_of_materials_holds_what_the_record_holds():
    a = full_assessment()
    made = ml_bom(a, passport("adapter", "x"), {})
    [whole, *_, part] = made["metadata"]["component"]["modelCard"]["quantitativeAnalysis"][
        "performanceMetrics"
    ]
    assert whole["value"] == "0.8400"
    assert whole["confidenceInterval"] == {"lowerBound": "0.7900", "upperBound": "0.8900"}
    assert part["slice"] == "kind"
    [trained] = [one for one in made["components"] if one["bom-ref"] == "trained"]
    assert trained["pedigree"]["ancestors"][0]["name"] == a.task.base


def test_the_data_card_has_the_form_of_croissant_and_no_row():
    a = assessment()
    digest = "ab" * 32
    a = a.but(data=a.data.but(digests={"train": digest, "test": digest}))
    made = data_card(a, {"train": "rows.jsonl"})
    assert made["conformsTo"] == CONFORMS
    assert made["@context"] == CONTEXT
    assert [one["@id"] for one in made["distribution"]] == ["train", "test"]
    first = made["distribution"][0]
    assert (first["contentUrl"], first["sha256"]) == ("rows.jsonl", digest)
    assert first["encodingFormat"] == "application/jsonlines"
    assert "900 training examples" in made["description"]
    assert set(made) - set(CONTEXT) == {
        "@context", "@type", "version", "dateModified", "distribution",
        "rai:dataPreprocessingProtocol", "rai:dataLimitations",
    } - {"version"}  # fmt: skip


def test_every_point_of_the_annex_is_mapped_once_and_in_order():
    assert [one.number for one in ANNEX_IV] == [
        *(f"1({c})" for c in "abcdefgh"), *(f"2({c})" for c in "abcdefgh"), *"3456789",
    ]  # fmt: skip
    assert OF_ANNEX_IV.keys() == {one.number for one in ANNEX_IV}
    assert OF_ARTICLES.keys() == {one.number for one in ARTICLES}
    for mapped in map_points(()):
        assert all(one.human and not one.files and one.share == "for a human" for one in mapped)


def test_only_files_that_are_there_are_named_and_none_says_that_a_point_is_met():
    annex, articles = map_points({"model-card.md", "run/examples/prompt/samples.jsonl"})
    by_point = {one.point: one for one in (*annex, *articles)}
    assert by_point["2(g)"].files == ("run/examples/prompt/samples.jsonl",)
    assert by_point["Art. 15(3)"].files == ("model-card.md",)
    assert by_point["8"].share == "for a human"
    said = " ".join(one.human for one in by_point.values())
    assert not re.search(r"compliant|fulfil|satisf", said, re.IGNORECASE)


def test_questions_are_those_that_the_record_leaves_open():
    everything = {FREEZE, LEDGER, HEADS, ISOLATION}
    bare, kept = (" ".join(questions(assessment(), there)) for there in ((), everything))
    for words in ("No freeze", "No signed ledger", "not isolated"):
        assert words in bare
        assert words not in kept
    assert "No record of it names this run" in kept
    cited = assessment().but(criteria=CitedFreeze(frozen=False))
    assert "No record of it names this run" not in " ".join(questions(cited, everything))
    assert "1 held-out examples" in kept
    assert "carry no kind" in kept
    few = " ".join(questions(full_assessment(), everything))
    assert "What holds for kind?" in few
    a = assessment()
    often = a.but(recommendation=a.recommendation.but(openings=3, confirmed_verdict="undecided"))
    said = " ".join(questions(often, everything))
    assert "3 systems were measured on it" in said
    assert "neither prove nor refute" in said


def test_what_only_persons_know_is_asked_by_what_the_pack_lacks():
    a = assessment()
    bare = " ".join(questions(a, ()))
    assert "What did the task file say?" in bare
    assert f"digest alone, {a.task.digest}." in bare
    for words in ("Where are the test logs", "who has signed test-report.md", "Annex VII 4.3"):
        assert words in bare
    assert "Who measures again" not in bare
    alone = [one.number for one in ANNEX_IV]
    assert f"What is said of Annex IV {', '.join(alone)}?" in bare
    there = (TASK, MONITORING, f"{EXAMPLES}prompt/samples.jsonl", f"{SIGNATURES}1.dsse.json")
    full = " ".join(questions(a, there))
    for words in ("What did the task file", "Where are the test logs", "who has signed"):
        assert words not in full
    assert "Who measures again on the days of the monitoring plan" in full
    assert "Is the key under the run's signature" in full
    assert "What is said of Annex IV 1(b), 1(d), " in full
    assert "5, 6, 7, 8? Nothing in this pack bears on them." in full


def test_wrong_answers_of_a_rung_that_passed_are_asked_about():
    a = assessment()
    chosen = a.chosen
    whole = chosen.measurement.but(score=Estimate(mean=1, low=0.9, high=1, n=99))
    for measurement, asked in ((chosen.measurement, True), (whole, False)):
        found = chosen.but(measurement=measurement, diagnosis=None)
        attempts = tuple(found if x.rung == chosen.rung else x for x in a.attempts)
        said = " ".join(questions(a.but(attempts=attempts), ()))
        assert ("What have the wrong answers in common" in said) is asked


def test_a_training_without_a_signed_provenance_is_asked_about():
    a = full_assessment()
    chosen = a.chosen
    candidate = chosen.candidate.but(build=Build(folder="runs/artefacts/x"))
    attempts = tuple(
        each.but(candidate=candidate) if each.rung == chosen.rung else each for each in a.attempts
    )
    a = a.but(attempts=attempts)
    assert "No signed provenance" in " ".join(questions(a, ()))
    assert "No signed provenance" not in " ".join(questions(a, (PROVENANCE,)))


def test_look_alikes_are_not_passed_over_in_the_cards():
    a = assessment()
    a = a.but(data=a.data.but(look_alikes=("a ~ b", "c ~ d"), contaminated=("e ~ f",)))
    said = "1 held-out examples that repeat a training example, and 2 that differ from one in a"
    assert said in data_card(a, {})["rai:dataPreprocessingProtocol"]
    assert "and 2 that differ from one in a number or a name only" in run_card(a)


def test_the_card_says_the_control_that_was_judged():
    a = full_assessment()
    line = ControlLine(
        name="nearest",
        score=Estimate(mean=1, low=0.9, high=1, n=9),
        latency_ms=1,
        cost_usd_per_1k=0.1,
    )
    judged = line.but(name="TF-IDF")
    a = a.but(control=Control(lines=(line, judged), judged="TF-IDF"))
    assert "(TF-IDF)" in run_card(a)
    assert "(nearest)" in run_card(a.but(control=Control(lines=(line, judged))))


def test_the_slice_table_has_intervals_and_no_formula():
    a = full_assessment()
    m = a.attempts[2].measurement
    slices = {"=1+1": Estimate(mean=0.5, low=0.4, high=0.6, n=9)}
    lora = a.attempts[2].but(measurement=m.but(slices=slices))
    lines = slice_table(a.but(attempts=(*a.attempts[:2], lora))).splitlines()
    assert "lora,'=1+1,9,0.5000,0.4000,0.6000,90 %,eval" in lines
    assert lines[-1].startswith("lora,all,150,0.8400,0.7900,0.8900,90 %,held-out test")


def test_nothing_in_a_card_acts():
    assert not acting(run_card(hostile()))
    assert not acting(slice_table(hostile()))


def test_days_of_retention():
    assert [one.until for one in retention(date(2026, 8, 31))] == ["2036-08-31", "2027-02-28"]
    assert years_after(date(2028, 2, 29), 10) == date(2038, 2, 28)
    assert months_after(date(2026, 12, 31), 6) == date(2027, 6, 30)


def test_texts_are_shown_through_one_door():
    assert each_text(map_points(())[0], str.upper)[0].human.isupper()
