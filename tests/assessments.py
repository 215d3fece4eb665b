"""Whole assessments as a climb leaves them, made by hand."""

from __future__ import annotations

from ladder.evidence import (
    Abstention,
    Asked,
    Assessment,
    Attempt,
    Build,
    Calibration,
    Candidate,
    Cause,
    CitedFreeze,
    Comparison,
    Control,
    ControlLine,
    CostBasis,
    DataReport,
    Diagnosis,
    Economics,
    Effort,
    Estimate,
    Fix,
    FrozenChange,
    Latency,
    LimitVerdict,
    Measurement,
    RaceLine,
    Recommendation,
    Reliability,
    ReliabilityBin,
    Retrieval,
    RetrievalHealth,
    TaskRecord,
    TokenUse,
    TrainingMethod,
    WordOverlap,
)
from ladder.gate.verdict import combine


def estimate(mean: float, n: int = 200) -> Estimate:
    return Estimate(mean=mean, low=mean - 0.05, high=mean + 0.05, n=n)


def attempt(rung: str, word: str, **more: object) -> Attempt:
    mean = 0.7 if word == "fail" else 0.85
    limits = [
        LimitVerdict.model_validate(
            {
                "limit": "min_score",
                "wanted": 0.8,
                "got": mean,
                "distance": mean - 0.8,
                "verdict": word,
                "more_rows": 1234 if word == "undecided" else None,
            }
        ),
        LimitVerdict(
            limit="max_cost_usd_per_1k",
            wanted=0.5,
            got=None,
            distance=None,
            verdict="pass",
        ),
    ]
    values = {
        "rung": rung,
        "status": {"pass": "passed", "fail": "failed"}.get(word, "undecided"),
        "reason": f"the reason of {rung}",
        "candidate": Candidate(rung=rung, description=f"best {rung}", model="bundled:m"),
        "race": (
            RaceLine(description=f"best {rung}", score=0.81, n=120, dropped=False),
            RaceLine(description="left behind", score=0.41, n=16, dropped=True),
        ),
        "measurement": Measurement(
            score=estimate(mean),
            others={"token_f1": estimate(0.66)},
            macro_f1=0.612,
            cost_usd_per_1k=0.0421,
            latency_ms=Latency(p50=10, p95=23.4, p99=30, n=60),
            tokens=TokenUse(input_mean=1, output_mean=1),
            requests=200,
            build=Build(seconds=600, train_tokens=12_345, usd=0.25, peak_memory_mb=2048),
        ),
        "verdict": combine(limits),
    }
    return Attempt.model_validate({**values, **more})


def failed(sample: str = "row-9") -> Attempt:
    cause = Cause(name="knowledge", share=0.6, count=6, of=10, sample_ids=(sample,))
    return attempt("prompt", "fail", diagnosis=Diagnosis(causes=(cause,), refuses=()))


def assessment(**more: object) -> Assessment:
    skipped = Attempt(rung="rag", status="skipped", reason="no documents are given")
    values = {
        "ladder_version": "9.9",
        "created": "2026-01-01T00:00:00+00:00",
        "task": record(),
        "data": data(),
        "control": control(),
        "attempts": (failed(), skipped, attempt("lora", "pass")),
        "recommendation": Recommendation(
            rung="lora",
            description="best lora",
            confirmed=estimate(0.84, 150),
            confirmed_verdict="pass",
            cost={
                "usd_per_1k": 0.0421,
                "usd_per_month": 4.21,
                "build_usd": 0.25,
                "requests_per_month": 100_000.0,
            },
        ),
        "effort": Effort(
            by_purpose={
                "race": Asked(calls=1_000, tokens=60_000),
                "measuring": Asked(calls=400, tokens=30_000),
                "training": Asked(tokens=50_000),
            },
            plans={
                "every rung": Asked(calls=2_200, tokens=160_000),
                "every candidate": Asked(calls=3_000, tokens=190_000),
                "fixed rows": Asked(calls=1_350, tokens=136_500),
            },
            trainings_made=1,
            training_avoided=("distill",),
        ),
        "hardware": {"processor": "a fast one", "cores": "2"},
        "versions": {"python": "3.11.9"},
        "seconds": 321.4,
        "plan": "revalidation.yaml",
    }
    return Assessment.model_validate({**values, **more})


def record(**more: object) -> TaskRecord:
    values = {
        "name": "mail",
        "goal": "Sort the mail.",
        "source": "task.yaml",
        "digest": "0123456789abcdef0123",
        "base": "bundled:m",
        "scorer": "exact_match",
        "gate": {"min_score": 0.8, "max_p95_ms": None, "confidence": 0.9},
        "seed": 77,
    }
    return TaskRecord.model_validate({**values, **more})


