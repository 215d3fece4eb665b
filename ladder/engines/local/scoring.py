"""Closed answer sets scored in one forward pass: prompts with the trees of their choices behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ladder.engines.base import Chunk, Completion, Request
from ladder.engines.local.choices import ChoiceTree
from ladder.engines.local.local_model import LocalModel, repeated

if TYPE_CHECKING:
    import torch

HEAD_ROWS = 256
"""Positions scored against the whole vocabulary at once: bounds the memory of the logits."""

Row = tuple[list[int], ChoiceTree]
"""A prompt's tokens after the shared ones, and the tree of its choices."""


def score(
    local: LocalModel, requests: Sequence[Request], prompts: Sequence[list[int]], chunk: Chunk
) -> list[Completion]:
    """Answer the requests of a chunk with the likeliest of their choices, in one batch.

    Args:
        local: the model.
        requests: each has choices.
        prompts: their tokens.
        chunk: how many of those all prompts of the call begin with.

    Returns:
        the answers, with the log-probability of every choice.
    """
    import torch

    shared = chunk.shared
    prefix, prefill_seconds = local.prefix(prompts[0][:shared])
    started = time.perf_counter()
    trees = choice_trees(local, requests, range(len(requests)))
    with torch.inference_mode():
        rows = [(prompt[shared:], trees[at]) for at, prompt in enumerate(prompts)]
        logprobs = _tree_logprobs(local, rows, shared, prefix)
    seconds = (time.perf_counter() - started) / len(rows) + prefill_seconds / chunk.group
    return [
        _completion(request, len(prompts[at]), trees[at], logprobs[at], seconds)
        for at, request in enumerate(requests)
    ]


def choice_trees(
    local: LocalModel, requests: Sequence[Request], group: Sequence[int]
) -> dict[int, ChoiceTree]:
    """Return position -> tree of the request's choices; each distinct set's tree is built once."""
    built: dict[tuple[bool, tuple[str, ...]], ChoiceTree] = {}
    trees = {}
    for at in group:
        chat, choices = bool(requests[at].messages), requests[at].choices
        if (chat, choices) not in built:
            # In plain text an answer follows a space and ends its line; in a chat it ends
            # the turn. Scoring the end keeps a label from winning as a part of a longer one.
            end = local.line_end if not chat or local.template.end is None else local.template.end
            texts = choices if chat else tuple(f" {choice}" for choice in choices)
            ids = [local.template.following(text) for text in texts]
            built[chat, choices] = ChoiceTree.build(ids, end)
        trees[at] = built[chat, choices]
    return trees


def _completion(
    request: Request,
    prompt_tokens: int,
    tree: ChoiceTree,
    logprobs: Sequence[dict[int, float]],
    seconds: float,
) -> Completion:
    choice_logprobs, greedy = tree.read(logprobs)
    best = max(range(len(choice_logprobs)), key=choice_logprobs.__getitem__)
    return Completion(
        text=request.choices[best],
        tokens_in=prompt_tokens,
        tokens_out=tree.lengths[best],
        seconds=seconds,
        choice_logprobs=choice_logprobs,
        greedy_choice=greedy,
    )


@dataclass(frozen=True)
class TreeBatch:
    """Rows of prompt and tree, padded on the right to one width, behind the shared tokens."""

    ids: torch.Tensor
    """(rows, width)."""
    positions: torch.Tensor
    """(rows, width): a node stands as far behind its prompt as it is deep in the tree."""
    sees: torch.Tensor
    """(rows, 1, width, shared + width), bool: what each place attends to."""
    scored: list[tuple[int, int]]
    """(row, place) of each prompt's last token and of each node, in the order of the rows."""


def tree_batch(rows: Sequence[Row], shared: int) -> TreeBatch:
    """Lay out rows; a node attends to its prompt and to the nodes above it.

    Args:
        rows: none of their prompts is empty.
        shared: tokens that all prompts begin with, already in the cache.
    """
    import torch

    width = max(len(suffix) + len(tree.nodes) for suffix, tree in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    positions = torch.zeros_like(ids)
    sees = torch.zeros((len(rows), 1, width, shared + width), dtype=torch.bool)
    sees[..., :shared] = True
    sees[:, 0, torch.arange(width), shared + torch.arange(width)] = True  # no row sees nothing
    scored: list[tuple[int, int]] = []
    for row, (suffix, tree) in enumerate(rows):
        size, end = len(suffix), len(suffix) + len(tree.nodes)
        ids[row, :end] = torch.tensor([*suffix, *tree.nodes])
        positions[row, :end] = torch.tensor(
            [*range(shared, shared + size), *(shared + size - 1 + d for d in tree.depths)]
        )
        sees[row, 0, :size, shared : shared + size] = torch.ones(size, size).tril().bool()
        sees[row, 0, size:end, shared : shared + size] = True
        sees[row, 0, size:end, shared + size : shared + end] = torch.from_numpy(tree.ancestors)
        scored += [(row, place) for place in range(size - 1, end)]
    return TreeBatch(ids, positions, sees, scored)


def _tree_logprobs(
    local: LocalModel, rows: Sequence[Row], shared: int, prefix: Any
) -> list[list[dict[int, float]]]:
    """Return for each row the log-probabilities of what may follow its prompt and each node."""
    import torch

    batch, device = tree_batch(rows, shared), local.model.device
    hidden = local.model.model(
        input_ids=batch.ids.to(device),
        position_ids=batch.positions.to(device),
        attention_mask=batch.sees.to(device),
        past_key_values=repeated(prefix, len(rows)) if shared else None,
        use_cache=bool(shared),
    ).last_hidden_state
    places = torch.tensor(batch.scored, device=device)
    picked = hidden[places[:, 0], places[:, 1]]
    children = [list(kids) for _, tree in rows for kids in tree.children]
    values = iter(_children_logprobs(local, picked, children))
    return [[next(values) for _ in tree.children] for _, tree in rows]


def _children_logprobs(
    local: LocalModel, hidden: torch.Tensor, children: list[list[int]]
) -> list[dict[int, float]]:
    """Return token -> log-probability for the children of each hidden state (states, width)."""
    import torch

    found: list[dict[int, float]] = []
    for start in range(0, len(children), HEAD_ROWS):
        logits = local.model.lm_head(hidden[start : start + HEAD_ROWS]).float()
        totals = torch.logsumexp(logits, dim=-1)
        for row, kids in enumerate(children[start : start + HEAD_ROWS]):
            values = (logits[row, kids] - totals[row]).tolist()
            found.append(dict(zip(kids, values, strict=True)))
    return found
