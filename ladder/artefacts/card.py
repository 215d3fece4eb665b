"""The model card of a trained artefact: every number in it comes from a record on disk.

Texts in its sentences are escaped where they are put together, one line of a list at a time.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ladder.engines.bundled import MODELS, bundled_licence
from ladder.engines.passport import read_passport, read_settings
from ladder.errors import DataError, TrainingError
from ladder.evidence import Assessment, Attempt, Passport
from ladder.files import read_text, write_whole
from ladder.json_values import is_finite
from ladder.wording import code, duration, fenced, in_markdown, latency, span

CARD = "README.md"
LIBRARIES = {
    "adapter": "peft",
    "encoder": "escalation-ladder",
    "head": "escalation-ladder",
    "model": "transformers",
}
TAGS = {"adapter": "text-generation", "head": "text-classification", "model": "text-generation"}
RECORD = "training.json"
FIGURES = ("seconds", "tokens", "peak_memory_mb", "peak_gpu_memory_mb")


def write_card(
    folder: Path, assessment: Assessment | None = None, attempt: Attempt | None = None
) -> None:
    """Write the card of an artefact that has a passport, in place of the training library's own.

    Args:
        folder: of the artefact.
        assessment: in which it was measured, if it was.
        attempt: the rung of that assessment that answered with it.
    """
    passport = read_passport(folder)
    if passport is None or not (folder / RECORD).is_file():
        return
    record = read_training(folder)
    measured = _measured(assessment, attempt) if assessment and attempt else []
    text = model_card(
        folder.name, passport, record, licence_of(Path(passport.base_folder)), measured
    )
    write_whole(folder / CARD, text)


def read_training(folder: Path) -> dict[str, Any]:
    """Return what a finished training left of itself.

    Raises:
        EngineError: it is no JSON object.
        TrainingError: a figure is missing, or is none.
    """
    path = folder / RECORD
    record = read_settings(path)
    figures = {**dict.fromkeys(FIGURES, ""), **dict.fromkeys(("rows", "steps"), 0), **record}
    wrong = [name for name in (*FIGURES, "rows", "steps") if not _is_figure(figures[name])]
    curve = record.get("loss_curve") or []
    pairs = isinstance(curve, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_figure, pair)) for pair in curve
    )
    wrong += [] if pairs else ["loss_curve"]
    if wrong:
        fix = "Put the original file back, or move the folder away to train anew"
        raise TrainingError(f"{path}: {', '.join(wrong)}: not what a training leaves. {fix}")
    return record


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and is_finite(value)


def model_card(
    name: str,
    passport: Passport,
    record: Mapping[str, Any],
    licence: str | None = None,
    measured: list[str] | None = None,
) -> str:
    """Return the card as Markdown, headed by the YAML that the Hugging Face hub reads."""
    from huggingface_hub import ModelCardData

    adapter = passport.kind == "adapter"
    base, _, revision = passport.base.partition("@")
    relation = "adapter" if adapter else "finetune"
    head = ModelCardData(
        base_model=base if passport.base_parts else None,
        base_model_relation=relation if passport.base_parts else None,
        library_name=LIBRARIES.get(passport.kind, "transformers"),
        license=licence,
        pipeline_tag=TAGS.get(passport.kind),
        tags=["escalation-ladder", passport.recipe],
    )
    whats = {
        "adapter": "An adapter for",
        "encoder": "An encoder that fills in the fields of an answer, trained from",
        "head": "A linear classifier on",
    }
    what = whats.get(passport.kind, "A model trained from")
    at = f" at revision {code(revision)}" if revision else ""
    made = f"made by the recipe {code(passport.recipe)}"
    parts = [
        # Its own to_yaml leaves signs in that act on a terminal.
        f"---\n{yaml.safe_dump(head.to_dict(), sort_keys=False)}---\n",
        f"# {in_markdown(name)}\n\n{what} {code(base)}{at}, {made}.\n",
        f"## How to load it\n\n{_loading(name, passport)}",
        f"## What it was trained on\n\n{_lines(_trained(passport, record))}",
        f"## How well it answers\n\n{_lines(measured or ['Not measured yet: `ladder assess`.'])}",
        f"## Limits\n\n{_lines(_limits(passport, licence))}",
    ]
    return "\n".join(parts)


def _loading(name: str, passport: Passport) -> str:
    quoted = partial(json.dumps, ensure_ascii=False)  # a text of Python's as well
    base = passport.base.partition("@")[0]
    bundled = base in MODELS  # a card is passed on: no path of this machine stands in it
    adapter = [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        *(["from ladder.engines.bundled import bundled_folder", ""] if bundled else [""]),
        f"base = bundled_folder({quoted(base)})"
        if bundled
        else f"base = {quoted(base)}  # its hub id, or the folder where it lies",
        "tokenizer = AutoTokenizer.from_pretrained(base)",
        "model = AutoModelForCausalLM.from_pretrained(base)",
        f"model = PeftModel.from_pretrained(model, {quoted(name)})",
    ]
    whole = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"tokenizer = AutoTokenizer.from_pretrained({quoted(name)})",
        f"model = AutoModelForCausalLM.from_pretrained({quoted(name)})",
    ]
    other = [
        "from transformers import AutoModel",
        "",
        f"model = AutoModel.from_pretrained({quoted(name)})",
    ]
    reference = quoted(f"{passport.kind}:{name}")
    own = ["from ladder.engines import open_engine", "", f"engine = open_engine({reference})"]
    known = {"adapter": adapter, "encoder": own, "head": own, "model": whole, "other": other}
    lines = known[passport.kind]
    check = code(f"ladder passport {shlex.quote(name)}")
    said = f"{check} checks that it is what it was, and answers as it did."
    return "\n".join([*fenced("\n".join(lines), "python"), "", *_asking(passport), said, ""])


def _asking(passport: Passport) -> list[str]:
    """Say in which form it was trained to be asked."""
    if passport.prompt == "chat":
        return ["It was trained on chats, in the base's chat template.", ""]
    if not passport.prompt:
        return []
    said = "Ask it as it was trained, in plain text and without a chat template:"
    return [said, "", *fenced(passport.prompt), ""]


def _trained(passport: Passport, record: Mapping[str, Any]) -> list[str]:
    curve = record.get("loss_curve") or []
    changed = ", ".join(f"{key}={value}" for key, value in passport.overrides.items())
    found = {
        "rows": "{:,} training examples (sha256 {}); none of them is in this card",
        "steps": "{:,} steps",
        "tokens": "{:,} tokens",
        "trained_parameters": "{:,} parameters trained",
    }
    lines = [
        text.format(record[name], passport.data[:16])
        for name, text in found.items()
        if record.get(name) is not None
    ]
    lines.append(
        f"{duration(record['seconds'])}, {record['peak_memory_mb']:,.0f} MB of memory at the peak"
    )
    if passport.precision:
        lines.append(f"trained in {passport.precision}")
    if curve:
        lines.append(f"loss {curve[0][1]:.3f} at step {curve[0][0]}, {curve[-1][1]:.3f} at the end")
    digests = ", ".join(f"{name} {digest[:16]}" for name, digest in passport.recipe_digests.items())
    lines.append(f"recipe (sha256): {digests}" + (f"; changed: {changed}" if changed else ""))
    base = ", ".join(f"{part} {digest[:16]}" for part, digest in passport.base_parts.items())
    lines.append(f"base (sha256): {base}")
    lines.append(", ".join(f"{name} {version}" for name, version in passport.versions.items()))
    return lines


def _measured(assessment: Assessment, attempt: Attempt) -> list[str]:
    found = attempt.measurement
    if found is None:
        return []
    task = assessment.task
    lines = [
        f"task `{task.name}` (sha256 {task.digest[:16]}), {assessment.created[:10]}",
        f"{task.scorer} {span(found.score)} (mean, 95 % interval) on {found.score.n} held-out "
        f"examples: {attempt.status} at a gate of {task.gate['min_score']}",
    ]
    chosen = assessment.recommendation
    if chosen.rung == attempt.rung and chosen.confirmed is not None:
        lines.append(
            f"{span(chosen.confirmed)} on {chosen.confirmed.n} held-out test examples, read once"
        )
    if assessment.control is not None and assessment.control.lines:
        best = assessment.control.best
        lines.append(f"without a language model: {span(best.score)} ({best.name})")
    if found.latency_ms is not None:
        timed = f"of {found.latency_ms.n:,} timed requests"
        p95 = f"p95 {latency(found.latency_ms.p95)} {timed}"
        lines.append(f"{p95} on {assessment.hardware['processor']}")
    return lines


def _limits(passport: Passport, licence: str | None) -> list[str]:
    lines = ["Made for the one task it was trained on; nothing is known of its answers elsewhere."]
    if passport.kind == "adapter":
        lines.append("Fits this base alone, with its own tokenizer and chat template.")
    if passport.canaries is not None:
        seen = passport.canaries
        lines.append(
            f"{len(seen.prompts)} canary prompts are in its passport, with training prompts in "
            f"plain text: first tokens may move by {seen.tolerance:.3f} nats ({seen.precision}, "
            f"{seen.device}; noise {seen.noise:.3f})."
        )
    if licence is None:
        lines.append("The base's folder names no licence: look it up before you pass this on.")
    return lines


def _lines(lines: list[str]) -> str:
    return "".join(f"- {in_markdown(line)}\n" for line in lines)


def licence_of(base: Path) -> str | None:
    """Return the licence that a model's package or its own card states, if one does."""
    if named := bundled_licence(base):
        return named
    card = base / CARD
    try:
        text = read_text(card, "a model card") if card.is_file() else ""
    except DataError:
        return None
    from huggingface_hub import ModelCard

    try:
        said = ModelCard(text, ignore_metadata_errors=True).data.license
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return str(said) if said else None