def data(**more: object) -> DataReport:
    values = {
        "train": 900,
        "dev": 101,
        "gate": 402,
        "sealed": 153,
        "reserve": 54,
        "documents": 25,
        "unlabeled": 36,
        "duplicates": 7,
        "contaminated": ("test-5 ~ train-8",),
        "detectable": 0.8431,
        "digests": {"test": "fedcba9876543210fedc"},
    }
    return DataReport.model_validate({**values, **more})


def control(name: str = "nearest example") -> Control:
    lines = (
        ControlLine(name="majority", score=estimate(0.4), latency_ms=0.1, cost_usd_per_1k=0),
        ControlLine(name=name, score=estimate(0.5), latency_ms=1.5, cost_usd_per_1k=0.0001),
    )
    return Control(lines=lines)


def calibration() -> Calibration:
    """Return chances that were too high, and what can be answered by them."""
    share = Estimate(mean=0.9, low=0.8, high=0.95, n=150)
    after = Reliability(
        n=200, brier=estimate(0.12), ece=0.03, ece_low=0.01, ece_high=0.06, ece_by_chance=0.05,
        bins=(ReliabilityBin(chance=0.55, right=estimate(0.5, 50)),
              ReliabilityBin(chance=0.9, right=share)),
    )  # fmt: skip
    return Calibration(
        method="platt",
        dev_rows=150,
        curve=((0.0, 0.0), (1.0, 0.9)),
        before=after.but(ece=0.11, ece_low=0.08, ece_high=0.14, brier=estimate(0.15)),
        after=after,
        abstention=Abstention(
            error=0.05,
            confidence=0.95,
            dev_rows=150,
            threshold=0.87,
            share=estimate(0.4),
            wrong=Estimate(mean=0.025, low=0.007, high=0.086, n=80),
            verdict="undecided",
        ),
    )


def full_assessment() -> Assessment:
    """Return an assessment with something in every part of the report."""
    found = Comparison(
        other="prompt", difference=0.1, low=0, high=0.2, n=9, p_value=0.1, claim="better"
    )
    part = Estimate(mean=0.5, low=0.4, high=0.6, n=9)
    fix = Fix(
        cause="format", ablation="unique", on_dev=found, unseen=found, tokens=(1, 2), kept=True
    )
    health = RetrievalHealth(source="documents", k=2, language="de", redundancy=0.1, inequality=0.2)
    measured = attempt("lora", "pass").measurement
    assert measured is not None
    changes = {
        "slices": {"kind": part}, "human_labels": 9,
        "cost_basis": CostBasis(kind="prices", source="the price list"),
        "errors": 1, "error_kinds": {"HTTP 500": 1}, "commonest_error": "boom",
    }  # fmt: skip
    diagnosis = failed().diagnosis
    assert diagnosis is not None
    prompt = failed().but(
        diagnosis=diagnosis.but(ablations={"oracle": part}, unresolved=("no reranker",))
    )
    reading = Candidate(
        rung="lora",
        description="best lora",
        model="bundled:m",
        shots=("row-1",),
        retrieval=Retrieval(source="documents"),
    )
    lora = attempt(
        "lora", "pass", candidate=reading, fixes=(fix,), retrieval=(health,),
        comparisons=(found, found),
        asked=Asked(calls=3, errors={"HTTP 500": 2}),
        measurement=measured.but(**changes),
        against_teacher={
            "teacher": "x", "kept": 0.9, "low": 0.8, "high": 1, "n": 9,
            "cheaper": 20, "faster": 8, "over_control": found,
        },
        calibration=calibration(),
    )  # fmt: skip
    base = assessment()
    overlap = WordOverlap(words=8, rows=9, checkable=8, overlapping=1, top=("a ~ b: 0.9",))
    more = {"set_aside": ("a ~ b",), "look_alikes": ("a ~ b",), "overlap": overlap}
    bill = {
        "rung": "lora", "passed": True, "build": 1, "labels": 1, "revalidation_per_quarter": 1,
        "per_1k": 1, "fixed_per_month": 1, "per_month": 1,
    }  # fmt: skip
    even = {
        "rung": "lora", "against": "rag", "requests_per_month": None, "low": None, "high": None,
    }  # fmt: skip
    bills = Economics(requests_per_month=9, months=1, bills=(bill,), break_evens=(even,))
    ways = (
        TrainingMethod(name="preference", chosen=True, ground="preferences given", file="pairs"),
    )
    answer = base.recommendation.but(training_methods=ways)
    change = FrozenChange(field="min_score", frozen="0.9", now="0.8")
    frozen = {"at": "2025-12-31T00:00:00+00:00", "digest": "4f2a91bc" * 8, "record": 3}
    return base.but(
        criteria=CitedFreeze(frozen=True, **frozen, looks_before=2, changes=(change,)),
        attempts=(prompt, base.attempts[1], lora),
        data=base.data.but(**more),
        economics=bills,
        recommendation=answer,
    )
