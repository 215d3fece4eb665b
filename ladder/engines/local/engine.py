"""Answers from a transformers model on this machine, as fast as static batches allow.

Three things make evaluation fast and leave the answers as they are: the tokens that all requests
share are run once; requests of like length share a batch; and a closed answer set is scored in one
forward pass over the tree of its tokens instead of being generated.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ladder.engines.base import Abilities, Chunk, Completion, Request
from ladder.engines.local.context import USUAL_CONTEXT, context_of, window_of
from ladder.engines.local.generating import Generating
from ladder.engines.local.loading import ADAPTER, transformers_version
from ladder.engines.local.local_model import LocalModel, TurnsError, batches, shared_prefix
from ladder.engines.local.scoring import choice_trees, score
from ladder.engines.local.template import __file__ as template_file
from ladder.engines.passport import read_settings
from ladder.errors import EngineError, MissingExtraError
from ladder.files import digest_of, file_digest, folder_digests
from ladder.hardware import precision

if TYPE_CHECKING:
    import torch

PINNED = ("config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja")


class LocalEngine(LocalModel):
    """A model on this machine that answers requests: it scores their choices, or generates."""

    @property
    def abilities(self) -> Abilities:
        """A local model continues plain text, scores choices, and can be held to a schema.

        Whether it takes turns of a chat, and a system turn, its chat template says.
        """
        # A forecast takes the usual; who asks is told what is wrong.
        takes = self.takes or {"chat": True, "system": True, "thinks": False}
        return Abilities(
            chat=takes["chat"],
            system=takes["system"],
            plain=True,
            thinks=takes["thinks"],
            scores_choices=True,
            json_schema=True,
            context=self._context,
            local=True,
        )

    @cached_property
    def takes(self) -> dict[str, Any] | None:
        """What the chat template takes; None: there is no tokenizer to be read."""
        try:
            return self.try_template()
        except (EngineError, MissingExtraError):
            return None

    def try_template(self) -> dict[str, Any]:
        """Try whether the template takes turns, a system turn, and begins a thought.

        Raises:
            EngineError: there is no tokenizer to be read.
            MissingExtraError: transformers is not installed.
        """
        template = self.template
        return {
            "chat": template.chat,
            "system": template.system,
            "thinks": template.begins_thought,
            "about": template.about,
            "digest": digest_of([template.jinja, template.about]),
        }

    def know_template(self, found: dict[str, Any]) -> None:
        """Take what was found before for found."""
        self.takes = found

    def template_files(self) -> dict[str, str]:
        """Return digests of what the tokenizer and its template are read from, and by which code.

        Raises:
            MissingExtraError: transformers is not installed.
        """
        small = (p.name for p in self.folder.iterdir() if p.suffix not in (".safetensors", ".gguf"))
        code = file_digest(Path(template_file))
        return {
            **folder_digests(self.folder, small),
            "code": code,
            "transformers": transformers_version(),
        }

    @cached_property
    def _context(self) -> int:
        found = context_of(self._config)
        if found is None:
            says = f"its config.json does not say how many tokens it reads: {USUAL_CONTEXT:,} taken"
            warnings.warn(f"{self.folder}: {says}", stacklevel=2)
        return found or USUAL_CONTEXT

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_settings(self.folder / "config.json")

    def fingerprint(self) -> dict[str, str]:
        """Return digests of weights, tokenizer, template and adapter, and the precision."""
        weights = sorted(path.name for path in self.folder.glob("*.safetensors"))
        pins = folder_digests(self.folder, PINNED)
        pins["weights"] = digest_of(folder_digests(self.folder, weights))
        if self.adapter is not None:
            names = (ADAPTER, "adapter_model.safetensors")
            pins["adapter"] = digest_of(folder_digests(self.adapter, names))
        takes = self.takes  # without a tokenizer there are no answers to tell apart
        if takes is not None and (takes["about"] or "chat_template.jinja" not in pins):
            pins["template"] = takes["digest"]
        pins["precision"] = precision()
        pins["transformers"] = transformers_version()
        return pins

    @cached_property
    def _generating(self) -> Generating:
        return Generating(self)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer requests in batches of like length, scored ones and generated ones apart."""
        prompts, errors = self._encoded(requests)
        yield from errors.items()
        for chunk in self._chunks(requests, prompts, errors):
            asked = [requests[at] for at in chunk.places]
            answers = self._answered(asked, [prompts[at] for at in chunk.places], chunk)
            yield from zip(chunk.places, answers, strict=True)
        self.forget_prefix()

    def cut(self, requests: Sequence[Request]) -> tuple[list[tuple[int, Completion]], list[Chunk]]:
        """Return the errors of requests that cannot be asked, and the chunks: no weights needed."""
        prompts, errors = self._encoded(requests)
        return list(errors.items()), list(self._chunks(requests, prompts, errors))

    def answer(self, requests: Sequence[Request], chunk: Chunk) -> list[Completion]:
        """Answer the requests of a chunk as a call that holds the chunk answers them."""
        return self._answered(requests, [self.encode(request) for request in requests], chunk)

    def _encoded(
        self, requests: Sequence[Request]
    ) -> tuple[list[list[int]], dict[int, Completion]]:
        """Return the prompts' tokens, and position -> error of what cannot be asked."""
        prompts: list[list[int]] = []
        errors: dict[int, Completion] = {}
        for at, request in enumerate(requests):
            try:
                prompts.append(self.encode(request))
            except TurnsError as error:
                prompts.append([])
                errors[at] = Completion(error=str(error), kind="chat template")
                continue
            unfit, size = self._unfit(request, prompts[at]), len(prompts[at])
            if unfit:
                errors[at] = Completion(error=unfit, kind="too long", tokens_in=size)
        return prompts, errors

    def _chunks(
        self,
        requests: Sequence[Request],
        prompts: Sequence[list[int]],
        errors: Mapping[int, Completion],
    ) -> Iterator[Chunk]:
        """Cut what can be asked, scored requests and generated ones apart.

        What a chunk holds hangs on the requests of the call alone, and so do the floats in it.
        """
        fitting = [at for at in range(len(requests)) if at not in errors]
        scored = [at for at in fitting if requests[at].choices]
        trees = choice_trees(self, requests, scored)
        own = {at: len(trees[at].nodes) for at in scored}
        own |= {at: requests[at].max_tokens for at in fitting if at not in own}
        for group in (scored, [at for at in fitting if not requests[at].choices]):
            shared = shared_prefix([prompts[at] for at in group])
            lengths = {at: len(prompts[at]) - shared + own[at] for at in group}
            for batch in batches(group, lengths, beside=shared):
                yield Chunk(tuple(batch), shared, len(group))

    def _answered(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], chunk: Chunk
    ) -> list[Completion]:
        if requests[0].choices:
            return score(self, requests, prompts, chunk)
        return self._generating.generate(requests, prompts, chunk)

    def _unfit(self, request: Request, prompt: list[int]) -> str | None:
        """Return why a request does not fit, if it does not."""
        most = self._context
        if request.choices:  # a tree of choices is scored by layers that all see the whole prompt
            most = min(most, window_of(self._config) or most)
        room = most - request.max_tokens
        if not prompt or len(prompt) > room:
            return f"{len(prompt)} prompt tokens; between 1 and {room} fit this model"
        return None

    def first_logprobs(self, requests: Sequence[Request]) -> torch.Tensor:
        """Return the log-probabilities of each answer's first token: [requests, vocabulary].

        Float32, on the CPU; all requests in one batch, as generation begins.
        """
        return self._generating.first_logprobs(requests)
