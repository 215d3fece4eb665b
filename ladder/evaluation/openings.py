"""For how many systems the held-out test set has been read: every further one uses it up.

A confirmation holds at its confidence for a system that was fixed before the test set was read.
Whoever reads it, changes the task and reads it again has begun to choose by it (Dwork et al., 2015,
The reusable holdout).
"""

from __future__ import annotations

from ladder.evaluation.recorded import note_opening
from ladder.files import digest_of
from ladder.inference.evaluator import Evaluator


def openings(evaluator: Evaluator, system: object) -> int:
    """Count a system among those that these test examples were read for; return how many there are.

    It is kept with the completions, in the folder of runs, and in the ledger where one is kept
    there, which counts over the files of several tasks and survives without the completions. The
    same system counts once, however often it is run again.

    Args:
        evaluator: the task and its data.
        system: JSON-able; everything that its answers depend on.
    """
    rows = sorted(digest_of([row.input, list(row.targets)]) for row in evaluator.data.sealed)
    key, own = digest_of(["held-out test set, read for", rows]), digest_of(system)
    known = note_opening(evaluator, own)
    cache = evaluator.models.cache
    with cache.claimed([key]):
        before = list(cache.get([key]).get(key, []))
        after = list(dict.fromkeys([*before, *known, own]))
        if after != before:
            cache.put(key, after)
    return len(after)
