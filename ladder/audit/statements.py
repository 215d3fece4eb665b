"""in-toto statements: what was measured of which system, and what a training was made of.

Statement v1 with the test-result predicate v0.1 for a gate and SLSA provenance v1 for a training.
What these have no place for (interval, margin, n) stands under names of our own, as SLSA advises:
`<vendor>_<field>`. A subject whose identity is no sha256 has the sha256 of its canonical JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ladder.audit.canonical import digest
from ladder.audit.signing import STATEMENT, signed
from ladder.evidence import CONTROL, Attempt, Control, Passport, Verdict
from ladder.files import clear_disk_errors

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

TYPE = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE = "https://slsa.dev/provenance/v1"
OWN = "escalationLadder_"
SIGNATURE = "urn:escalation-ladder:signature:v1"
TRAINING = "urn:escalation-ladder:training:v1"
BUILDER = "urn:escalation-ladder:ladder"
ROWS = "rows.jsonl"
"""What a training learnt from, as it lies in the artefact's folder."""
BYPRODUCTS = ("foreseen.json", "loss.svg", "progress.jsonl", "train.log", "training.json")
"""What tells of a training and is not loaded."""
RESULTS = {"pass": "PASSED", "undecided": "WARNED", "fail": "FAILED"}
TESTS = {"pass": "passedTests", "undecided": "warnedTests", "fail": "failedTests"}


def of_rung(
    attempt: Attempt, subject: Mapping[str, str], configuration: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the statement on a rung at the gate; None where there is no verdict.

    Args:
        attempt: the rung.
        subject: part of the system (base, adapter, prompt, index) -> what identifies it.
        configuration: what it was judged by (freeze, eval set, task) -> digest.
    """
    measured = attempt.measurement
    if measured is None:
        return None
    latency = measured.latency_ms
    figures = {
        "score": measured.score.model_dump(),
        "costUsdPer1k": measured.cost_usd_per_1k,
        "latencyMs": latency.model_dump(exclude={"service_s"}) if latency else None,
        "looks": list(measured.looks),
    }
    return _gate_result(attempt.rung, attempt.verdict, figures, subject, configuration)


def of_control(
    control: Control, subject: Mapping[str, str], configuration: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the statement on what answers without a model; None where no gate judged it."""
    line = next((line for line in control.lines if line.name == control.judged), None)
    if line is None:
        return None
    figures = {"way": line.name, "score": line.score.model_dump()}
    return _gate_result(CONTROL, control.verdict, figures, subject, configuration)


def _gate_result(
    name: str,
    verdict: Verdict | None,
    figures: Mapping[str, Any],
    subject: Mapping[str, str],
    configuration: Mapping[str, str],
) -> dict[str, Any] | None:
    if verdict is None or verdict.status not in RESULTS:
        return None
    tests: dict[str, list[str]] = {name: [] for name in TESTS.values()}
    for limit in verdict.limits:
        if limit.verdict in TESTS:
            tests[TESTS[limit.verdict]].append(limit.limit)
    predicate = {
        "result": RESULTS[verdict.status],
        "configuration": described(configuration),
        **tests,
        f"{OWN}rung": name,
        f"{OWN}limits": [limit.model_dump() for limit in verdict.limits],
        f"{OWN}measured": dict(figures),
    }
    return _statement(TEST_RESULT, described(subject), predicate)


def provenance(passport: Passport, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the SLSA provenance of a trained artefact.

    Args:
        passport: of it.
        files: those in its folder, by name -> sha256: by what is loaded others find the statement.
    """
    made = {name: value for name, value in files.items() if name not in (ROWS, *BYPRODUCTS)}
    beside = {name: value for name, value in files.items() if name in BYPRODUCTS}
    made_of = {
        **{f"base: {name}": value for name, value in passport.base_parts.items()},
        "training examples": passport.data,
        **({f"training examples: {ROWS}": files[ROWS]} if ROWS in files else {}),
        **{f"recipe: {name}": value for name, value in passport.recipe_digests.items()},
    }
    predicate = {
        "buildDefinition": {
            "buildType": TRAINING,
            "externalParameters": {
                "recipe": passport.recipe,
                "base": passport.base,
                "overrides": dict(passport.overrides),
            },
            "internalParameters": {"precision": passport.precision},
            "resolvedDependencies": described(made_of),
        },
        "runDetails": {
            "builder": {
                "id": BUILDER,
                "version": {"ladder": passport.ladder_version, **passport.versions},
            },
            "metadata": {"finishedOn": timestamp(passport.created)},
            "byproducts": described(beside),
        },
    }
    return _statement(PROVENANCE, described({**passport.parts, **made}), predicate)


def signature(files: Mapping[str, str], name: str, role: str, at: str) -> dict[str, Any]:
    """Return the statement that a person signs: who, as what, when, and which files."""
    predicate = {"name": name, "role": role, "at": at}
    return _statement(SIGNATURE, described(files), predicate)


def timestamp(at: str) -> str:
    """Return a time of ours, in UTC, as in-toto writes it: RFC 3339, and `Z` for the offset."""
    return at.replace("+00:00", "Z")


def described(parts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return in-toto resource descriptors of things by what identifies them."""
    return [{"name": name, "digest": {"sha256": _sha256(value)}} for name, value in parts.items()]


def write_statement(path: Path, statement: Mapping[str, Any], signer: CryptoSigner) -> None:
    """Write a statement as a signed envelope.

    Raises:
        StateError: it cannot be written.
    """
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(signed(statement, STATEMENT, signer))


def _statement(kind: str, subject: list[dict[str, Any]], predicate: object) -> dict[str, Any]:
    return {"_type": TYPE, "subject": subject, "predicateType": kind, "predicate": predicate}


def _sha256(value: str) -> str:
    return value if re.fullmatch(r"[0-9a-f]{64}", value) else digest(value)
