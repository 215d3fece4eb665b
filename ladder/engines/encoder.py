"""A student that does not generate: an encoder that fills in the fields of an answer.

The folder is what the recipe `student_encoder` leaves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.fields import Form, decide, form_of, make_network, words_of, write_answer
from ladder.engines.passport import (
    ENCODER,
    TOKENIZER,
    read_settings,
    refuse_changed,
    refuse_pickle,
)
from ladder.errors import EngineError
from ladder.files import folder_digests
from ladder.hardware import precision

CONFIG, HEADS = ENCODER
BATCH_ROWS = 32
DAMAGED = (LookupError, TypeError, ValueError, AttributeError, OSError, RuntimeError)
PARTS = ("config.json", "model.safetensors", *ENCODER)


class EncoderEngine:
    """Answers a text by fields that are chosen, or copied from it (arrays and JSON, no pickle)."""

    def __init__(self, folder: Path) -> None:
        for name in PARTS:
            if not (folder / name).is_file():
                raise EngineError(f"{folder} holds no encoder: there is no {name} in it")
        refuse_changed(folder, None)
        refuse_pickle(folder)
        self.folder = folder
        self.config: dict[str, Any] = read_settings(folder / CONFIG)

    @property
    def abilities(self) -> Abilities:
        """It reads text, of which it looks at the beginning; its answers are its own."""
        return Abilities(plain=True, instructed=False, context=1_000_000)

    def fingerprint(self) -> dict[str, str]:
        """Return the digests of its files, and the precision that it computes in."""
        return {**folder_digests(self.folder, (*PARTS, *TOKENIZER)), "precision": precision()}

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text, all of them."""
        return len(self._parts[0](text, verbose=False)["input_ids"])

    @cached_property
    def _parts(self) -> tuple[Any, Any, Form, int]:
        """Return tokenizer, network, form, and how many tokens of a text are read."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from transformers import AutoModel, AutoTokenizer

        try:
            form, longest = form_of(self.config["form"]), int(self.config["max_length"])
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            encoder = AutoModel.from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
            network = make_network(encoder, form)
            heads = load_file(self.folder / HEADS)
            encoded = {name for name in network.state_dict() if name.startswith("encoder.")}
            missing, unknown = network.load_state_dict(heads, strict=False)
            if set(missing) != encoded or unknown:
                raise ValueError("its heads are not those of its fields")
        except (*DAMAGED, SafetensorError) as error:
            said = f"{type(error).__name__}: {str(error)[:100]}"
            fix = "Put the original files back, or train it again"
            raise EngineError(f"{self.folder} holds no encoder ({said}). {fix}") from None
        return tokenizer, network.to(getattr(torch, precision())).eval(), form, longest

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer each request's text, in batches of like lengths."""
        order = sorted(range(len(requests)), key=lambda at: len(_text(requests[at])))
        for start in range(0, len(order), BATCH_ROWS):
            batch = order[start : start + BATCH_ROWS]
            started = time.perf_counter()
            found = self._answers([_text(requests[at]) for at in batch])
            seconds = (time.perf_counter() - started) / len(batch)
            for at, (text, tokens) in zip(batch, found, strict=True):
                yield at, Completion(text, tokens, len(text.split()), seconds)

    def _answers(self, texts: Sequence[str]) -> list[tuple[str, int]]:
        """Return the answer to each text, and the tokens that were read of it."""
        import torch

        tokenizer, network, form, longest = self._parts
        encoded = tokenizer(
            list(texts),
            truncation=True,
            max_length=longest,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            choices, tags = network(encoded["input_ids"], encoded["attention_mask"])
            chosen = [scores.float().log_softmax(-1).tolist() for scores in choices]
            tagged = tags.float().log_softmax(-1)
        found = []
        for row, text in enumerate(texts):
            words, firsts = words_of(encoded, row)
            values = decide(
                form, text, words, [each[row] for each in chosen], tagged[row, firsts].tolist()
            )
            found.append((write_answer(form, values), int(encoded["attention_mask"][row].sum())))
        return found


def _text(request: Request) -> str:
    return request.text or "\n".join(content for _, content in request.messages)
