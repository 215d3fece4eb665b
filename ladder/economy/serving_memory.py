"""What a served model holds: weights, and keys and values at the measured lengths. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ladder.evidence import BLOCK_TOKENS, InFlight, ServingMemory

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
AT_ONCE = (1, 4, 16)
MB = 2**20


def kv_bytes_per_token(layers: int, width: int, precision: str) -> int:
    """Return the bytes that one token's keys and values take.

    Args:
        layers: of the model.
        width: of the keys of a layer: heads that have their own, times the width of a head.
        precision: in which they are held.
    """
    return 2 * layers * width * BYTES[precision]


def tokens_at(blocks: Mapping[int, int], share: float) -> int:
    """Return the tokens that hold such a share of the requests, in whole blocks.

    Args:
        blocks: blocks that a request fills -> how many requests.
        share: 0..1; 1: the longest.
    """
    lengths = np.repeat(list(blocks), list(blocks.values()))
    return int(np.quantile(lengths, share, method="inverted_cdf")) * BLOCK_TOKENS


def serving_memory(
    weights: int, layers: int, width: int, precision: str, blocks: Mapping[int, int]
) -> ServingMemory:
    """Return what is held, for some numbers of requests under way at once.

    Args:
        weights: of the model and its adapter.
        layers: of the model.
        width: see `kv_bytes_per_token`.
        precision: a key of `BYTES`.
        blocks: the measured lengths; one at least.
    """
    per_token = kv_bytes_per_token(layers, width, precision)
    weights_mb, longest = weights * BYTES[precision] / MB, tokens_at(blocks, 1)
    each = longest * per_token / MB
    return ServingMemory(
        precision=precision,
        weights_mb=weights_mb,
        kv_bytes_per_token=per_token,
        tokens_p50=tokens_at(blocks, 0.5),
        tokens_p95=tokens_at(blocks, 0.95),
        tokens_longest=longest,
        in_flight=tuple(
            InFlight(requests=n, kv_mb=n * each, total_mb=weights_mb + n * each) for n in AT_ONCE
        ),
    )
