"""A model behind an endpoint of typed decisions: it chooses one of a question's options."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.endpoint.breaker import Breaker
from ladder.engines.endpoint.engine import EndpointEngine
from ladder.errors import EngineError

CHECK = Request(
    messages=(
        ("system", "Which colour does the text name?"),
        ("user", "The door of the shed was painted green last summer."),
    ),
    choices=("green", "red", "yellow"),
)
"""A question that needs no knowledge, and holds nobody's data."""
PROBABILITIES, SAME_REVERSED = "tells probabilities", "same answer in another order of options"


class DecisionEngine(EndpointEngine):
    """A model behind `POST {base_url}/systemone` or `/decisions`.

    Everything that an endpoint of chats has is here too: tries, outages, limits, keys. Its `wire`
    is one of `decisions.wires`.
    """

    @property
    def abilities(self) -> Abilities:
        """It chooses among the labels of a task, and cannot do anything else."""
        return replace(
            super().abilities,
            plain=False,
            thinks=False,
            scores_choices=True,
            decides=True,
            json_schema=False,
        )

    def fingerprint(self) -> dict[str, str]:
        """Return address, model, query and the form of its questions."""
        return super().fingerprint() | {"form": type(self.wire).__name__}

    def learn(
        self, *, greet: bool = True, tell: Callable[[Completion], None] = lambda completion: None
    ) -> dict[str, bool] | None:
        """Ask an easy question twice, its options in both orders.

        Args:
            greet: of no matter here.
            tell: is told of each answer, for it is paid like every other.

        Returns:
            whether probabilities are told, and whether the order of the options changes nothing;
            None where nobody answers now.
        """
        asking = copy(self)
        asking.breaker, asking.attempts = Breaker(self.breaker.patience), 1
        turned = replace(CHECK, choices=CHECK.choices[::-1])
        try:
            answers = dict(asking.complete([CHECK, turned]))
        except EngineError:
            return None
        for answer in answers.values():
            tell(answer)
        if any(answer.error is not None for answer in answers.values()):
            return None
        return {
            PROBABILITIES: all(answer.choice_logprobs for answer in answers.values()),
            SAME_REVERSED: answers[0].text == answers[1].text,
        }
