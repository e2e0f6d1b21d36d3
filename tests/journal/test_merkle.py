"""The tree is RFC 6962's, and a proof proves nothing but what it was made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.journal import merkle as m

# The leaves and roots that implementations of certificate transparency are checked against.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
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


def leaves(count: int) -> list[bytes]:
    return [n.to_bytes(4, "big") for n in range(count)]


def grown(data: list[bytes]) -> m.Tree:
    tree = m.Tree()
    for leaf in data:
        tree.add(leaf)
    return tree


def plainly(data: list[bytes]) -> bytes:
    """The definition in RFC 6962, 2.1, as it stands there."""
    if not data:
        return m.EMPTY
    if len(data) == 1:
        return m.leaf_hash(data[0])
    k = 1
    while k * 2 < len(data):
        k *= 2
    return m.node_hash(plainly(data[:k]), plainly(data[k:]))


def path(data: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    subtrees = m.Subtrees(ranges)
    for leaf in data:
        subtrees.take(leaf)
    return [subtrees.found[span] for span in ranges]


def test_the_roots_are_those_of_the_known_vectors():
    for size, root in enumerate(ROOTS):
        assert grown(LEAVES[:size]).root().hex() == root


def test_a_tree_that_grows_is_the_tree_of_the_definition():
    data = leaves(70)
    tree = m.Tree()
    for size in range(71):
        assert tree.root() == plainly(data[:size])
        assert m.Tree(tree.frontier).root() == tree.root()
        if size < 70:
            tree.add(data[size])


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_tree_goes_on_from_its_frontier(first: int, more: int):
    data = leaves(first + more)
    tree = m.Tree(grown(data[:first]).frontier)
    tree.extend(leaf.hex() for leaf in data[first:])
    assert tree.root() == grown(data).root()
    assert tree.size == first + more


def test_a_frontier_of_another_size_is_refused():
    with pytest.raises(ValueError, match="subtrees"):
        m.Tree(m.Frontier(3, (m.EMPTY,)))


def test_every_leaf_is_proved_and_nothing_else_is():
    for size in range(1, 34):
        data = leaves(size)
        root = grown(data).root()
        for index in range(size):
            proof = path(data, m.inclusion_ranges(index, size))
            assert m.is_included(data[index], index, size, proof, root)
            assert not m.is_included(b"other", index, size, proof, root)
            assert not m.is_included(data[index], index, size, proof, m.EMPTY)
            for other in range(-1, size + 2):
                if other != index:
                    assert not m.is_included(data[index], other, size, proof, root)
            for at in range(len(proof)):
                wrong = [*proof[:at], bytes(32), *proof[at + 1 :]]
                assert not m.is_included(data[index], index, size, wrong, root)
            assert not m.is_included(data[index], index, size, [*proof, bytes(32)], root)
            if proof:
                assert not m.is_included(data[index], index, size, proof[:-1], root)


def test_every_beginning_is_proved_and_no_fork_is():
    for size in range(34):
        data = leaves(size)
        root = grown(data).root()
        for old in range(size + 1):
            was = grown(data[:old]).root()
            proof = path(data, m.consistency_ranges(old, size))
            assert m.is_consistent(old, was, size, root, proof)
            if old == 0:
                continue  # what begins with nothing is anything
            fork = grown([*data[: old - 1], b"fork"]).root()
            assert not m.is_consistent(old, fork, size, root, proof)
            assert not m.is_consistent(old, was, size, bytes(32), proof)
            assert not m.is_consistent(old, was, size, root, [*proof, bytes(32)])
            for at in range(len(proof)):
                wrong = [*proof[:at], bytes(32), *proof[at + 1 :]]
                assert not m.is_consistent(old, was, size, root, wrong)


def test_proofs_are_as_long_as_the_logarithm():
    assert len(m.inclusion_ranges(123_456, 1_000_000)) == 20
    assert len(m.consistency_ranges(999_937, 1_000_000)) <= 21


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int):
    with pytest.raises(ValueError, match="no leaf"):
        m.inclusion_ranges(index, size)
    assert not m.is_included(b"", index, size, [], m.EMPTY)
