"""The bill of materials: CycloneDX 1.6, as JSON.

Written as a dict: the Python library of CycloneDX has no model card. `value` is a text there, and
what the schema does not know stands under `properties`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from ladder.audit.pack.certified import Certified, certified, level, slices
from ladder.evidence import Assessment, Estimate, Passport
from ladder.wording import harmless

SHA256 = re.compile(r"[0-9a-f]{64}")
SPEC, SCHEMA = "1.6", "http://cyclonedx.org/schema/bom-1.6.schema.json"
OURS = "ladder"
"""Of the names of properties."""
OF_TRAINED = ("adapter",)
"""Of what an engine is known by: not the base's, but what was trained on it."""


def ml_bom(a: Assessment, passport: Passport | None, licences: Mapping[str, str]) -> dict[str, Any]:
    """Return what the recommended system is made of, with digests and measured performance.

    Args:
        a: the run.
        passport: of what was trained for it, if anything was.
        licences: distribution, or the base -> what it says of its licence; an unknown one is left
            out.
    """
    made = [*_models(a, passport, licences), *_data(a), *_libraries(a, licences)]
    refs = [one["bom-ref"] for one in made]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, a.model_dump_json())}",
        "version": 1,
        "metadata": {
            "timestamp": a.created,
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "escalation-ladder",
                        "version": a.ladder_version,
                    }
                ]
            },
            "component": _system(a),
        },
        "components": made,
        "dependencies": [{"ref": "system", "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }


def _system(a: Assessment) -> dict[str, Any]:
    found = certified(a)
    name = found.system if found else "no system is recommended"
    return {
        "type": "machine-learning-model",
        "bom-ref": "system",
        "name": a.task.name,
        "version": a.created,
        "description": name,
        "modelCard": _model_card(a, found),
        "properties": _properties(
            {"task": a.task.digest, "seed": str(a.task.seed), "base": a.task.base}
            | {f"machine {key}": value for key, value in a.hardware.items()}
        ),
    }


def _model_card(a: Assessment, found: Certified | None) -> dict[str, Any]:
    refs = [{"ref": _ref("data", role)} for role in a.data.digests]
    return {
        "modelParameters": {"task": harmless(a.task.goal), "datasets": refs},
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(a, found))},
        "considerations": {
            "useCases": [harmless(a.task.goal)],
            "technicalLimitations": [
                f"measured on the rows of one task alone; intervals are of {level(a)}"
            ],
        },
    }


def _metrics(a: Assessment, found: Certified | None) -> Iterator[dict[str, Any]]:
    scorer = a.task.scorer
    if found is not None:
        yield _metric(f"{scorer}, held-out test set", found.score)
    chosen = a.chosen
    if chosen is not None and chosen.measurement is not None:
        yield _metric(f"{scorer}, eval set", chosen.measurement.score)
        for name, other in chosen.measurement.others.items():
            yield _metric(f"{name}, eval set", other)
    for name, one in slices(chosen).items():
        yield _metric(f"{scorer}, eval set", one) | {"slice": name}


def _metric(name: str, one: Estimate) -> dict[str, Any]:
    return {
        "type": f"{name}, n = {one.n}",
        "value": f"{one.mean:.4f}",
        "confidenceInterval": {"lowerBound": f"{one.low:.4f}", "upperBound": f"{one.high:.4f}"},
    }


def _models(
    a: Assessment, passport: Passport | None, licences: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    chosen = a.chosen
    if chosen is None and a.recommendation.control:  # no language model is part of it
        return
    prints = dict(chosen.measurement.fingerprint) if chosen and chosen.measurement else {}
    of_trained = {name: prints.pop(name) for name in OF_TRAINED if passport and name in prints}
    parts = passport.base_parts if passport else {}
    base = {
        "type": "machine-learning-model",
        "name": a.task.base,
        **_licensed(licences.get(a.task.base)),
        "properties": _properties({**prints, **{f"part {k}": v for k, v in parts.items()}}),
    }
    yield base | {"bom-ref": "base"}
    if passport is None:
        return
    values = of_trained | {f"part {name}": digest for name, digest in passport.parts.items()}
    values |= {f"recipe {name}": digest for name, digest in passport.recipe_digests.items()}
    values |= {"training examples": passport.data, "precision": passport.precision or "not said"}
    yield {
        "type": "machine-learning-model",
        "bom-ref": "trained",
        "name": f"{passport.kind} by {passport.recipe}",
        "version": passport.created,
        "pedigree": {"ancestors": [base]},
        "properties": _properties(values),
    }


def _data(a: Assessment) -> Iterator[dict[str, Any]]:
    for role, digest in a.data.digests.items():
        is_sha = SHA256.fullmatch(digest)
        yield {
            "type": "data",
            "bom-ref": _ref("data", role),
            "name": role,
            "data": [{"type": "dataset", "name": role}],
            **(
                {"hashes": [{"alg": "SHA-256", "content": digest}]}
                if is_sha
                else {"properties": _properties({"digest": digest})}
            ),
        }


def _libraries(a: Assessment, licences: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, version in a.versions.items():
        is_python = name == "python"
        made: dict[str, Any] = {
            "type": "platform" if is_python else "library",
            "bom-ref": _ref("library", name),
            "name": name,
            "version": version,
        }
        if not is_python:
            made["purl"] = f"pkg:pypi/{name.lower().replace('_', '-')}@{_quoted(version)}"
        yield made | _licensed(licences.get(name))


def _licensed(said: str | None) -> dict[str, Any]:
    return {"licenses": [{"license": {"name": said}}]} if said else {}


def _quoted(version: str) -> str:
    return version.replace("+", "%2B")


def _ref(kind: str, name: str) -> str:
    return f"{kind}: {name}"


def _properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"{OURS}:{name}", "value": str(value)} for name, value in values.items()]
