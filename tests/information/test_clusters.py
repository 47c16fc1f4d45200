"""Clusters find what lies apart, name each sample by its nearest centre as sklearn would, and refuse what has none."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from vlmlens.information import InformationError
from vlmlens.information import clusters as module
from vlmlens.information.clusters import Clusters


def blobs(n: int = 300, k: int = 5, width: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    which = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    return 10 * np.eye(k, width)[which] + 0.5 * rng.normal(size=(n, width)), which


def test_blobs_that_lie_apart_are_found():
    features, which = blobs()
    assert adjusted_rand_score(Clusters.fit(features, 5).of(features), which) == 1


def test_clusters_of_one_half_name_the_other():
    features, which = blobs()
    assert adjusted_rand_score(Clusters.fit(features[::2], 5).of(features[1::2]), which[1::2]) == 1


def test_many_samples_are_clustered_in_small_batches(monkeypatch):
    monkeypatch.setattr(module, "MINI_BATCH_FROM", 100)
    features, which = blobs()
    assert adjusted_rand_score(Clusters.fit(features, 5).of(features), which) == 1


@pytest.mark.parametrize("components", [2, 10, 50])
def test_names_are_those_of_sklearn(components):
    rng = np.random.default_rng(1)
    features, fresh = rng.normal(3, 1, (200, 15)), rng.normal(3, 2, (500, 15))
    found = Clusters.fit(features, 6, components, seed=4)
    reduced = PCA(min(components, 15), random_state=4).fit(features)
    means = KMeans(6, n_init=4, random_state=4).fit(reduced.transform(features))
    np.testing.assert_array_equal(found.of(fresh), means.predict(reduced.transform(fresh)))


def test_every_sample_goes_to_the_nearest_centre():
    rng = np.random.default_rng(2)
    found, fresh = Clusters.fit(rng.normal(size=(100, 8)), 7), rng.normal(size=(60, 8))
    reduced = (fresh - found.mean) @ found.axes.T
    distances = np.linalg.norm(reduced[:, None] - found.centres, axis=2)
    np.testing.assert_array_equal(found.of(fresh), distances.argmin(axis=1))


def test_a_shift_or_a_turn_of_the_features_names_the_same_groups():
    features, _ = blobs(seed=3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0]
    moved = 3 * features @ turn + 100
    plain, other = (Clusters.fit(each, 5).of(each) for each in (features, moved))
    assert adjusted_rand_score(plain, other) == 1


def test_fewer_distinct_rows_than_clusters_make_fewer_clusters():
    features = np.repeat(np.eye(3), 10, axis=0)
    found = Clusters.fit(features, 8)
    assert len(found.centres) == 3
    assert len(set(found.of(features))) == 3


def test_the_same_seed_makes_the_same_clusters():
    features = np.random.default_rng(0).normal(size=(100, 5))
    one, two = (Clusters.fit(features, 8, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centres, two.centres)


@pytest.mark.parametrize(
    ("features", "word"),
    [
        (np.eye(7), "k = 8"),
        (np.ones((20, 3)), "the same for every sample"),
        (np.full((20, 3), np.nan), "finite"),
        (np.where(np.arange(60).reshape(20, 3) == 7, np.inf, 1.0), "finite"),
        (np.ones(20), "axes"),
        (np.ones((20, 3, 2)), "axes"),
    ],
)
def test_features_without_clusters_are_refused_in_a_sentence(features, word):
    with pytest.raises(InformationError, match=word):
        Clusters.fit(features)


@pytest.mark.parametrize("features", [np.full((2, 5), np.nan), np.ones(5)])
def test_samples_that_are_none_are_not_named(features):
    found = Clusters.fit(np.random.default_rng(0).normal(size=(30, 5)))
    with pytest.raises(InformationError):
        found.of(features)
