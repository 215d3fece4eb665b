"""The registry in the layout of the Hugging Face hub: a folder for each name.

Nothing is sent: the card's own `validate` and `push_to_hub` call the hub, and are not called. Every
number in a card comes from the run's records.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ladder.artefacts.card import CARD, LIBRARIES, RECORD, TAGS
from ladder.engines.passport import ENCODER, HEAD, PASSPORT, TOKENIZER, read_passport
from ladder.errors import EngineError, MissingExtraError
from ladder.evidence import Passport, Promoted
from ladder.files import private_folder, refuse_unwritable, write_whole
from ladder.lifecycle.plan import PLAN
from ladder.lifecycle.production import in_production
from ladder.lifecycle.promotion import CertifiedRun, read_certified, refuse_changed
from ladder.lifecycle.registry import Registry
from ladder.task import ModelRef
from ladder.wording import code, in_markdown, span

CANDIDATE = "candidate.json"
SETTINGS = ("config.json", "adapter_config.json", "generation_config.json", "tokenizer_config.json")
ALSO = (*SETTINGS, "chat_template.jinja", RECORD, PASSPORT, *TOKENIZER, *HEAD, ENCODER[0])
"""Files of an artefact beside its *.safetensors; a pickle is never copied."""


def hand_to_hub(registry: Registry, out: Path) -> Iterator[str]:
    """Write what is in production, a folder a name: card, system, artefact and passport.

    Args:
        registry: what is in production.
        out: where the folders go.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        EngineError: an artefact is not there, or has no passport.
        TaskError, DataError: a run is not there.
    """
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "huggingface_hub", 'pip install "escalation-ladder[local]"'
        ) from None
    refuse_unwritable(out)
    for name, found in in_production(registry.entries).items():
        entry = found.champion
        refuse_changed(entry, registry.path.parent / entry.place)
        certified = read_certified(registry.path.parent / entry.place)
        folder = private_folder(out / name)
        passport = _copy(certified, folder)
        write_whole(folder / CARD, card_of(entry, certified, passport))
        yield f"{name}: {folder}"
        if passport is not None:
            yield (
                f"  its {PASSPORT} names folders of this machine and holds training prompts in "
                "plain text: read it before you hand it on"
            )
    yield "Nothing was sent. Look at it first, then: huggingface-cli upload"


def _copy(found: CertifiedRun, folder: Path) -> Passport | None:
    """Copy what a system consists of; return the passport of what was trained for it."""
    candidate = found.plan.candidate
    if candidate is None:
        return None
    places = {"adapter", "build", *(("model",) if _is_path(candidate.model) else ())}
    values = candidate.model_dump_json(indent=2, exclude=places)
    write_whole(folder / CANDIDATE, values + "\n")
    made = candidate.adapter or candidate.build.folder
    if not made:
        return None
    source = Path(made)
    passport = read_passport(source)
    if passport is None:
        raise EngineError(f"{source} has no {PASSPORT}: nothing vouches for it. Train it again")
    for path in [*sorted(source.glob("*.safetensors")), *(source / name for name in ALSO)]:
        if path.is_file():
            shutil.copy2(path, folder / path.name)
    return passport


def card_of(entry: Promoted, found: CertifiedRun, passport: Passport | None) -> str:
    """Return the card of what is in production: YAML as the hub reads it, then Markdown."""
    from huggingface_hub import ModelCard, ModelCardData

    candidate, task = found.plan.candidate, found.assessment.task
    base, revision = _base(entry, passport)
    head = ModelCardData(
        model_name=entry.name,
        base_model=base,
        base_model_relation=_relation(passport) if base else None,
        library_name=LIBRARIES.get(passport.kind) if passport else "escalation-ladder",
        pipeline_tag=TAGS.get(passport.kind) if passport else None,
        tags=["escalation-ladder", entry.rung],
        eval_results=_results(found),
    )
    at = f" at revision {code(revision)}" if revision else ""
    what = in_markdown(candidate.description) if candidate else in_markdown(found.plan.control)
    parts = [
        f"---\n{yaml.safe_dump(head.to_dict(), sort_keys=False)}---\n",
        f"# {entry.name}\n",
        f"{in_markdown(task.goal)}\n",
        f"The rung {code(entry.rung)}: {what}" + (f", on {code(base)}{at}.\n" if base else ".\n"),
        "## How well it answers\n",
        *_scores(found),
        "\n## How it came into production\n",
        f"- promoted {entry.at[:10]}, plan (sha256) {entry.system.plan[:16]}",
        f"- release check: {(entry.release or 'none, the first of its name')[:40]}",
        f"- passport: {'beside this card' if passport else 'nothing was trained'}",
        f"- {PLAN}, {entry.system.created[:10]}: measured again every "
        f"{found.plan.every_days} days\n",
    ]
    card = ModelCard("\n".join(parts), ignore_metadata_errors=False)
    return str(card.content)


def _scores(found: CertifiedRun) -> Iterator[str]:
    task, baseline = found.assessment.task, found.plan.baseline
    of_eval = f"{span(baseline.gate_rows)} on {baseline.gate_rows.n} eval examples"
    yield in_markdown(f"- {task.scorer} {of_eval} (mean, 95 % interval)").removeprefix("\\")
    if baseline.sealed_rows is not None:
        sealed = baseline.sealed_rows
        yield f"- {in_markdown(f'{span(sealed)} on {sealed.n} held-out test examples, read once')}"


def _results(found: CertifiedRun) -> list[Any]:
    """Return the scores as the hub's index has them; it has no field for an interval."""
    from huggingface_hub import EvalResult

    task, baseline = found.assessment.task, found.plan.baseline
    named = {"test": baseline.sealed_rows, "eval": baseline.gate_rows}
    return [
        EvalResult(
            task_type="text-generation",
            task_name=task.goal,
            dataset_type=task.name,
            dataset_name=f"{task.name}, {split} examples",
            dataset_split=split,
            dataset_revision=found.plan.pinned.get("data: test"),
            metric_type=task.scorer,
            metric_name=f"{task.scorer}, mean of {score.n} (95 % interval {score.low:.4f} to "
            f"{score.high:.4f})",
            metric_value=score.mean,
        )
        for split, score in named.items()
        if score is not None
    ]


def _relation(passport: Passport | None) -> str | None:
    return None if passport is None else "adapter" if passport.kind == "adapter" else "finetune"


def _base(entry: Promoted, passport: Passport | None) -> tuple[str | None, str]:
    """Return the name of the base and its revision."""
    if passport is not None:
        base, _, revision = passport.base.partition("@")
        return (base if passport.base_parts else None), revision
    if not entry.model or _is_path(entry.model):
        return None, ""
    ref = ModelRef(entry.model)
    return ref.name, (ref.place or "") if ref.kind == "hf" else ""


def _is_path(model: str) -> bool:
    """Tell whether a reference names a folder: no card says where something lay."""
    return ModelRef(model).name.startswith((".", "/", "~"))
