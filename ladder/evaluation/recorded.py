"""What a climb writes into the ledger while it goes on: each look, each reading of the test set.

It is written when it happens, so that a run that is ended before its answer leaves its traces too.
The ledger is the one beside the completions of the climb; without one nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from ladder.audit.keys import load_signer, private_file
from ladder.audit.ledger import LEDGER, add, is_kept, read_ledger
from ladder.evidence import Candidate
from ladder.files import digest_of
from ladder.inference.evaluator import Evaluator
from ladder.samples.rows import Sample


def digest_of_rows(rows: Sequence[Sample]) -> str:
    """Return the sha256 of what rows ask and what is right, in whatever order and file."""
    return digest_of(sorted(digest_of([row.input, list(row.targets)]) for row in rows))


def note_look(evaluator: Evaluator, candidate: Candidate, rows: int, verdict: str) -> None:
    """Write down that eval examples were looked at.

    Args:
        evaluator: the task and its data.
        candidate: what was looked at.
        rows: so many examples, from the front.
        verdict: by then.
    """
    path = evaluator.models.cache.path.with_name(LEDGER)
    if is_kept(path):
        digests = {
            "eval set": digest_of_rows(evaluator.data.gate),
            "candidate": candidate.digest,
        }
        facts = {"rung": candidate.rung, "rows": rows, "verdict": verdict}
        add(path, "look", task=evaluator.task.name, facts=facts, digests=digests)


def note_opening(evaluator: Evaluator, system: str) -> list[str]:
    """Write down that the test set is read; return the systems that it was read for by then.

    Args:
        evaluator: the task and its data.
        system: digest of what it is read for.

    Returns:
        digests of the systems in the ledger, over all runs and tasks; none without a ledger.
    """
    path = evaluator.models.cache.path.with_name(LEDGER)
    if not is_kept(path):
        return []
    rows = digest_of_rows(evaluator.data.sealed)
    keys = [load_signer(private_file("machine")).public_key]
    digests = {"test set": rows, "system": system}
    before = [
        record.digests.get("system", "")
        for record in read_ledger(path, keys).records
        if record.kind == "test set opened" and record.digests.get("test set") == rows
    ]
    facts = {"rows": len(evaluator.data.sealed)}
    add(path, "test set opened", task=evaluator.task.name, facts=facts, digests=digests)
    return list(dict.fromkeys([*before, system]))
