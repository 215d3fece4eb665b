"""Answers of a local model from the workers of a Ray cluster.

The driver, which is the process that assesses, alone owns the cache, the looks and the verdicts. It
cuts each call into chunks by their content (`base.Chunked`), hands them to the workers, and counts
every loss: Ray itself tries nothing again.
"""

from ladder.engines.sharded.connection import whole_address
from ladder.engines.sharded.crew import Crew, Place
from ladder.engines.sharded.engine import ShardedEngine

__all__ = ["Crew", "Place", "ShardedEngine", "whole_address"]
