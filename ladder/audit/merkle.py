"""The Merkle tree of RFC 6962 (and 9162): one hash that says every line, in its order.

A leaf is hashed behind a 00 and a node behind a 01, so that neither can be taken for the other.
Proofs are checked without the lines: an auditor who kept a root can hold a later one against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of a line, without its line end."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (RFC 6962, 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return node_hash(root(leaves[:cut]), root(leaves[cut:]))


def roots(leaves: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the root of one leaf, of two, of three, …; each costs the logarithm of its size."""
    whole: list[bytes] = []  # roots of full subtrees, the largest first
    for count, leaf in enumerate(leaves):
        below = leaf
        while count & 1:
            below = node_hash(whole.pop(), below)
            count >>= 1
        whole.append(below)
        above = whole[-1]
        for left in reversed(whole[:-1]):
            above = node_hash(left, above)
        yield above


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return what a leaf needs beside it to come to the root (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if index < cut:
        return [*inclusion_proof(leaves[:cut], index), root(leaves[cut:])]
    return [*inclusion_proof(leaves[cut:], index - cut), root(leaves[:cut])]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], whole: bytes) -> bool:
    """Tell whether a leaf is the one at an index under a root (RFC 9162, 2.1.3.2).

    Args:
        leaf: its hash.
        index: from 0.
        size: of the tree.
        proof: of `inclusion_proof`.
        whole: the root.
    """
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            at, last = _up_to_a_left_child(at, last)
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == whole


def consistency_proof(leaves: Sequence[bytes], before: int) -> list[bytes]:
    """Return what shows that the tree of the first leaves is a beginning (RFC 6962, 2.1.2)."""
    if not 0 < before <= len(leaves):
        raise ValueError(f"no tree of {before} lines among {len(leaves)}")
    return _subproof(leaves, before, whole=True)


def _subproof(leaves: Sequence[bytes], before: int, *, whole: bool) -> list[bytes]:
    if before == len(leaves):
        return [] if whole else [root(leaves)]
    cut = _cut(len(leaves))
    if before <= cut:
        return [*_subproof(leaves[:cut], before, whole=whole), root(leaves[cut:])]
    return [*_subproof(leaves[cut:], before - cut, whole=False), root(leaves[:cut])]


def is_consistent(before: int, size: int, proof: Sequence[bytes], old: bytes, new: bytes) -> bool:
    """Tell whether an earlier tree is a beginning of a later one (RFC 9162, 2.1.4.2).

    Args:
        before: size of the earlier tree.
        size: of the later one.
        proof: of `consistency_proof`.
        old: root of the earlier tree.
        new: root of the later one.
    """
    if not 0 < before <= size:
        return False
    if before == size:
        return not proof and old == new
    steps = [old, *proof] if before & (before - 1) == 0 else list(proof)
    if not steps:
        return False
    at, last = before - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first, second = steps[0], steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            at, last = _up_to_a_left_child(at, last)
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old and second == new


def _up_to_a_left_child(at: int, last: int) -> tuple[int, int]:
    """Pass the levels at which the last node has no sibling."""
    while not at & 1 and at:
        at, last = at >> 1, last >> 1
    return at, last


def _cut(size: int) -> int:
    """Return the greatest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1
