"""The data card: Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html).

Counts and digests are the record's; no row is in it. Licence, creator and address are not known to
a run: they are left out, and the pack asks a human for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ladder.evidence import Assessment, DataReport

CONFORMS = "http://mlcommons.org/croissant/1.1"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The specification's own: its validator warns of any other."""
FORMATS = {
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".parquet": "application/x-parquet",
    ".gz": "application/gzip",
}


def data_card(a: Assessment, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the card of the rows that a run learnt from and was measured on.

    Args:
        a: the run.
        files: role of the data (`train`, `test`) -> the name of its file; an unknown one is named
            by its role.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": a.task.name,
        "description": f"The rows of the task: {a.task.goal} {counts(a.data)}",
        "dateModified": a.created[:10],
        "distribution": [
            _file(role, digest, files.get(role, role)) for role, digest in a.data.digests.items()
        ],
        "rai:dataPreprocessingProtocol": preprocessing(a.data),
        "rai:dataLimitations": limitations(a.data),
    }


def _file(role: str, digest: str, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": role,
        "name": role,
        "contentUrl": name,
        "encodingFormat": FORMATS.get(PurePath(name).suffix.lower(), "application/octet-stream"),
        "sha256": digest,
    }


def counts(d: DataReport) -> str:
    """Say how many rows there are, and what each part is for."""
    return (
        f"{d.train:,} training examples ({d.synthetic:,} marked as written by a model), "
        f"{d.dev:,} that choose between candidates (dev), {d.gate:,} that measure (eval, "
        f"{d.units:,} independent units), {d.sealed:,} held-out test examples, {d.reserve:,} in "
        f"reserve, {d.documents:,} documents, {d.unlabeled:,} rows without a target."
    )


def preprocessing(d: DataReport) -> str:
    """Say what was done to the rows before anything was measured."""
    return (
        f"{d.duplicates:,} near-duplicates of rows in an earlier split set aside; "
        f"not counted: {len(d.contaminated):,} held-out examples that repeat a training example, "
        f"and {len(d.look_alikes):,} that differ from one in a number or a name only; "
        f"{d.contradicting:,} rows that contradict an earlier one set aside. How the rows "
        "were obtained, selected, labelled and cleaned before is not known to the run."
    )


def limitations(d: DataReport) -> str:
    """Say what is wrong with the rows, as far as they tell it themselves."""
    noise = "Label noise was not looked for."
    if d.labelled and d.label_noise:
        noise = (
            f"At least {100 * d.label_noise:.1f} % of {d.labelled:,} targets are wrong, by rows "
            "that contradict each other."
        )
    elif d.labelled:
        noise = (
            f"None of {d.labelled:,} targets contradicts another; whether they are right was not "
            "measured otherwise."
        )
    shared = f" {d.shared_groups:,} groups have rows in train and in held-out examples."
    return noise + (shared if d.shared_groups else "")
