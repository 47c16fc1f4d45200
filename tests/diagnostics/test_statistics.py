"""The arithmetic against values known by hand or by scipy."""

import numpy as np
import pytest
from scipy import stats

from vlmlens.diagnostics.statistics import (
    benjamini_hochberg,
    binomial_tail,
    independent,
    interval,
    jensen_shannon,
    mean_draws,
    mean_size,
    resampled,
    sign_flip,
    sign_test_size,
)
from vlmlens.lab.evaluate import wilson


def test_divergence_is_a_bit_at_most():
    p = np.array([[1.0, 0.0], [0.5, 0.5], [0.3, 0.7]])
    q = np.array([[0.0, 1.0], [0.5, 0.5], [0.7, 0.3]])
    found = jensen_shannon(p, q)
    assert found[0] == pytest.approx(1)
    assert found[1] == 0
    assert found[2] == pytest.approx(1 - stats.entropy([0.3, 0.7], base=2))


@pytest.mark.parametrize(("share", "size"), [(0.6, 158), (0.65, 69), (0.7, 37), (0.8, 18)])
def test_sign_tests_need_as_many_items_as_tables_say(share, size):
    assert sign_test_size(share) == size


@pytest.mark.parametrize(("n", "k"), [(69, 43), (10, 0), (10, 10), (25, 13)])
def test_the_binomial_tail_is_exact(n, k):
    assert binomial_tail(n, k) == pytest.approx(stats.binomtest(k, n, 0.5, alternative="greater").pvalue)


@pytest.mark.parametrize(("right", "n"), [(0, 20), (7, 20), (20, 20), (430, 1024)])
def test_wilson_is_scipys(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_benjamini_hochberg_by_hand():
    p = [0.01, 0.04, 0.03, 0.5]
    assert benjamini_hochberg(p) == pytest.approx([0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5])
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    assert benjamini_hochberg([]) == []


def test_intervals_over_pictures_cover_and_know_their_clusters():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        of_picture = rng.normal(1, 1, 30)
        values = np.repeat(of_picture, 4)  # four items that say the same
        low, high = interval(mean_draws(values, np.repeat(np.arange(30), 4), resampled(30, seed)))
        covered += low < 1 < high
    assert covered / 200 > 0.88


def test_agreeing_items_count_as_fewer():
    picture = np.repeat(np.arange(40), 5)
    rng = np.random.default_rng(1)
    alike, apart = np.repeat(rng.random(40) < 0.5, 5).astype(float), (rng.random(200) < 0.5).astype(float)
    weights = resampled(40, 0)
    assert 30 < independent(alike, picture, weights) < 55
    assert independent(apart, picture, weights) > 120
    assert independent(np.ones(200), picture, weights) == 200


def test_sign_flips_keep_their_level_and_find_a_mean():
    rng = np.random.default_rng(2)
    picture = np.repeat(np.arange(20), 3)
    p = [sign_flip(np.repeat(rng.normal(0, 1, 20), 3), picture, seed) for seed in range(300)]
    assert np.mean(np.array(p) < 0.05) < 0.09
    assert sign_flip(np.repeat(rng.normal(1, 1, 20), 3), picture, 0) < 0.01
    assert sign_flip(np.zeros(60), picture, 0) == 1


def test_the_size_for_a_mean():
    assert mean_size(0.5, 1.0) == 32  # (2.8 / 0.5)^2 = 31.4
