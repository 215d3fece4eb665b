"""Hand a trained artefact on: merged into its base, or as one GGUF file. Proven by its canaries."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ladder.artefacts.canaries import Drift, check_canaries
from ladder.artefacts.card import RECORD, write_card
from ladder.artefacts.gguf_file import write_gguf
from ladder.engines.local import LocalEngine, load_gguf
from ladder.engines.local.template import DATE, Template
from ladder.engines.passport import PASSPORT, TOKENIZER, parts_of
from ladder.errors import EngineError
from ladder.evidence import Canaries, Passport
from ladder.files import clear_disk_errors, write_whole
from ladder.wording import in_json

BESIDE = (*TOKENIZER, "tokenizer_config.json", "chat_template.jinja")

Writer = Callable[[LocalEngine, Passport, Canaries, Path], list[str]]
"""(engine of the artefact, its passport and canaries, a new place) -> what to tell the user."""


def export(engine: LocalEngine, passport: Passport, to: str, target: Path) -> list[str]:
    """Write an artefact in another form, and check that it answers as its passport says.

    Args:
        engine: opened on the artefact.
        passport: of the artefact.
        to: a key of TARGETS.
        target: the folder or file to write; it must not be there yet.

    Returns:
        what was written, how far it moved, and a command that serves it.

    Raises:
        EngineError: it cannot be written in this form, or answers otherwise; nothing is left then.
    """
    if passport.canaries is None:
        raise EngineError(f"{target}: the passport holds no canaries to prove an export with")
    if target.exists():
        raise EngineError(f"{target} is there already; name another place with --into")
    with clear_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            made = scratch / target.name
            said = TARGETS[to](engine, passport, passport.canaries, made)
            made.replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return [f"wrote {target}", *(line.replace(str(made), str(target)) for line in said)]


def _merged(engine: LocalEngine, passport: Passport, canaries: Canaries, made: Path) -> list[str]:
    """Write the base with the adapter merged into it, in the precision that it answers in."""
    if engine.adapter is None:
        raise EngineError(
            f"{engine.folder} is a whole model already: load it as hf:{engine.folder}"
        )
    engine.model.save_pretrained(made)
    for name in BESIDE:
        if (engine.folder / name).is_file():
            shutil.copyfile(engine.folder / name, made / name)
    if (engine.adapter / RECORD).is_file():
        shutil.copyfile(engine.adapter / RECORD, made / RECORD)
    drift = check_canaries(LocalEngine(made), canaries, exported=True)
    _refuse_moved(drift)
    whole = passport.but(kind="model", parts=parts_of(made))
    write_whole(made / PASSPORT, in_json(whole.model_dump_json(indent=2)) + "\n")
    write_card(made)
    return [
        _proof(drift),
        f"answer with it: hf:{made}",
        f"serve it: vllm serve {made}",
        *_ask(passport, engine.template),
    ]


def _gguf(engine: LocalEngine, passport: Passport, canaries: Canaries, made: Path) -> list[str]:
    """Write one GGUF file, read it back with transformers, and ask its canaries."""
    name = (engine.adapter or engine.folder).name
    write_gguf(engine.model, engine.tokenizer, engine.folder, made, name)
    read = LocalEngine(engine.folder)
    read.model = load_gguf(made)  # the prompts are cut by the same tokenizer as before
    drift = check_canaries(read, canaries, exported=True)
    _refuse_moved(drift)
    serve = f"serve it: llama-server -m {made}"
    if passport.prompt == "chat":
        serve += " --jinja"
    return [_proof(drift), serve, *_ask(passport, engine.template)]


def _ask(passport: Passport, template: Template) -> list[str]:
    """Say how a served model wants to be asked, for the prompts that it was measured with."""
    if passport.prompt == "chat":
        said = ["ask it: /v1/chat/completions"]
        if not template.system:
            said.append("without a system turn: the instruction begins the first user turn")
        if template.dated:
            day = f"{DATE:%d %B %Y}"
            said.append(f"its template writes today's date; here it was asked as on {day}")
        if template.header:
            said.append(
                f"its template does not begin the answer: add {json.dumps(template.header)}"
            )
        return said
    if not passport.prompt:
        return []
    form = json.dumps(passport.prompt, ensure_ascii=False)
    return [f"ask it: /v1/completions, not chat, with the prompt {form}"]


TARGETS: dict[str, Writer] = {"merged": _merged, "gguf": _gguf}
"""To add a form: a function that writes and proves it, and a line here."""


def _refuse_moved(drift: Drift) -> None:
    if not drift.holds:
        raise EngineError(
            f"the export answers otherwise: {drift.moved} canaries moved, by up to "
            f"{drift.largest:.3f} nats where {drift.tolerance:.3f} is allowed. It is not kept"
        )


def _proof(drift: Drift) -> str:
    return (
        f"its canaries answer as before: moved by at most {drift.largest:.4f} nats, "
        f"{drift.tolerance:.3f} allowed"
    )
