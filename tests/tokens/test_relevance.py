"""Relevance from three scores and three tensions: the laws that the sliders promise."""

import numpy as np
import pytest
import torch

from vlmlens.errors import UserError
from vlmlens.tokens.relevance import Scores, Tensions, around, relevance

SHAPE = (6, 6)


def scored(seed: int = 0) -> Scores:
    rng = np.random.default_rng(seed)
    return Scores(*rng.random((3, 36)))


def test_it_is_a_distribution_whatever_the_tensions():
    rng = np.random.default_rng(0)
    for seed in range(50):
        found = relevance(scored(seed), SHAPE, Tensions(*rng.uniform(-1, 1, 3)))
        assert found.min() > 0
        assert found.sum() == pytest.approx(1)


def test_compress_makes_all_alike_and_particularize_sharpens():
    assert relevance(scored(), SHAPE, Tensions(-1)) == pytest.approx(np.full(36, 1 / 36))
    tops = [relevance(scored(), SHAPE, Tensions(p)).max() for p in (-1, -0.5, 0, 0.5, 1)]
    assert tops == sorted(tops)
    assert len(set(tops)) == 5


def test_exploit_follows_the_question_alone_and_explore_never():
    one, other = scored(0), scored(1)
    asked_alike = Scores(other.information, other.salience, one.coupling)
    seen_alike = Scores(one.information, one.salience, other.coupling)
    assert relevance(one, SHAPE, Tensions(0, -1)) == pytest.approx(relevance(asked_alike, SHAPE, Tensions(0, -1)))
    assert relevance(one, SHAPE, Tensions(0, 1)) == pytest.approx(relevance(seen_alike, SHAPE, Tensions(0, 1)))
    order = np.argsort(relevance(one, SHAPE, Tensions(0, -1)))
    assert (order == np.argsort(one.coupling)).all()


def test_focus_lifts_the_neighbors_of_a_relevant_patch_and_diversify_holds_them_down():
    coupling = np.zeros(36)
    coupling[14] = 1.0
    flat = np.zeros(36)
    neighbor, far = 15, 35
    at = {d: relevance(Scores(flat, flat, coupling), SHAPE, Tensions(0, -1, d)) for d in (-1, 0, 1)}
    assert at[-1][neighbor] > at[-1][far]
    assert at[0][neighbor] == pytest.approx(at[0][far])
    assert at[1][neighbor] < at[1][far]


def test_the_neighbors_mean_is_the_brute_force_one():
    rng = np.random.default_rng(5)
    for shape in ((6, 6), (2, 3), (1, 1), (1, 4)):
        values = rng.random(shape)
        found = around(torch.from_numpy(values.ravel()), shape).numpy().reshape(shape)
        for r in range(shape[0]):
            for c in range(shape[1]):
                near = [
                    values[i, j]
                    for i in range(max(0, r - 1), min(shape[0], r + 2))
                    for j in range(max(0, c - 1), min(shape[1], c + 2))
                    if (i, j) != (r, c)
                ]
                assert found[r, c] == pytest.approx(np.mean(near) if near else values[r, c])


def test_scores_that_are_all_alike_make_all_patches_alike():
    flat = Scores(np.full(36, 6.0), np.zeros(36), np.full(36, 1 / 36))
    assert (flat.leveled() == 0.5).all()
    for tensions in (Tensions(), Tensions(1, -1, 1), Tensions(1, 1, -1)):
        found = relevance(flat, SHAPE, tensions)
        assert np.isfinite(found).all()
        assert found == pytest.approx(np.full(36, 1 / 36))


def test_one_patch_has_it_all():
    assert relevance(Scores(np.ones(1), np.ones(1), np.ones(1)), (1, 1)) == pytest.approx([1.0])


def test_the_scale_of_a_score_does_not_matter():
    one = scored()
    other = Scores(one.information * 7 + 3, one.salience * 0.01, one.coupling * 1e5)
    assert relevance(one, SHAPE) == pytest.approx(relevance(other, SHAPE))


@pytest.mark.parametrize("value", [1.01, -2, float("nan"), float("inf")])
def test_a_slider_beyond_its_end_is_refused(value):
    with pytest.raises(UserError, match="from -1 to 1"):
        Tensions(explore=value)
