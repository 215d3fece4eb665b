"""Score a closed set of answers in one forward pass over the tree of their tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ladder.engines.base import Completion, Request
from ladder.engines.local.choices import ChoiceTree
from ladder.engines.local.local_model import LocalModel, repeated

if TYPE_CHECKING:
    import torch

HEAD_ROWS = 256
"""Positions scored against the whole vocabulary at once: bounds the memory of the logits."""


class Scoring:
    """Scores the choices of requests with a model."""

    def __init__(self, local: LocalModel) -> None:
        """Load nothing yet."""
        self.local = local

    def score(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], group: list[int]
    ) -> Iterator[tuple[int, Completion]]:
        """Yield the position of each request in `group` with its choices' log-probabilities."""
        import torch

        started = time.perf_counter()
        trees = self._trees(requests, group)
        shared, prefix = self.local.prefill(prompts, group)
        lengths = {at: len(prompts[at]) - shared + len(trees[at].nodes) for at in group}
        prefill_seconds = (time.perf_counter() - started) / len(group)
        for batch in self.local.batches(group, lengths, beside=shared):
            started = time.perf_counter()
            with torch.inference_mode():
                rows = [(prompts[at][shared:], trees[at]) for at in batch]
                logprobs = self._tree_logprobs(rows, shared, prefix)
            seconds = (time.perf_counter() - started) / len(batch) + prefill_seconds
            for at, scored in zip(batch, logprobs, strict=True):
                choice_logprobs, greedy = trees[at].read(scored)
                best = max(range(len(choice_logprobs)), key=choice_logprobs.__getitem__)
                yield (
                    at,
                    Completion(
                        text=requests[at].choices[best],
                        tokens_in=len(prompts[at]),
                        tokens_out=trees[at].lengths[best],
                        seconds=seconds,
                        choice_logprobs=choice_logprobs,
                        greedy_choice=greedy,
                    ),
                )

    def _trees(self, requests: Sequence[Request], group: list[int]) -> dict[int, ChoiceTree]:
        """Build each distinct answer set's tree once."""
        built: dict[tuple[bool, tuple[str, ...]], ChoiceTree] = {}
        trees = {}
        for at in group:
            chat, choices = bool(requests[at].messages), requests[at].choices
            if (chat, choices) not in built:
                # In plain text an answer follows a space and ends its line; in a chat it ends
                # the turn. Scoring the end keeps a label from winning as a part of a longer one.
                end = self.local.tokenizer.eos_token_id if chat else self._line_end
                texts = choices if chat else tuple(f" {choice}" for choice in choices)
                ids = self.local.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
                built[chat, choices] = ChoiceTree.build(ids, end)
            trees[at] = built[chat, choices]
        return trees

    @cached_property
    def _line_end(self) -> int:
        return int(self.local.tokenizer("\n", add_special_tokens=False)["input_ids"][-1])

    def _tree_logprobs(
        self, rows: list[tuple[list[int], ChoiceTree]], shared: int, prefix: Any
    ) -> list[list[dict[int, float]]]:
        """Return, for each row, the log-probabilities of each tree node's children."""
        import torch

        width = max(len(suffix) + len(tree.nodes) for suffix, tree in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        positions = torch.zeros_like(ids)
        sees = torch.zeros((len(rows), 1, width, shared + width), dtype=torch.bool)
        sees[..., :shared] = True
        sees[:, 0, torch.arange(width), shared + torch.arange(width)] = True  # no row sees nothing
        asked: list[tuple[int, int]] = []
        for row, (suffix, tree) in enumerate(rows):
            size = len(suffix)
            ids[row, :size] = torch.tensor(suffix)
            positions[row, : size + len(tree.nodes)] = torch.tensor(
                [*range(shared, shared + size), *(shared + size - 1 + d for d in tree.depths)]
            )
            sees[row, 0, :size, shared : shared + size] = torch.ones(size, size).tril().bool()
            asked.append((row, size - 1))
            if tree.nodes:
                end = size + len(tree.nodes)
                ids[row, size:end] = torch.tensor(tree.nodes)
                sees[row, 0, size:end, shared : shared + size] = True
                sees[row, 0, size:end, shared + size : shared + end] = torch.from_numpy(
                    tree.ancestors
                )
                asked += [(row, at) for at in range(size, end)]
        device = self.local.model.device
        hidden = self.local.model.model(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            attention_mask=sees.to(device),
            past_key_values=repeated(prefix, len(rows)) if shared else None,
            use_cache=bool(shared),
        ).last_hidden_state
        places = torch.tensor(asked, device=device)
        picked = hidden[places[:, 0], places[:, 1]]
        children = [list(kids) for _, tree in rows for kids in tree.children]
        values = self._children_logprobs(picked, children)
        out, at = [], 0
        for _, tree in rows:
            out.append(values[at : at + len(tree.children)])
            at += len(tree.children)
        return out

    def _children_logprobs(
        self, hidden: torch.Tensor, children: list[list[int]]
    ) -> list[dict[int, float]]:
        import torch

        found: list[dict[int, float]] = []
        for start in range(0, len(children), HEAD_ROWS):
            logits = self.local.model.lm_head(hidden[start : start + HEAD_ROWS]).float()
            totals = torch.logsumexp(logits, dim=-1)
            for row, kids in enumerate(children[start : start + HEAD_ROWS]):
                values = (logits[row, kids] - totals[row]).tolist()
                found.append(dict(zip(kids, values, strict=True)))
        return found
