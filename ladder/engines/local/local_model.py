"""A causal language model in a folder: its tokenizer, its weights, and what batches need of it.

What scoring (`scoring.py`) and generating (`generating.py`) have in common.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.engines.base import Request
from ladder.engines.local.loading import load_model, quiet_transformers, refuse_other
from ladder.engines.local.template import Template, template_of
from ladder.engines.passport import refuse_changed
from ladder.errors import EngineError
from ladder.wording import harmless

BATCH_TOKENS = 4096
"""Tokens in one forward pass, padding included: beyond this a CPU gains nothing."""
BATCH_ROWS = 32


class TurnsError(EngineError):
    """A model's chat template does not take the turns of a request."""


class LocalModel:
    """A model in a folder, with an adapter merged into it if one is given."""

    def __init__(self, folder: Path, adapter: Path | None = None, own_code: bool = False) -> None:
        """Open the folders; no weights are loaded yet.

        Args:
            folder: of the model.
            adapter: folder of the adapter.
            own_code: run the Python code in the model's folder; without it that is refused.

        Raises:
            EngineError: they hold no model, no adapter, or pickles.
            PassportError: one of them is not what its passport says.
        """
        refuse_other(folder, adapter)
        refuse_changed(folder, adapter)
        self.folder = folder
        self.adapter = adapter
        self.own_code = own_code
        self._prefix: tuple[list[int], Any, float] | None = None

    @cached_property
    def _token_counter(self) -> Any:
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        except Exception as error:  # the library raises no narrower kind
            why = harmless(str(error), 120)
            raise EngineError(f"{self.folder}: no tokenizer.json to be read ({why})") from None

    def count_tokens(self, text: str) -> int:
        """Return the exact number of tokens of a text."""
        return len(self._token_counter.encode(text, add_special_tokens=False).ids)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer with its chat template."""
        transformers = quiet_transformers()
        try:
            return transformers.AutoTokenizer.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=self.own_code
            )
        except Exception as error:  # by the kind of file: OSError, ValueError, the library's own
            why = harmless(str(error), 200)
            wanted = "Wanted: tokenizer.json and tokenizer_config.json that fit its config.json"
            raise EngineError(f"{self.folder}: no tokenizer to be read. {wanted}. {why}") from None

    @cached_property
    def template(self) -> Template:
        """How the model is asked: its tokenizer and its chat template, without the weights."""
        return template_of(self.tokenizer)

    @cached_property
    def model(self) -> Any:
        """The weights in memory; an adapter is merged after it is shown to change the answers."""
        return load_model(self.folder, self.adapter, self.own_code)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: by the model, by its tokenizer, by its chat template."""
        ends = self.model.generation_config.eos_token_id
        own = {self.tokenizer.eos_token_id, self.template.end}
        found = own | set(ends if isinstance(ends, list) else [ends])
        return frozenset(token for token in found if token is not None)

    @cached_property
    def line_end(self) -> int:
        """The token of a line break."""
        return int(self.tokenizer("\n", add_special_tokens=False)["input_ids"][-1])

    def encode(self, request: Request) -> list[int]:
        """Return a request's prompt as tokens; special tokens in its own text are text.

        Raises:
            TurnsError: the model has no chat template, or that refuses the request's turns.
        """
        if not request.messages:
            return self.template.prompt(request.text)
        if not self.template.chat:
            fix = "Name a model that was trained to chat, or ask it in plain form"
            raise TurnsError(f"{self.folder}: no chat template that takes a user's turn. {fix}")
        at_once = bool(request.choices or request.schema)
        try:
            return self.template.prompt(turns_of(request), answers_at_once=at_once)
        except Exception as error:  # a template is a program: what it raises is its own
            why = harmless(str(error), 200)
            raise TurnsError(
                f"{self.folder}: its chat template refuses these turns ({why})"
            ) from None

    def prefill(self, prompts: Sequence[list[int]], group: Sequence[int]) -> tuple[int, Any]:
        """Run the tokens that all prompts of a group begin with.

        Args:
            prompts: of all requests.
            group: positions in them.

        Returns:
            how many tokens that are (0: none are shared), and the key-value cache of one row.
        """
        shared = shared_prefix([prompts[at] for at in group])
        return shared, self._read(prompts[group[0]][:shared])

    def prefix(self, tokens: list[int]) -> tuple[Any, float]:
        """Return the key-value cache of a beginning, and the seconds that reading it took.

        The last one is kept until `forget_prefix`: a call's chunks begin alike.
        """
        if self._prefix is None or self._prefix[0] != tokens:
            started = time.perf_counter()
            cache = self._read(tokens)
            self._prefix = (tokens, cache, time.perf_counter() - started)
        return self._prefix[1:]

    def forget_prefix(self) -> None:
        """Let go of the cache that `prefix` keeps."""
        self._prefix = None

    def _read(self, tokens: list[int]) -> Any:
        """Return the key-value cache of one row of tokens; of none, an empty one."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        if tokens:
            ids = torch.tensor([tokens], device=self.model.device)
            with torch.inference_mode():
                self.model.model(input_ids=ids, past_key_values=cache, use_cache=True)
        return cache


def turns_of(request: Request) -> list[dict[str, str]]:
    """Return a request's turns as chat templates read them."""
    return [{"role": role, "content": content} for role, content in request.messages]


def batches(group: Sequence[int], lengths: Mapping[int, int], beside: int) -> Iterator[list[int]]:
    """Cut requests into batches of like length that stay within the token budget.

    Args:
        group: positions of the requests.
        lengths: position -> tokens that its row takes up in a batch.
        beside: tokens of the shared prefix; they weigh a quarter, as only attention reads them.
    """
    batch: list[int] = []
    for at in sorted(group, key=lambda at: -lengths[at]):
        widest = lengths[batch[0]] if batch else lengths[at]
        full = (len(batch) + 1) * (widest + beside // 4) > BATCH_TOKENS
        if batch and (full or len(batch) == BATCH_ROWS):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def shared_prefix(prompts: Sequence[list[int]]) -> int:
    """Return how many first tokens all prompts share, leaving at least one to each."""
    if len(prompts) < 2:
        return 0
    low, high = min(prompts), max(prompts)
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    return min(shared, *(len(prompt) - 1 for prompt in prompts))


def repeated(cache: Any, rows: int) -> Any:
    """Return a copy of a one-row key-value cache for a batch."""
    import copy

    copied = copy.deepcopy(cache)
    if copied.get_seq_length():
        copied.batch_repeat_interleave(rows)
    return copied
