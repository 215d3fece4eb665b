"""Answers from any OpenAI-compatible chat endpoint."""

from ladder.engines.endpoint.access import is_loopback
from ladder.engines.endpoint.engine import EndpointEngine

__all__ = ["EndpointEngine", "is_loopback"]
