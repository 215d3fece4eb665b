"""The tree of an answer set says what each answer alone would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ladder.engines.local.choices import ChoiceTree

END = 99
answers = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple),
    min_size=1, max_size=12, unique=True,
)  # fmt: skip


def logprob(spelt: tuple[int, ...], token: int) -> float:
    """A fixed, arbitrary log-probability of a token after a beginning."""
    return -((hash((spelt, token)) % 1000) / 100 + 0.01)


@given(answers)
def test_totals_are_the_sums_along_each_answer(choices):
    tree = ChoiceTree.build(choices, END)
    spellings = [()]
    for node, depth in enumerate(tree.depths):
        above = [at for at in range(len(tree.nodes)) if tree.ancestors[node, at]]
        assert len(above) == depth
        spellings.append(tuple(tree.nodes[at] for at in sorted(above, key=tree.depths.__getitem__)))
    given_out = [
        {token: logprob(spelt, token) for token in kids}
        for spelt, kids in zip(spellings, tree.children, strict=True)
    ]
    totals, greedy = tree.read(given_out)
    for choice, total, length in zip(choices, totals, tree.lengths, strict=True):
        spelt = (*choice, END)
        alone = sum(logprob(spelt[:at], token) for at, token in enumerate(spelt))
        assert abs(total - alone) < 1e-9
        assert length == len(spelt)
    assert choices[greedy] == greedy_by_hand(choices)


def greedy_by_hand(choices: list[tuple[int, ...]]) -> tuple[int, ...]:
    left, spelt = [(*choice, END) for choice in choices], ()
    while len(left) > 1:
        nexts = {choice[len(spelt)] for choice in left}
        best = max(nexts, key=lambda token: logprob(spelt, token))
        spelt = (*spelt, best)
        left = [choice for choice in left if choice[: len(spelt)] == spelt]
    return left[0][:-1]


def test_beginnings_are_shared():
    tree = ChoiceTree.build([(1, 2, 3), (1, 2, 4), (1, 2)], END)
    assert tree.nodes == (1, 2, 3, 4)
    assert set(tree.children[2]) == {3, 4, END}
