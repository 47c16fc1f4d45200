"""Tokens shared out: whatever comes in, total and bounds hold exactly and the more relevant patch has no fewer."""

import numpy as np
import pytest

from vlmlens.errors import UserError
from vlmlens.tokens.allocation import allocate, best

CASES = 400


def relevances(rng: np.random.Generator, many: int) -> np.ndarray:
    """Relevance of every shape that might trip a rounding: even, sparse, steep, tied, tiny, huge, zero."""
    return {
        0: lambda: rng.random(many),
        1: lambda: np.zeros(many),
        2: lambda: np.full(many, rng.random() * 10.0 ** rng.integers(-300, 300)),
        3: lambda: (rng.random(many) < 0.1).astype(float),
        4: lambda: rng.integers(0, 4, many).astype(float),
        5: lambda: np.exp(rng.normal(0, 30, many)),
        6: lambda: 10.0 ** rng.uniform(-320, 300, many),
        7: lambda: rng.random(many) * 5e-324,
        8: lambda: rng.dirichlet(np.full(many, 0.05)),
    }[int(rng.integers(9))]()


def cases():
    rng = np.random.default_rng(0)
    for _ in range(CASES):
        many = int(rng.choice([1, 2, 3, 36, 37, 200, 576]))
        low = int(rng.integers(0, 70))
        high = low + int(rng.choice([0, 1, 2, 63, 336, 10_000]))
        total = int(rng.integers(many * low, many * high + 1))
        yield relevances(rng, many), total, low, high


def test_total_and_bounds_hold_for_every_input():
    for relevance, total, low, high in cases():
        tokens = allocate(relevance, total, low, high)
        assert tokens.dtype == np.int64
        assert tokens.shape == relevance.shape
        assert tokens.sum() == total
        assert tokens.min() >= low
        assert tokens.max() <= high


def test_more_relevance_never_has_fewer_tokens_and_equals_differ_by_one():
    for relevance, total, low, high in cases():
        tokens = allocate(relevance, total, low, high)
        order = np.argsort(-relevance, kind="stable")
        assert (np.diff(tokens[order]) <= 0).all()
        for value in np.unique(relevance):
            assert np.ptp(tokens[relevance == value]) <= 1


def test_the_same_input_gives_the_same_and_its_scale_does_not_matter():
    rng = np.random.default_rng(1)
    for _ in range(50):
        relevance = rng.random(36)
        found = allocate(relevance, 324, 1, 64)
        assert (found == allocate(relevance.copy(), 324, 1, 64)).all()
        assert (found == allocate(relevance * 2.0**40, 324, 1, 64)).all()


def test_a_patch_whose_relevance_rises_never_loses():
    rng = np.random.default_rng(2)
    for _ in range(200):
        relevance = rng.random(12)
        patch = int(rng.integers(12))
        before = allocate(relevance, 100, 2, 20)[patch]
        relevance[patch] += rng.random()
        assert allocate(relevance, 100, 2, 20)[patch] >= before


def test_no_rounded_budget_is_a_token_away_from_the_ideal_one():
    """The ideal found by bisection of the level, a way that the code does not go."""
    rng = np.random.default_rng(3)
    for _ in range(100):
        relevance = rng.random(36) ** 3 + 1e-6
        low, high = 1, int(rng.integers(5, 64))
        total = int(rng.integers(36 * low, 36 * high))
        least, most = 0.0, 1e12
        for _ in range(200):
            level = (least + most) / 2
            too_many = np.minimum(high, low + level * relevance).sum() > total
            least, most = (least, level) if too_many else (level, most)
        ideal = np.minimum(high, low + least * relevance)
        assert np.abs(allocate(relevance, total, low, high) - ideal).max() < 1 + 1e-6


def test_all_alike_is_uniform():
    assert (allocate(np.ones(36), 36 * 9, 1, 64) == 9).all()
    assert sorted(allocate(np.zeros(5), 7, 1, 3)) == [1, 1, 1, 2, 2]


def test_what_the_relevant_cannot_take_goes_evenly_to_the_rest():
    relevance = np.array([1.0, 0, 0, 0])
    assert allocate(relevance, 16, 1, 10).tolist() == [10, 2, 2, 2]


def test_one_patch_has_it_all():
    assert allocate(np.array([0.0]), 7, 1, 64).tolist() == [7]


@pytest.mark.parametrize(
    ("relevance", "total", "low", "high", "said"),
    [
        (np.ones(36), 35, 1, 64, "choose a total from 36 to 2,304"),
        (np.ones(36), 2305, 1, 64, "choose a total from 36 to 2,304"),
        (np.ones(1), 65, 1, 64, "do not fit 1 patch of"),
        (np.ones(3), 9, 4, 2, "leave no choice"),
        (np.ones(3), 9, -1, 4, "leave no choice"),
        (np.ones(0), 0, 1, 4, "no patch"),
        (np.array([1, np.nan]), 4, 1, 4, "no number"),
        (np.array([1, np.inf]), 4, 1, 4, "no number"),
        (np.array([1, -0.1]), 4, 1, 4, "negative"),
        (np.ones(3), 4.5, 1, 4, "whole number"),
    ],
)
def test_what_cannot_be_done_is_said(relevance, total, low, high, said):
    with pytest.raises(UserError, match=said):
        allocate(relevance, total, low, high)


def test_the_best_share_and_the_others_have_none():
    rng = np.random.default_rng(4)
    for _ in range(50):
        relevance = rng.random(576)
        tokens = best(relevance, 200, 14_400, 64, 400)
        assert tokens.sum() == 14_400
        assert (tokens > 0).sum() == 200
        assert tokens[tokens > 0].min() >= 64
        assert relevance[tokens > 0].min() >= relevance[tokens == 0].max()


def test_more_best_patches_than_there_are_is_said():
    with pytest.raises(UserError, match=r"200 patches cannot be chosen from 36\. Choose 1 to 36"):
        best(np.ones(36), 200, 14_400, 64, 400)
    with pytest.raises(UserError, match="no number"):
        best(np.array([1, np.nan]), 1, 4, 1, 4)
