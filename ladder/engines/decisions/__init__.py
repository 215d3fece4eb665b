"""Answers to typed questions: a label with a probability for each option, and no text."""

from ladder.engines.decisions.engine import DecisionEngine
from ladder.engines.decisions.wires import OpenAIDecisions, SystemOne
from ladder.engines.endpoint.wire import Wire

__all__ = ["WIRES", "DecisionEngine", "OpenAIDecisions", "SystemOne"]

WIRES: dict[str, Wire] = {"systemone": SystemOne(), "decisions": OpenAIDecisions()}
"""Kind of a model reference -> the form of its questions."""
