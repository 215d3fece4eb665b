"""Load a model for inference: what a folder must hold, its weights, an adapter merged into them."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ladder.engines.passport import refuse_pickle
from ladder.errors import EngineError, MissingExtraError, NoEffectError
from ladder.hardware import precision

ADAPTER = "adapter_config.json"


def refuse_other(folder: Path, adapter: Path | None) -> None:
    """Refuse folders that hold something else than a model and an adapter in safetensors.

    Raises:
        EngineError: one of them holds no model, no adapter, or pickles.
    """
    if not (folder / "config.json").is_file():
        if (folder / ADAPTER).is_file():
            fix = f"`ladder export {folder} --to merged` makes a model of it"
            raise EngineError(f"{folder} holds an adapter, not a model: {fix}")
        raise EngineError(f"{folder} holds no model: there is no config.json in it")
    refuse_pickle(folder)
    if adapter is not None:
        if not (adapter / ADAPTER).is_file():
            raise EngineError(f"{adapter} holds no adapter: there is no {ADAPTER} in it")
        refuse_pickle(adapter)


def transformers_version() -> str:
    """Return the installed version, which an answer may depend on.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    try:
        return version("transformers")
    except PackageNotFoundError:
        raise MissingExtraError("transformers", 'pip install "escalation-ladder[local]"') from None


def quiet_transformers() -> Any:
    """Import transformers, and keep it from writing to the terminal.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("transformers", 'pip install "escalation-ladder[local]"') from None
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # It misses a kernel of the hub's, aloud, which nothing here asks for.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    return transformers


def load_model(folder: Path, adapter: Path | None, own_code: bool = False) -> Any:
    """Load weights for inference, with the adapter merged into them.

    Raises:
        EngineError: the weights cannot be loaded.
        NoEffectError: the adapter does not change the answers.
        MissingExtraError: torch, transformers or peft is not installed.
    """
    transformers = quiet_transformers()
    import torch

    reuse_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, precision()),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=own_code,
        ).to(device)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        fix = (
            "Wanted: safetensors weights of an architecture that transformers itself has; code in "
            "a folder runs only where rules.remote_code names the model, and with your consent"
        )
        raise EngineError(f"{folder} cannot be loaded. {fix}. {why}") from None
    model.eval()
    return model if adapter is None else _with_adapter(model, adapter)


def _with_adapter(model: Any, adapter: Path) -> Any:
    """Merge an adapter into a model, and prove on one forward pass that it changes the answers."""
    import torch

    # It reports that optional kernels are not downloaded; nothing here needs them.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingExtraError("peft", 'pip install "escalation-ladder[train]"') from None
    probe = torch.arange(100, 132, device=model.device)[None]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        before = model(probe).logits.float()
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        change = float((model(probe).logits.float() - before).abs().max())
    if change == 0:
        raise NoEffectError(f"the adapter in {adapter} does not change the model's answers")
    model.eval()
    return model


def load_gguf(file: Path) -> Any:
    """Load a GGUF file for inference, in the precision of this machine."""
    transformers = quiet_transformers()
    import torch

    with redirect_stderr(io.StringIO()):  # its own bar cannot be turned off otherwise
        model = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=getattr(torch, precision()),
            local_files_only=True,
        )
    model.eval()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def reuse_freed_memory() -> None:
    """Keep freed memory in the process (glibc), instead of faulting it in anew for every batch.

    Batches of varying length otherwise spend nearly half their time on page faults.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no separate mapping per large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: do not give the heap's top back
