"""From what the ablations measured to causes and refusals."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ladder.diagnosis import rules
from ladder.diagnosis.rules import NOT_FOUND, NOT_THERE, Ablations, beyond_chance
from ladder.evidence import Diagnosis, LimitVerdict, Verdict
from ladder.gate.verdict import combine
from ladder.rungs import fixes
from ladder.task import GateLimits

WAYS = {"prompt": "prompted", "rag": "retrieving", "lora": "trained"}


def diagnose(
    rung: str, found: Verdict, ablations: Ablations, min_score: float, confidence: float
) -> Diagnosis:
    gate = GateLimits(min_score=min_score, confidence=confidence)
    return rules.diagnose(WAYS[rung], found, ablations, gate, fixes())


def verdict(score: str = "fail", latency: str = "pass", got: float = 0.5) -> Verdict:
    limits = {"min_score": score, "max_p95_ms": latency}
    return combine(
        [
            LimitVerdict(limit=name, wanted=0.8, got=got, distance=got - 0.8, verdict=word)
            for name, word in limits.items()
        ]
    )


def given(production, lenient=None, oracle=None, *, places=None, k=3, **more) -> Ablations:
    """Ablations by name; an ablation that is None was not run."""
    named = {"lenient": lenient, "oracle": oracle, **more}
    changed = {name.replace("_", " "): found for name, found in named.items() if found is not None}
    return Ablations(production, changed, places or {}, k)


def scores(right: int, wrong: int) -> dict[str, float]:
    return {str(at): float(at < right) for at in range(right + wrong)}


def test_a_gap_that_the_right_document_closes_refuses_training():
    deep = {str(at): NOT_FOUND for at in range(10)}
    ablations = given(scores(4, 6), scores(4, 6), scores(10, 0), places=deep)
    found = diagnose("rag", verdict(), ablations, 0.8, 0.95)
    assert found.refuses == ("lora", "distill")
    assert found.causes[0].name == "retrieval"
    assert found.without_oracle == 0.4
    assert found.causes[0].recoverable.mean == 1.0
    assert found.ablations["oracle"].mean == 1.0


def test_a_gap_that_stays_with_the_right_document_is_skill():
    ablations = given(scores(2, 8), scores(2, 8), scores(3, 7))
    found = diagnose("rag", verdict(), ablations, 0.8, 0.95)
    assert found.refuses == ()
    assert found.causes[0].name == "skill"


def test_whether_the_score_holds_is_said_of_all_rows_and_not_of_those_that_arms_saw():
    ablations = given(scores(9, 1), scores(9, 1))
    found = diagnose("rag", verdict("undecided", got=0.76), ablations, 0.8, 0.95)
    assert found.causes
    found = diagnose("rag", verdict("undecided", got=0.84), Ablations(scores(7, 3)), 0.8, 0.95)
    assert (found.causes, found.refuses, found.unresolved) == ((), (), ())


def test_the_prompt_rung_lacks_knowledge_and_refuses_nothing():
    ablations = given(scores(0, 10), scores(0, 10), scores(10, 0))
    found = diagnose("prompt", verdict(), ablations, 0.8, 0.95)
    assert found.causes[0].name == "knowledge"
    assert found.refuses == ()


def test_an_answer_in_another_form_is_format():
    found = diagnose("prompt", verdict(), given(scores(0, 10), scores(9, 1), None), 0.8, 0.95)
    assert found.causes[0].name == "format"
    assert found.causes[0].share == 0.9


def test_without_known_documents_it_says_what_it_cannot_tell():
    found = diagnose("prompt", verdict(), given(scores(0, 9), scores(0, 9), None), 0.8, 0.95)
    assert [(cause.name, cause.count, cause.of) for cause in found.causes] == [("skill", 9, 9)]
    assert "no right document" in found.unresolved


def test_latency_alone_points_at_a_smaller_model():
    ablations = given(scores(9, 1), scores(9, 1), None)
    found = diagnose("lora", verdict("pass", "fail"), ablations, 0.8, 0.95)
    assert found.refuses == ("rag", "lora")
    assert [cause.name for cause in found.causes] == ["latency"]


def test_many_misses_of_one_cause_are_not_called_skill_as_well():
    """A cause lists at most 1,000 rows; those it leaves out are explained all the same."""
    found = diagnose("prompt", verdict(), given(scores(0, 1200), scores(1200, 0), None), 0.8, 0.95)
    assert [cause.name for cause in found.causes] == ["format"]
    assert found.causes[0].share == 1
    assert len(found.causes[0].sample_ids) == 1000
    ablations = given(scores(0, 1200), scores(0, 1200), scores(1200, 0))
    found = diagnose("prompt", verdict(), ablations, 0.8, 0.95)
    assert [cause.name for cause in found.causes] == ["knowledge"]


def test_a_cause_behind_few_misses_is_left_out_and_its_rows_stay_unexplained():
    found = diagnose("prompt", verdict(), given(scores(0, 50), scores(4, 46), None), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [("skill", 46 / 50)]


def test_half_right_answers_below_the_limit_are_no_misses():
    graded = {str(at): 0.6 for at in range(10)}
    found = diagnose("prompt", verdict(), given(graded, graded, None), 0.8, 0.95)
    assert found.causes == ()


def test_an_oracle_below_the_limit_refuses_no_training():
    deep = {str(at): NOT_FOUND for at in range(10)}
    ablations = given(scores(2, 8), scores(2, 8), scores(7, 3), places=deep)
    found = diagnose("rag", verdict(), ablations, 0.8, 0.95)
    assert found.refuses == ()
    assert {cause.name for cause in found.causes} == {"retrieval", "skill"}


def over(**words: str) -> Verdict:
    values = {"wanted": 1, "got": 0.5, "distance": 0.1}
    return combine(
        [
            LimitVerdict.model_validate({**values, "limit": name, "verdict": word})
            for name, word in words.items()
        ]
    )


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        ({"max_cost_usd_per_1k": "fail"}, ["cost"]),
        ({"max_cost_usd_per_1k": "undecided", "max_p95_ms": "fail"}, ["cost", "latency"]),
    ],
)
def test_cost_with_or_without_latency_asks_for_a_smaller_model(limits, names):
    ablations = given(scores(9, 1), scores(9, 1), None)
    found = diagnose("prompt", over(min_score="pass", **limits), ablations, 0.8, 0.95)
    assert [cause.name for cause in found.causes] == names
    assert found.refuses == ("rag", "lora")


def test_too_many_errors_are_no_cause():
    errors = over(min_score="pass", max_error_rate="none")
    found = diagnose("prompt", errors, given(scores(9, 1), scores(9, 1), None), 0.8, 0.95)
    assert (found.causes, found.refuses) == ((), ())


def test_a_short_oracle_arm_speaks_for_its_own_rows():
    """Only some rows name their documents: nothing is claimed of the others."""
    oracle = {str(at): float(at % 2) for at in range(10)}
    found = diagnose("prompt", verdict(), given(scores(0, 40), scores(0, 40), oracle), 0.8, 0.95)
    shares = {cause.name: cause.share for cause in found.causes}
    assert shares == {"knowledge": 5 / 40, "skill": 35 / 40}


def test_two_causes_stand_the_larger_first_and_share_no_row():
    found = diagnose("prompt", verdict(), given(scores(0, 40), scores(10, 30), None), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [
        ("skill", 0.75),
        ("format", 0.25),
    ]
    assert not set(found.causes[0].sample_ids) & set(found.causes[1].sample_ids)


ROWS = 40
WRONG, RIGHT = scores(0, ROWS), scores(ROWS, 0)
TOP, LOW = {str(at): 1 for at in range(ROWS)}, {str(at): 9 for at in range(ROWS)}
NOWHERE = {str(at): NOT_THERE for at in range(ROWS)}
DEEP = {str(at): NOT_FOUND for at in range(ROWS)}


@pytest.mark.parametrize(
    ("name", "places", "fixing"),
    [
        ("format", TOP, ["lenient"]),
        ("format", TOP, ["constrained", "oracle"]),
        ("missing", NOWHERE, []),
        ("retrieval", DEEP, ["oracle"]),
        ("ranking", LOW, ["oracle", "more"]),
        ("redundancy", LOW, ["oracle", "unique", "more"]),
        ("redundancy", TOP, ["oracle", "unique", "fewer"]),
        ("distraction", TOP, ["oracle", "fewer"]),
        ("distraction", TOP, ["oracle", "compress"]),
        ("position", TOP, ["oracle", "reorder"]),
        ("routing", DEEP, ["oracle", "other source"]),
        ("routing", TOP, ["oracle", "strong"]),
        ("harm", TOP, ["oracle", "no context"]),
        ("context", TOP, ["oracle"]),
        ("skill", TOP, ["strong oracle", "strong"]),
    ],
)
def test_each_cause_by_what_mends_it(name, places, fixing):
    names = (
        "oracle",
        "unique",
        "more",
        "fewer",
        "compress",
        "reorder",
        "other source",
        "no context",
        "strong",
        "strong oracle",
        "no-op control",
        "constrained",
        "lenient",
    )
    changed = {ablation: RIGHT if ablation in fixing else WRONG for ablation in names}
    found = diagnose("rag", verdict(), Ablations(WRONG, changed, places, 3), 0.8, 0.95)
    assert found.causes[0].name == name
    assert found.causes[0].share == 1
    refused = "oracle" in fixing
    assert found.refuses == (("lora", "distill") if refused else ())


def test_what_the_placebo_mends_too_is_chance():
    changed = {"no-op control": scores(20, 20), "unique": scores(20, 20), "oracle": WRONG}
    ablations = Ablations(WRONG, changed, TOP, 3)
    assert beyond_chance(ablations, 0.05) == set()
    assert diagnose("rag", verdict(), ablations, 0.8, 0.95).causes[0].name == "skill"


def test_a_few_flips_prove_nothing():
    changed = {"no-op control": WRONG, "unique": scores(3, 37), "oracle": WRONG}
    assert beyond_chance(Ablations(WRONG, changed, TOP, 3), 0.05) == set()
    changed["unique"] = scores(12, 28)
    assert beyond_chance(Ablations(WRONG, changed, TOP, 3), 0.05) == {"unique"}


@pytest.mark.parametrize("misses_alone", [False, True])
def test_pure_noise_is_hardly_ever_a_cause(misses_alone):
    """Ablations whose answers flip by chance alone: in 400 trials at most 5 % name one."""
    luck = random.Random(1)
    production = scores(24, 16)

    def noisy():
        return {
            row: float(luck.random() < (0.85 if score else 0.15))
            for row, score in production.items()
        }

    named = 0
    for _ in range(400):
        changed = {
            ablation: noisy()
            for ablation in ("no-op control", "unique", "fewer", "reorder", "no context")
        }
        wrong = frozenset(row for row, score in production.items() if not score)
        rows = wrong if misses_alone else None
        named += bool(beyond_chance(Ablations(production, changed, TOP, 3), 0.05, rows))
    assert named / 400 < 0.08


def test_what_mends_the_misses_of_one_fault_is_its_cause_though_it_harms_other_rows():
    """The other source answers 12 misses and loses 12 rows that the documents had right."""
    production = scores(20, 20)
    other = {row: float(8 <= int(row) < 32) for row in production}
    steady = {"no-op control": production, "oracle": RIGHT}
    ablations = Ablations(production, {**steady, "other source": other}, TOP, 3)
    assert "other source" not in beyond_chance(ablations, 0.05)
    found = diagnose("rag", verdict(), ablations, 0.8, 0.95)
    assert {cause.name: cause.count for cause in found.causes} == {"routing": 12, "context": 8}


def test_right_documents_that_lose_as_many_rows_as_they_win_refuse_no_training():
    """For a refusal the right documents must help on the whole, not on the misses alone."""
    production = {str(at): float(at < 31) for at in range(40)}
    oracle = {row: float(int(row) >= 8) for row in production}
    ablations = Ablations(production, {"no-op control": production, "oracle": oracle}, TOP, 3)
    found = diagnose("rag", verdict(got=31 / 40), ablations, 0.8, 0.95)
    assert ablations.score("oracle") >= 0.8
    assert found.refuses == ()
    assert found.causes[0].name == "context"


def test_it_says_what_it_could_not_tell_apart():
    found = diagnose("rag", verdict(), given(WRONG, WRONG), 0.8, 0.95)
    assert found.unresolved == ("no right document", "no stronger model", "no reranker")
    ablations = Ablations(WRONG, {"oracle": WRONG, "strong oracle": RIGHT, "rerank": WRONG}, TOP, 3)
    assert diagnose("rag", verdict(), ablations, 0.8, 0.95).unresolved == ()


def test_a_score_that_holds_so_far_has_no_cause():
    held = verdict("undecided", got=0.9)
    found = diagnose("rag", held, given(scores(9, 1), scores(9, 1)), 0.8, 0.95)
    assert found.causes == ()


def test_one_row_refuses_no_training():
    """The oracle is known for one row that the system had right: that closes no gap."""
    production = scores(2, 38)
    found = diagnose("rag", verdict(), given(production, production, {"0": 1.0}), 0.8, 0.95)
    assert found.refuses == ()
    assert found.causes[0].name == "skill"


def test_a_stronger_model_with_the_right_document_accuses_labels():
    changed = {"oracle": WRONG, "strong oracle": scores(8, 32), "lenient": WRONG}
    found = diagnose("rag", verdict(), Ablations(WRONG, changed, TOP, 3), 0.8, 0.95)
    shares = [(cause.name, cause.share) for cause in found.causes]
    assert shares == [("labels", 0.8), ("skill", 0.2)]


def test_a_stronger_model_that_is_right_nowhere_is_no_witness():
    changed = {"oracle": WRONG, "strong oracle": WRONG, "lenient": WRONG}
    found = diagnose("rag", verdict(), Ablations(WRONG, changed, TOP, 3), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [("skill", 1.0)]
    assert "stronger model never right" in found.unresolved


def test_a_stronger_model_that_did_not_answer_accuses_no_label():
    changed = {"oracle": WRONG, "strong oracle": {"0": 0.0, "1": 1.0}, "lenient": WRONG}
    found = diagnose("rag", verdict(), Ablations(WRONG, changed, TOP, 3), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [("skill", 39 / 40)]


def test_guessed_right_documents_are_said_to_be_guessed():
    rows = {str(at): 0.0 for at in range(10)}
    ablations = Ablations(
        production=rows, changed={"oracle": dict.fromkeys(rows, 1.0)}, guessed=True
    )
    found = diagnose("rag", verdict(), ablations, 0.8, 0.95)
    assert "guessed documents" in found.unresolved
    named = diagnose("rag", verdict(), replace(ablations, guessed=False), 0.8, 0.95)
    assert "guessed documents" not in named.unresolved
