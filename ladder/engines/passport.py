"""What a trained artefact must be, and lie on, to be loaded: its passport, checked by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ladder.audit.weights import refuse_badly_signed
from ladder.errors import EngineError, PassportError, Problem
from ladder.evidence import Passport
from ladder.files import digest_of, folder_digests, read_record, read_text
from ladder.json_values import from_json

PASSPORT = "passport.json"
HEAD = ("head.json", "head.npz")
"""What a linear classifier consists of."""
ENCODER = ("form.json", "heads.safetensors")
"""What an encoder that fills in fields has beside its own files."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
PLACES = ("base_model_name_or_path", "_name_or_path", "_model_name_or_path")
"""Fields of a config that say where something lay, not what it is."""
TOKENIZER = ("tokenizer.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json")


def read_passport(folder: Path) -> Passport | None:
    """Return the passport in a folder, or None where there is none.

    Raises:
        PassportError: the file is no passport.
    """
    path = folder / PASSPORT
    if not path.exists() and not path.is_symlink():
        return None
    return read_record(path, Passport, "a passport", _no_passport)


def _no_passport(problems: Sequence[Problem]) -> PassportError:
    first = problems[0]
    fix = "Put the original back, or move it away to load the folder unchecked."
    return PassportError(f"{first.where}: {first.got}, so it is no passport. {fix}")


def parts_of(folder: Path) -> dict[str, str]:
    """Return the digest of each part of a model's or an adapter's folder that is there.

    The parts are those that answers depend on: weights, config, tokenizer, chat template.
    """
    weights = [*(path.name for path in folder.glob("*.safetensors")), *HEAD, ENCODER[0]]
    settings = _json(folder / "tokenizer_config.json")
    template = folder / "chat_template.jinja"
    inside = settings.pop("chat_template", None)
    configs = [_json(folder / name) for name in ("config.json", "adapter_config.json")]
    found = {
        "weights": folder_digests(folder, weights),
        "config": [{k: v for k, v in each.items() if k not in PLACES} for each in configs if each],
        "code": folder_digests(folder, sorted(path.name for path in folder.glob("*.py"))),
        "tokenizer": [*folder_digests(folder, TOKENIZER).items(), *settings.items()],
        "chat template": template.read_text(encoding="utf-8") if template.is_file() else inside,
    }
    return {name: digest_of(content) for name, content in found.items() if content}


def _json(path: Path) -> dict[str, Any]:
    return read_settings(path) if path.is_file() else {}


def read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file that a model or an artefact consists of.

    Raises:
        EngineError: there is none.
    """
    try:  # other programs' files: they may hold `Infinity`
        values = from_json(read_text(path, "a JSON object", _no_settings))
    except (ValueError, RecursionError) as error:
        said = str(error)[:100]
        raise EngineError(f"{path}: not JSON ({said}). Put the original file back") from None
    if not isinstance(values, dict):
        raise EngineError(f"{path}: no JSON object. Put the original file back")
    return values


def _no_settings(problems: Sequence[Problem]) -> EngineError:
    first = problems[0]
    return EngineError(f"{first.where}: {first.got}. Put the original file back")


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Say which parts differ, with the beginning of both digests."""
    return [
        f"{name}: got {found.get(name, 'nothing')[:12]}, wanted {wanted.get(name, 'nothing')[:12]}"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]


def refuse_changed(folder: Path, adapter: Path | None) -> None:
    """Refuse an artefact that is not what passport and signature say, before weights are loaded.

    A folder without a passport passes: it was not made here, or before there were passports. So
    does one without a signature.

    Args:
        folder: of the model.
        adapter: of the adapter to put on it, if there is one.

    Raises:
        MissingExtraError: there is a signature, and no library to check it with.
        PassportError: with the parts that differ, and how to fix it.
    """
    for artefact in (folder, adapter):
        if artefact:
            refuse_badly_signed(artefact)
        passport = read_passport(artefact) if artefact else None
        if artefact and passport:
            _refuse_own(artefact, passport)
    passport = read_passport(adapter) if adapter else None
    if passport is None:
        return
    found = differences(passport.base_parts, parts_of(folder))
    if found:
        other = (
            "the weights differ, so it is another model" if _weights(found) else "it was changed"
        )
        raise PassportError(
            f"{adapter}: trained on {passport.base}, and {folder} is not what that was ({other}). "
            f"{'; '.join(found)}. Name the base that it was trained on, put the changed file back, "
            "or train again on this base."
        )


def _refuse_own(artefact: Path, passport: Passport) -> None:
    found = differences(passport.parts, parts_of(artefact))
    if found:
        raise PassportError(
            f"{artefact}: not what its training left. {'; '.join(found)}. Put the original file "
            "back, or delete the folder and train again; if the change is meant, move its "
            f"{PASSPORT} away to load it unchecked."
        )


def _weights(found: list[str]) -> bool:
    return any(line.startswith("weights") for line in found)


def refuse_pickle(folder: Path) -> None:
    """Refuse a folder whose weights are only there as pickles: loading one can run any code.

    Raises:
        EngineError: with how to convert them.
    """
    names = sorted(path.name for path in folder.iterdir())
    pickles = [name for name in names if name.endswith(PICKLES) and name != "training_args.bin"]
    if pickles and not any(name.endswith(".safetensors") for name in names):
        convert = (
            "import sys, torch, safetensors.torch as s; s.save_file({k: v.clone() for k, v in "
            "torch.load(sys.argv[1], weights_only=True).items()}, sys.argv[2], {'format': 'pt'})"
        )
        raise EngineError(
            f"{folder}: got weights as a pickle ({pickles[0]}), wanted safetensors: a pickle can "
            "run code when it is loaded. Where you trust the file, convert it once: "
            f'python -c "{convert}" {folder / pickles[0]} {folder / _safe_name(pickles[0])}'
        )


def _safe_name(pickle: str) -> str:
    stem = Path(pickle).stem
    return f"{'model' if stem == 'pytorch_model' else stem}.safetensors"
