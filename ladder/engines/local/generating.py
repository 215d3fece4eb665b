"""Answers generated token by token, in batches whose prompts begin alike."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ladder.engines.base import CUT_BEFORE_TEXT, Chunk, Completion, Request
from ladder.engines.local.growing import Growing, draws_of, next_tokens
from ladder.engines.local.json_schema import Grammars
from ladder.engines.local.local_model import LocalModel, repeated
from ladder.engines.thoughts import split_thoughts
from ladder.errors import EngineError

if TYPE_CHECKING:
    import torch


class Generating:
    """Generates with a model; the grammars of the schemas it has met stay compiled."""

    def __init__(self, local: LocalModel) -> None:
        """Take the model; it is not loaded yet."""
        self.local = local

    def generate(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], chunk: Chunk
    ) -> list[Completion]:
        """Answer the requests of a chunk, in one batch.

        Args:
            requests: without choices.
            prompts: their tokens.
            chunk: how many of those all prompts of the call begin with.

        Returns:
            the answers; an error where one cannot be held to its schema.
        """
        import torch

        shared = chunk.shared
        prefix, prefill_seconds = self.local.prefix(prompts[0][:shared])
        started = time.perf_counter()
        begun = [self._begun(*pair) for pair in zip(requests, prompts, strict=True)]
        growing = [(at, each) for at, each in enumerate(begun) if isinstance(each, Growing)]
        if growing:
            with torch.inference_mode():
                suffixes = [prompts[at][shared:] for at, _ in growing]
                self._grow([answer for _, answer in growing], suffixes, shared, prefix)
        seconds = (time.perf_counter() - started) / len(begun) + prefill_seconds / chunk.group
        return [
            self._completion(each, len(prompts[at]), seconds) if isinstance(each, Growing) else each
            for at, each in enumerate(begun)
        ]

    def _begun(self, request: Request, prompt: list[int]) -> Growing | Completion:
        """Return the empty answer of a request, or the error that none can be begun."""
        try:
            return self.begin(request, prompt)
        except EngineError as error:
            return Completion(error=str(error), kind="too long", tokens_in=len(prompt))

    def begin(self, request: Request, prompt: list[int]) -> Growing:
        """Return the empty answer of a request.

        Raises:
            EngineError: answers cannot be held to its schema.
        """
        matcher = None
        if request.schema:
            matcher = self._grammars.start(request.schema, after_space=not request.messages)
        return Growing(request, matcher, draws_of(request, prompt))

    @cached_property
    def _grammars(self) -> Grammars:
        vocabulary = self.local.model.get_output_embeddings().out_features
        return Grammars(self.local.tokenizer, vocabulary, [*self.local.ends])

    def _grow(
        self, answers: list[Growing], suffixes: list[list[int]], shared: int, prefix: Any
    ) -> None:
        """Decode token by token; an answer that has ended leaves the batch."""
        import torch

        device = self.local.model.device
        cache = repeated(prefix, len(suffixes))
        ids, mask, positions = self._padded(suffixes, shared)
        live = list(answers)
        while True:
            logits = self._next_logits(ids, mask, positions, cache)
            for answer, token in zip(live, next_tokens(logits, live), strict=True):
                answer.take(token)
            going = [place for place, answer in enumerate(live) if not self._ended(answer)]
            if not going:
                return
            if len(going) < len(live):
                keep = torch.tensor(going, device=device)
                cache.batch_select_indices(keep)
                mask, positions = mask[keep], positions[keep]
                live = [live[place] for place in going]
            ids = torch.tensor([[answer.tokens[-1]] for answer in live], device=device)
            mask = torch.cat([mask, mask.new_ones((len(live), 1))], dim=-1)
            positions = positions[:, -1:] + 1

    def _padded(
        self, suffixes: list[list[int]], shared: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ids, attention mask and positions of prompts, behind the tokens they share."""
        import torch

        width = max(map(len, suffixes))
        ids = torch.zeros((len(suffixes), width), dtype=torch.long)
        mask = torch.zeros((len(suffixes), shared + width), dtype=torch.long)
        mask[:, :shared] = 1
        for row, suffix in enumerate(suffixes):  # padded on the left: all answers begin together
            ids[row, width - len(suffix) :] = torch.tensor(suffix)
            mask[row, shared + width - len(suffix) :] = 1
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, shared:]
        device = self.local.model.device
        return ids.to(device), mask.to(device), positions.to(device)

    def _next_logits(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
    ) -> torch.Tensor:
        logits: torch.Tensor = self.local.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits

    def first_logprobs(self, requests: Sequence[Request]) -> torch.Tensor:
        """Return the log-probabilities of each answer's first token: [requests, vocabulary].

        Float32, on the CPU; all requests in one batch, as generation begins.
        """
        import torch

        prompts = [self.local.encode(request) for request in requests]
        with torch.inference_mode():
            shared, prefix = self.local.prefill(prompts, [*range(len(prompts))])
            padded = self._padded([prompt[shared:] for prompt in prompts], shared)
            logits = self._next_logits(*padded, repeated(prefix, len(prompts)))
            return logits.float().log_softmax(-1).cpu()

    def _ended(self, answer: Growing) -> bool:
        return len(answer.tokens) >= answer.request.max_tokens or self._complete(answer)

    def _complete(self, answer: Growing) -> bool:
        """Tell whether an answer came to its own end: an end token, a stop string, its schema's."""
        tokens, request = answer.tokens, answer.request
        if answer.whole or tokens[-1] in self.local.ends:
            return True
        return bool(request.stop) and any(
            stop in self.local.tokenizer.decode(tokens) for stop in request.stop
        )

    def _completion(self, answer: Growing, tokens_in: int, seconds: float) -> Completion:
        """Return a grown answer without its thought; one that is cut in its thought is an error."""
        tokens_out = len(answer.tokens)
        if answer.fault:
            return Completion("", tokens_in, tokens_out, seconds, answer.fault)
        thought, text = self._parts(answer)
        thought_tokens = min(tokens_out, self.local.count_tokens(thought)) if thought else 0
        cut = not self._complete(answer)
        error, kind = None, ""
        if cut and not text:
            error, kind = "all tokens were used before the answer began", CUT_BEFORE_TEXT
        return Completion(
            text,
            tokens_in,
            tokens_out,
            seconds,
            error,
            kind,
            cut=cut,
            thought_tokens=thought_tokens,
        )

    def _parts(self, answer: Growing) -> tuple[str, str]:
        """Return an answer's thought and its text, up to a stop string."""
        request, template = answer.request, self.local.template
        free = request.messages and not request.schema
        begun = template.begun_thought if free else ""
        raw = begun + self.local.tokenizer.decode(answer.tokens)
        thought, text = split_thoughts(raw)  # some models mark their thoughts with special tokens
        if text == raw:
            text = self.local.tokenizer.decode(answer.tokens, skip_special_tokens=True)
            thought, text = split_thoughts(text)
        else:
            for token in template.specials:
                text = text.replace(token, "")
        for stop in request.stop:
            text = text.split(stop, 1)[0]
        return thought, text.strip()
