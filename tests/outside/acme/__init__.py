"""A package outside ladder that brings a rung, an engine, a scorer and a scheduler: a line each."""

from acme import checklist, far, starts_with, sundial
from ladder.engines import ENGINES, Kind
from ladder.lifecycle.schedules import TARGETS
from ladder.rungs import LADDER
from ladder.scorers import SCORERS

LADDER.insert(1, checklist)
ENGINES["far"] = Kind(far.open_far, served=True)
SCORERS["starts_with"] = starts_with.starts_with
TARGETS["sundial"] = sundial.as_sundial
