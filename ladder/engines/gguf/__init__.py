"""A GGUF file, answered by llama.cpp in a process of its own, on this machine."""

from ladder.engines.gguf.engine import GgufEngine

__all__ = ["GgufEngine"]
