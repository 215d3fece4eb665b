"""Who may spend how much of a climb's error, `1 - confidence`. Pure.

Each system (the rungs, and a control that may end the climb) has an equal share, and its limits
share that. A rung that fails *clearly* could never have spent its share on a wrong pass; what it
had, but for `KEPT`, goes to the system that is measured next, and from there on.

That a wrong verdict is still no likelier than the budget, however the systems' answers hang
together, follows from three facts. Let b be a share, k = KEPT * b, and l what a system may spend.

1. It passes wrongly with probability at most l - k and fails wrongly with at most l; what passes
   with less to spend passes with more, too.
2. It fails clearly where a bound that its true score exceeds with probability at most k lies so low
   that a system there would pass with probability at most k, even with the most anybody may spend.
3. So a bad system whose chance to pass is above k fails clearly with probability at most k: with
   its wrong passes that is l. One whose chance is below wrongly passes with at most k, and hands on
   l - k. A good one that fails clearly has failed wrongly already: at most l.

Leave out the paths of 3 on which a system hands on that should not: then only systems that keep k
have handed on what others spend, and the sum over all systems is no more than all their shares.

The premise is that what a system is does not depend on the eval examples. Candidates, fixes, the
adapters that are trained, and who teaches a student are chosen on the training and dev examples
(`selection`, `rungs.protocol.Bench.best_on_dev`). What was measured on the eval set only decides
whether a system is climbed: a pass, or an undecided rung, ends the climb; a diagnosis refuses a
rung; a student is pointless where nothing holds the score or the control holds all. That is
covered: 1 to 3 hold for each system as if it were measured on the whole eval set in any case, and
one that is not climbed neither passes wrongly nor fails wrongly, nor hands anything on.

One dependence remains: a rung that is not climbed cannot teach. A diagnosis that refuses rag and
lora and not the student (gap "cost") is made where a rung holds the score and misses its limit of
cost or latency. Under such a limit the student may be one of three systems (taught by the best of
prompt; of prompt and rag; of all), of which the eval set decides which one is climbed. No share is
handed to it where a rung was refused, so the other two spend at most b each: at most 7 shares where
five are the budget, which is 7 % in place of 5 %. Without such a limit, with `--all`, and where the
best of prompt stays the best of all, there is one student and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass

from ladder.task import GateLimits

KEPT = 0.1
"""Of a share: what handing it on may cost."""


@dataclass(frozen=True)
class Budget:
    """What all looks of a system at one limit may spend."""

    levels: tuple[float, ...]
    """Its own error, then the larger ones that it had if more systems before it failed clearly."""
    kept: float = 0.0
    """Error of the claim that it failed clearly; 0 where nothing is handed on."""

    @property
    def failing(self) -> tuple[float, ...]:
        """The errors that a fail may spend."""
        return self.levels

    @property
    def passing(self) -> tuple[float, ...]:
        """The errors that a pass may spend."""
        return tuple(level - self.kept for level in self.levels)


def budget_of(gate: GateLimits, systems: int, failed_clearly: int = 0) -> Budget:
    """Return what one limit of a system may spend of the budget of the whole climb.

    Args:
        gate: its confidence, and whether it limits latency.
        systems: that share the budget.
        failed_clearly: how many systems in a row just before this one.
    """
    share = error_of_limit(gate, systems)
    if systems == 1:
        return Budget((share,))
    handed = range(min(failed_clearly, systems - 1), systems)
    return Budget(tuple(share * (1 + (1 - KEPT) * many) for many in handed), KEPT * share)


def budget_of_check(gate: GateLimits, error: float) -> Budget:
    """Return what one limit of a single check may spend, where all may spend `error` together."""
    return Budget((error if gate.max_p95_ms is None else error / 2,))


def error_of_limit(gate: GateLimits, systems: int) -> float:
    """Return the share of one limit of one system."""
    measured = 1 if gate.max_p95_ms is None else 2
    return (1.0 - gate.confidence) / systems / measured
