"""A model behind an endpoint of typed decisions: it chooses one of a question's options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.endpoint.engine import EndpointEngine

CHECK = Request(
    messages=(
        ("system", "Which colour does the text name?"),
        ("user", "The door of the shed was painted green last summer."),
    ),
    choices=("green", "red", "yellow"),
)
"""What `ladder check` asks: it needs no knowledge, and holds nobody's data."""


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
        """Ask nothing: what a decision endpoint can do is in its kind.

        Returns:
            that nothing was to be found.
        """
        return {}
