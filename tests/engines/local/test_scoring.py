"""Choices scored in one pass have the log-probabilities that one forward pass for each gives."""

from __future__ import annotations

import pytest
from engines.local.questions import GOAL, QUESTIONS, chat, in_float32

from ladder.engines.base import Request
from ladder.engines.local.choices import ChoiceTree
from ladder.engines.local.scoring import choice_trees, tree_batch

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def engine(smollm):
    return in_float32(smollm)


@pytest.mark.parametrize("form", [pytest.param("chat", marks=pytest.mark.slow), "plain"])
def test_label_scores_equal_one_forward_per_label(engine, form):
    labels = ("card", "card arrival", "card_arrival", "no")
    for question in QUESTIONS[:3]:
        if form == "chat":
            request, before, end = chat(question, choices=labels), "", engine.tokenizer.eos_token_id
        else:
            request = Request(text=f"{GOAL}\nText: {question}\nLabel:", choices=labels)
            before, end = " ", engine.tokenizer("\n")["input_ids"][-1]
        _, scored = next(iter(engine.complete([request])))
        prompt = engine.encode(request)
        for label, ours in zip(labels, scored.choice_logprobs, strict=True):
            tokens = engine.tokenizer(before + label, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([[*prompt, *tokens, end]])
            with torch.inference_mode():
                logprobs = torch.log_softmax(engine.model(ids).logits[0].float(), dim=-1)
            places = range(len(prompt) - 1, ids.shape[1] - 1)
            plain = sum(float(logprobs[at, ids[0, at + 1]]) for at in places)
            assert ours == pytest.approx(plain, abs=1e-3)


@pytest.mark.slow
def test_scores_do_not_depend_on_the_batch(engine):
    labels = ("yes", "no")
    requests = [chat(question, choices=labels) for question in QUESTIONS]
    together = dict(engine.complete(requests))
    for at, request in enumerate(requests):
        _, alone = next(iter(engine.complete([request])))
        assert alone.choice_logprobs == pytest.approx(together[at].choice_logprobs, abs=1e-3)


@pytest.mark.slow
def test_the_answer_is_the_likeliest_choice(engine):
    labels = ("yes", "no", "perhaps, but who knows")
    for _, answer in engine.complete([chat(question, choices=labels) for question in QUESTIONS]):
        best = labels[answer.choice_logprobs.index(max(answer.choice_logprobs))]
        assert answer.text == best
        assert answer.tokens_out == len(engine.tokenizer(best)["input_ids"]) + 1


def test_one_tree_serves_all_requests_with_the_same_choices(engine):
    asked = [chat("a", choices=("x", "y")), chat("b", choices=("x", "y"))]
    asked += [Request(text="a", choices=("x", "y")), chat("c", choices=("x", "z"))]
    trees = choice_trees(engine, asked, [0, 1, 2, 3])
    assert trees[0] is trees[1]
    assert len({id(tree) for tree in trees.values()}) == 3
    assert trees[0].children[-1] == (engine.tokenizer.eos_token_id,)
    assert trees[2].children[-1] == (engine.line_end,)


def test_a_node_sees_the_shared_tokens_its_prompt_and_what_is_above_it():
    tree = ChoiceTree.build([(5, 6), (5, 7)], 9)  # nodes 5, 6, 7
    batch = tree_batch([([1, 2], tree), ([3], ChoiceTree.build([()], 9))], shared=4)
    assert batch.ids.tolist() == [[1, 2, 5, 6, 7], [3, 0, 0, 0, 0]]
    assert batch.positions.tolist()[0] == [4, 5, 6, 7, 7]
    assert batch.scored == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0)]
    seen = [[place for place, yes in enumerate(row) if yes] for row in batch.sees[0, 0].tolist()]
    shared, prompt = [0, 1, 2, 3], [4, 5]
    assert seen[0] == [*shared, 4]
    assert seen[1] == [*shared, *prompt]
    assert seen[2] == [*shared, *prompt, 6]
    assert seen[3] == [*shared, *prompt, 6, 7]
    assert seen[4] == [*shared, *prompt, 6, 8], "a node does not see its sibling"
    assert batch.sees[1, 0].any(-1).all(), "a row that sees nothing has no softmax"
