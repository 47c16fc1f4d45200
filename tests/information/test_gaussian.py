"""The closed form against determinants, a fine grid and its own identities; an estimator stays a little below it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vlmlens.information import InformationError, decompose, estimate, gaussian, sample_gaussian


def explained(r1: float, r2: float, c: float) -> float:
    """I(Y; X1, X2) in bits from determinants: H(Y) + H(X1, X2) - H(Y, X1, X2)."""
    sources = np.array([[1, c], [c, 1]])
    every = np.array([[1, c, r1], [c, 1, r2], [r1, r2, 1]])
    return 0.5 * np.log2(np.linalg.det(sources) / np.linalg.det(every))


def of_a_pair(r: float) -> float:
    return 0.5 * np.log2(1 / np.linalg.det([[1, r], [r, 1]]))


correlation = st.floats(-0.9, 0.9)


@settings(deadline=None)
@given(correlation, correlation, correlation)
def test_the_parts_add_up_to_what_determinants_say(r1, r2, c):
    assume(np.linalg.eigvalsh([[1, c, r1], [c, 1, r2], [r1, r2, 1]])[0] > 1e-3)
    u1, u2, r, s = gaussian(r1, r2, c)
    assert u1 + r == pytest.approx(of_a_pair(r1), abs=1e-9)
    assert u2 + r == pytest.approx(of_a_pair(r2), abs=1e-9)
    assert u1 + u2 + r + s == pytest.approx(explained(r1, r2, c), abs=1e-9)
    assert min(u1, u2) == 0
    assert min(u1, u2, r, s) >= -1e-12


@settings(deadline=None)
@given(correlation, correlation)
def test_exchanging_the_sources_exchanges_what_is_unique(r1, r2):
    assume(r1 * r1 + r2 * r2 < 0.98)
    one, other = gaussian(r1, r2), gaussian(r2, r1)
    np.testing.assert_allclose(one, np.array(other)[[1, 0, 2, 3]], atol=1e-12)


@pytest.mark.parametrize(("r1", "r2", "c"), [(0.8, 0.3, 0.0), (0.7, 0.5, 0.5), (0.6, 0.6, 0.0), (0.5, -0.4, 0.2)])
def test_a_fine_grid_comes_to_the_closed_form(r1, r2, c):
    edge = np.linspace(-6, 6, 121)
    inverse = np.linalg.inv([[1, c, r1], [c, 1, r2], [r1, r2, 1]])
    points = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1)
    p = np.exp(-0.5 * np.einsum("...i,ij,...j->...", points, inverse, points))
    p /= p.sum()

    def entropy(table: np.ndarray) -> float:
        return -(table * np.log2(table, out=np.zeros_like(table), where=table > 0)).sum()

    y, one, two = p.sum(axis=(0, 1)), p.sum(axis=1), p.sum(axis=0)
    first = entropy(one.sum(axis=1)) + entropy(y) - entropy(one)
    second = entropy(two.sum(axis=1)) + entropy(y) - entropy(two)
    both = entropy(p.sum(axis=2)) + entropy(y) - entropy(p)
    shared = min(first, second)
    wanted = (first - shared, second - shared, shared, both - max(first, second))
    np.testing.assert_allclose(gaussian(r1, r2, c), wanted, atol=1e-4)


@pytest.mark.parametrize(("r1", "r2", "c"), [(0.8, 0.3, 0.0), (0.5, -0.4, 0.2)])
def test_samples_have_the_correlations_they_are_asked_for(r1, r2, c):
    x1, x2, y = sample_gaussian(50_000, r1, r2, c, bins=500)
    assert x1.shape == x2.shape == (50_000, 1)
    np.testing.assert_allclose(np.bincount(y), 100)  # equally likely
    ranks = np.corrcoef([x1[:, 0].argsort().argsort(), x2[:, 0].argsort().argsort(), y])  # Spearman's, of a Gaussian
    wanted = 6 / np.pi * np.arcsin(np.array([c, r1, r2]) / 2)
    np.testing.assert_allclose(ranks[[0, 0, 1], [1, 2, 2]], wanted, atol=0.015)


def test_finer_bins_lose_less_and_never_gain():
    x1, x2, y = sample_gaussian(400_000, 0.8, 0.3, bins=16)
    truth, found = gaussian(0.8, 0.3), []
    for k in (2, 4, 8, 16):
        bins = [side[:, 0].argsort().argsort() * k // len(side) for side in (x1, x2)]
        table = np.zeros((k, k, 16))
        np.add.at(table, (*bins, y), 1)
        found.append(decompose(table).information_1)
    assert (np.diff(found) > 0).all()
    assert 0.9 * (truth[0] + truth[2]) < found[-1] < truth[0] + truth[2]


def test_an_estimate_stays_below_the_truth_by_what_eight_clusters_lose():
    truth = gaussian(0.8, 0.3)
    found = estimate(*sample_gaussian(20_000, 0.8, 0.3, bins=10), k=8)  # every other sample is counted
    assert found.n == 10_000
    assert 0.8 * truth[0] < found["unique_1"].value < truth[0]
    assert 0.7 * truth[2] < found["redundant"].value < 1.1 * truth[2]
    assert found["unique_2"].low <= 0 <= found["unique_2"].high
    assert found.share.value > 0.95


@pytest.mark.parametrize("r", [(1.0, 0.0, 0.0), (0.9, 0.9, -0.9), (0.8, 0.8, 0.0), (float("nan"), 0, 0)])
def test_correlations_that_no_distribution_has_are_refused(r):
    with pytest.raises(InformationError, match="closer to 0"):
        gaussian(*r)
    with pytest.raises(InformationError, match="closer to 0"):
        sample_gaussian(10, *r)
