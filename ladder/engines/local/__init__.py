"""Answers from a transformers model on this machine."""

from ladder.engines.local.engine import LocalEngine
from ladder.engines.local.loading import ADAPTER, load_gguf, load_model, reuse_freed_memory

__all__ = ["ADAPTER", "LocalEngine", "load_gguf", "load_model", "reuse_freed_memory"]
