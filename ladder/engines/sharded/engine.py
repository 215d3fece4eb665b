"""A local model that answers on a cluster; on this machine only what must be timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.local import LocalEngine
from ladder.engines.sharded.crew import Crew, Model
from ladder.engines.sharded.worker import Opener
from ladder.files import digest_of


class ShardedEngine:
    """Asks the workers of a cluster what a model of this machine would be asked."""

    def __init__(self, here: LocalEngine, opener: Opener, crew: Crew) -> None:
        """Ask nobody yet.

        Args:
            here: the model on this machine: it cuts calls and counts tokens. Its weights are loaded
                only where it is timed (`base.here`).
            opener: opens the model on a worker's machine.
            crew: the workers.
        """
        self.here = here
        self._opener, self._crew = opener, crew

    @property
    def abilities(self) -> Abilities:
        """Those of the model; it is elsewhere where the cluster is."""
        return replace(self.here.abilities, local=self._crew.is_here)

    def fingerprint(self) -> dict[str, str]:
        """Return what the answers depend on: no more than on this machine."""
        return self.here.fingerprint()

    def count_tokens(self, text: str) -> int:
        """Return the exact number of tokens of a text."""
        return self.here.count_tokens(text)

    def template_files(self) -> dict[str, str]:
        """Return digests of what the chat template is read from."""
        return self.here.template_files()

    def try_template(self) -> dict[str, Any]:
        """Try what the chat template takes."""
        return self.here.try_template()

    def know_template(self, found: dict[str, Any]) -> None:
        """Take what was found before for found."""
        self.here.know_template(found)

    @cached_property
    def _model(self) -> Model:
        return Model(digest_of(self.fingerprint()), self.here, self._opener)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer requests on the cluster, each chunk as soon as it is answered.

        Raises:
            EngineError: the cluster is not there, a worker is not like this machine, or none can
                be had. What was answered is yielded before.
        """
        errors, chunks = self.here.cut(requests)
        yield from errors
        yield from self._crew.answer(self._model, requests, chunks)
