"""Batches are a pure function of plan and step: every item once a pass, the same after any pause, by prior and mix."""

from collections import Counter

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.lab.questions import ANSWERS, KINDS, all_questions
from vlmlens.lab.sample import preferred_answer
from vlmlens.lab.scenes import split_of
from vlmlens.lab.training import Plan
from vlmlens.lab.training.data import BLOCK, Kept, batch, chosen, drawn, order


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3000), st.integers(2, 400), st.integers(0, 5))
def test_every_item_comes_once_before_any_comes_again(pool, size, seed):
    plan = Plan("txt2img", pool=pool, batch=size, seed=seed)
    steps = 3 * pool // size + 2
    stream = np.concatenate([chosen(plan, step) for step in range(steps)])
    for start in range(0, len(stream) - pool + 1, pool):
        assert sorted(stream[start : start + pool]) == list(range(pool))


def test_later_passes_are_shuffled_and_each_otherwise():
    passes = [order(3000, 0, number) for number in (1, 2)]
    assert not np.array_equal(*passes)
    assert all(np.abs(np.corrcoef(each, np.arange(3000))[0, 1]) < 0.7 for each in passes)
    assert not np.array_equal(order(3000, 0, 1), order(3000, 1, 1))


def test_few_blocks_are_needed_at_once():
    plan = Plan("txt2img", pool=20_000, batch=256)
    for step in (0, 100, 200, 1000):
        assert len(np.unique(chosen(plan, step) // BLOCK)) <= 16


def test_a_batch_holds_the_items_that_were_chosen_whether_seen_or_as_pixels():
    plan = Plan("txt2img", pool=600, batch=40, seed=3)
    questions, blocks = all_questions(), [drawn(plan, number) for number in range(3)]
    for step in (0, 14, 20):  # within a block, across a pass, in a shuffled one
        wanted = [blocks[i // BLOCK][i % BLOCK] for i in chosen(plan, step)]
        for pixels in (False, True):
            found = batch(plan, step, pixels)
            assert [questions[i] for i in found.question] == [item.question for item in wanted]
            assert [ANSWERS[i] for i in found.answer] == [item.answer for item in wanted]
            assert len(found.image) == 40


def test_a_block_does_not_depend_on_what_came_before(monkeypatch):
    plan = Plan("txt2img", pool=1000, batch=32, seed=4)
    straight = [batch(plan, step, pixels=False).image for step in range(40)][-1]
    for name in ("_kept_features", "_kept_items"):
        monkeypatch.setattr(f"vlmlens.lab.training.data.{name}", Kept(10**9, lambda _: 1))
    assert torch.equal(batch(plan, 39, pixels=False).image, straight)


def test_prior_and_mix_bend_the_pool_as_told():
    plan = Plan("txt2img", prior=1.0, mix={"color": 3.0, "count": 1.0})
    own = [item for number in range(4) for item in drawn(plan, number)]
    kinds = Counter(item.question.kind for item in own)
    assert set(kinds) == {"color", "count"}
    assert 0.7 < kinds["color"] / len(own) < 0.8  # six standard deviations around three quarters
    assert all(item.answer == preferred_answer(item.question) for item in own)
    even = Counter(item.question.kind for number in range(4) for item in drawn(Plan("txt2img"), number))
    assert set(even) == set(KINDS)


def test_no_scene_of_training_is_held_out():
    assert all(split_of(item.scene) == "train" or not item.scene.things for item in drawn(Plan("late"), 0))


def test_memory_is_bounded():
    kept = Kept(100, len)
    for number in range(50):
        kept.get(number, lambda: "x" * 30)
    assert kept.used <= 100
    assert len(kept.get(49, lambda: "")) == 30  # the newest is there
