"""Decide whether to fine-tune a language model, on evidence from your own task."""

__version__ = "0.1.0"
