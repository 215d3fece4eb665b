"""RFC 6962's tree against the vectors of Certificate Transparency, and all small sizes."""

from __future__ import annotations

import hashlib

import pytest

from ladder.audit.merkle import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root,
    roots,
)

# The inputs, roots and paths of certificate-transparency's merkle_tree_test and
# merkle_verifier_test (also transparency-dev/merkle, testonly/constants.go).
INPUTS = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSION = {
    (0, 1): [],
    (1, 2): [ROOTS[1]],
    (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], B, D],
    (0, 8): [A, B, C],
    (5, 8): [D, E, ROOTS[4]],
}
CONSISTENCY = {(1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[4]], (2, 5): [B, D]}


def as_bytes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_the_published_one(size):
    assert root(LEAVES[:size]).hex() == ROOTS[size]


def test_the_roots_on_the_way_are_the_published_ones():
    assert [each.hex() for each in roots(LEAVES)] == ROOTS[1:]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_inclusion_proof_is_the_published_one(index, size):
    proof = inclusion_proof(LEAVES[:size], index)
    assert proof == as_bytes(INCLUSION[index, size])
    assert is_included(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("before", "size"), CONSISTENCY)
def test_the_consistency_proof_is_the_published_one(before, size):
    proof = consistency_proof(LEAVES[:size], before)
    assert proof == as_bytes(CONSISTENCY[before, size])
    old, new = as_bytes([ROOTS[before], ROOTS[size]])
    assert is_consistent(before, size, proof, old, new)


def many(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number])) for number in range(count)]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_proof_of_a_tree_holds_and_no_changed_one_does(size):
    leaves = many(size)
    whole, other = root(leaves), hashlib.sha256(b"other").digest()
    assert list(roots(leaves))[-1] == whole
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert is_included(leaves[index], index, size, proof, whole)
        assert not is_included(other, index, size, proof, whole)
        assert not is_included(leaves[index], index + 1, size, proof, whole)
        assert not is_included(leaves[index], index, size, [*proof, other], whole)
        for at in range(len(proof)):
            changed = [*proof[:at], other, *proof[at + 1 :]]
            assert not is_included(leaves[index], index, size, changed, whole)
            assert not is_included(leaves[index], index, size, proof[:at], whole)
    for before in range(1, size + 1):
        old, proof = root(leaves[:before]), consistency_proof(leaves, before)
        assert is_consistent(before, size, proof, old, whole)
        assert not is_consistent(before, size, proof, other, whole)
        assert not is_consistent(before, size, proof, old, other)
        assert not is_consistent(before, size, [*proof, other], old, whole)
        for at in range(len(proof)):
            assert not is_consistent(before, size, proof[:at], old, whole)


@pytest.mark.parametrize("before", [0, 6])
def test_there_is_no_proof_of_a_tree_that_was_not(before):
    with pytest.raises(ValueError, match="no tree"):
        consistency_proof(many(5), before)
