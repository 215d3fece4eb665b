"""What a recipe says, made ready: fields, precision, tokenizer, how weights are loaded."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

BF16_UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Flags of processors that multiply bfloat16 themselves (x86, x86 with tiles, Arm)."""


WITHOUT_BF16 = frozenset(
    {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
)
"""Values of ONEDNN_MAX_CPU_ISA under which PyTorch leaves those units alone."""


@dataclass
class Files:
    """What a program reads, beside the fields of its trainer."""

    train_file: str = field(metadata={"help": "JSON lines."})
    program: str = field(default="sft.py", metadata={"help": "The program that runs this recipe."})
    starts_from: str = field(
        default="base",
        metadata={"help": "base or student: which model `ladder train` puts in context."},
    )


def parse(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Read the YAML after --config, and what the command line changes in it.

    Args:
        parts: the dataclasses whose fields the YAML may name; a key that none of them has ends the
            program with the nearest one that there is.
    """
    import torch
    from trl import TrlParser

    has_place = any(each.name == "use_cpu" for part in parts for each in fields(part))
    if has_place and not torch.cuda.is_available() and "--use_cpu" not in sys.argv:
        sys.argv += ["--use_cpu", "true"]
    torch.use_deterministic_algorithms(True, warn_only=True)
    _reuse_freed_memory()
    _keep_few_kernels()
    parser = TrlParser(parts)
    parser.allow_abbrev = False  # else `--learning_rat` is taken for the field that it begins
    _settle_precision(parser)
    try:
        found: tuple[Any, ...] = parser.parse_args_and_config()
    except ValueError as error:
        unknown = re.findall(r"'?--(\w+)'?|\['(\w+)'", str(error))
        stop(_nearest(unknown[0][0] or unknown[0][1], parts) if unknown else str(error))
    return found


def precision() -> str:
    """Return `bfloat16` where this machine computes in it, else `float32`.

    A step in emulated bfloat16 takes many times one in float32. `ladder.hardware` has the same
    rule, for what answers and what is foreseen.
    """
    import torch

    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float32"
    return precision_of(processor_flags(), os.environ.get("ONEDNN_MAX_CPU_ISA", ""))


def precision_of(flags: Collection[str], most: str) -> str:
    """Return the precision of a processor.

    Args:
        flags: what it can do, as Linux names it.
        most: the most of that which PyTorch may use, as oneDNN names it; empty: all of it.
    """
    has_unit = not BF16_UNITS.isdisjoint(flags) and most.upper() not in WITHOUT_BF16
    return "bfloat16" if has_unit else "float32"


def processor_flags() -> frozenset[str]:
    """Return what the processor can do, as Linux names it; nothing where that is not known."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        with info.open(errors="replace") as lines:
            for line in lines:
                if line.startswith(("flags", "Features")):
                    return frozenset(line.partition(":")[2].split())
    return frozenset()


def _settle_precision(parser: Any) -> None:
    """Let `auto` mean this machine's precision, in the YAML and on the command line.

    `dtype` is that of the weights; to transformers its `auto` would be what the checkpoint has.
    `bf16` lets full-precision weights be computed with in bfloat16; TRL's own default for it is
    yes where `fp16` is not set, whatever the processor.
    """
    for action in parser._actions:
        if action.dest == "dtype":
            action.type = _settled_dtype
        if action.dest == "bf16":
            action.default = None if precision() == "bfloat16" else False
            action.type = partial(_settled_bf16, action.type)


def _settled_dtype(text: str) -> str:
    return precision() if text == "auto" else text


def _settled_bf16(as_bool: Callable[[str], bool], text: str) -> bool:
    return precision() == "bfloat16" if text == "auto" else as_bool(text)


def _nearest(unknown: str, parts: Sequence[Any]) -> str:
    known = [each.name for part in parts for each in fields(part)]
    near = difflib.get_close_matches(unknown, known, 1)
    meant = f"did you mean `{near[0]}`?" if near else "the fields are TRL's and PEFT's own"
    return f"unknown key `{unknown}`: {meant}"


def local_only(model: Any) -> dict[str, Any]:
    """Return how to load from a folder without asking a hub, or from a hub at a revision."""
    here = Path(model.model_name_or_path).is_dir()
    return {"local_files_only": True} if here else {"revision": model.model_revision}


def usual_attention(dtype: str | None) -> str:
    """Return what attends where a recipe does not say.

    On a CPU the plain one, whose backward pass on short rows takes a third of the fused one's
    (`benchmarks/training.py --step`); on a GPU flash attention where that is installed and numbers
    have 16 bits, else PyTorch's fused one.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    if not torch.cuda.is_available():
        return "eager"
    of_16_bits = dtype in ("bfloat16", "float16")
    return "flash_attention_2" if of_16_bits and is_flash_attn_2_available() else "sdpa"


def loading(model: Any) -> dict[str, Any]:
    """Return the loading arguments that the recipe names: precision, attention, place."""
    return {
        "dtype": model.dtype,
        "attn_implementation": model.attn_implementation or usual_attention(model.dtype),
        "use_safetensors": True,
        **local_only(model),
    }


def without_padding(settings: Any, model: Any) -> bool:
    """Let rows stand end to end where flash attention attends; return whether a batch's do.

    It keeps them apart by their positions, and the batches are the same ones. TRL takes no
    `max_length` then: rows that are longer have been left out by `fitting`.
    """
    if loading(model)["attn_implementation"].startswith("flash_attention"):
        settings.padding_free = True
    if settings.padding_free and not settings.packing:
        settings.max_length = None
    return bool(settings.padding_free or settings.packing)


def tokenizer_of(model: Any, settings: Any, **more: Any) -> Any:
    """Return the tokenizer of the model that the recipe names."""
    from transformers import AutoTokenizer

    own_code = {"trust_remote_code": settings.trust_remote_code}
    return AutoTokenizer.from_pretrained(
        model.model_name_or_path, **own_code, **local_only(model), **more
    )


def trainer_arguments(
    settings: Any, model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what TRL's trainers are made with: model, settings, tokenizer, rows, adapters."""
    from datasets import Dataset
    from trl import get_peft_config, get_quantization_config

    settings.model_init_kwargs = loading(model)
    if getattr(settings, "completion_only_loss", True) is None:
        settings.completion_only_loss = True  # TRL's own choice for rows that have a prompt
    return {
        "model": model.model_name_or_path,
        "args": settings,
        "processing_class": tokenizer,
        "train_dataset": Dataset.from_list(list(rows)),
        "peft_config": get_peft_config(model),
        "quantization_config": get_quantization_config(model),
    }


def stop(message: str) -> NoReturn:
    """End the program; its last line says why."""
    sys.exit(message)


def _reuse_freed_memory() -> None:
    """Keep freed memory in the process (glibc): batches of varying length else fault it anew."""
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def _keep_few_kernels() -> None:
    """Let oneDNN keep the kernels of a few steps, not of all shapes that were ever seen.

    It keeps 1,024, each with its scratch memory, and so does PyTorch's layer over it; rows of many
    lengths have many shapes. On a CPU that took another GB within 24 steps, and saved no time.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "16")  # ideep, PyTorch's layer
