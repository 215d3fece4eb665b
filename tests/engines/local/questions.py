"""What the tests of the local engine ask the bundled model, and that model in full precision."""

from __future__ import annotations

from pathlib import Path

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine

GOAL = "Answer the question in a few words."
QUESTIONS = (
    "What is the capital of France?",
    "Which planet do we live on, and what is the name of its moon?",
    "Name a colour.",
    "Who wrote Romeo and Juliet, when, and in which language was it first printed?",
    "2 + 2 =",
    "Is ice warmer than water?",
)


def chat(question: str, **more: object) -> Request:
    return Request(messages=(("system", GOAL), ("user", question)), **more)


def in_float32(folder: Path) -> LocalEngine:
    """Open a model; in full precision padding changes no bit that decides an answer."""
    engine = LocalEngine(folder)
    engine.model.float()
    return engine
