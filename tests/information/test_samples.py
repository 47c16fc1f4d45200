"""Tables are counts of samples: a naive loop's, whole without a tenth, and under the nulls that each side promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.information import InformationError
from vlmlens.information.samples import BLOCKS, Samples, resampled


def drawn(seed: int, n: int = 137, states: tuple[int, int, int] = (3, 4, 5)) -> Samples:
    rng = np.random.default_rng(seed)
    x1 = np.r_[np.arange(states[0]), rng.integers(0, states[0], n - states[0])]
    x2 = np.r_[np.arange(states[1]), rng.integers(0, states[1], n - states[1])]
    y = np.r_[np.arange(states[2]), rng.integers(0, states[2], n - states[2])]
    return Samples.of(x1, x2, y)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(6, 80))
def test_the_table_is_what_a_loop_counts(seed, n):
    samples = drawn(seed, n)
    naive = np.zeros(samples.states, int)
    for one, two, answer in zip(samples.x1, samples.x2, samples.y, strict=True):
        naive[one, two, answer] += 1
    np.testing.assert_array_equal(samples.table(), naive)
    assert samples.table().sum() == len(samples) == n


def test_labels_of_any_kind_are_numbered_in_sorted_order():
    words = Samples.of(["b", "a", "b"], [2.5, -1.0, 2.5], [True, False, False])
    np.testing.assert_array_equal(words.x1, [1, 0, 1])
    np.testing.assert_array_equal(words.x2, [1, 0, 1])
    np.testing.assert_array_equal(words.y, [1, 0, 0])
    assert words.states == (2, 2, 2)


@pytest.mark.parametrize("n", [20, 100, 137])
def test_every_sample_is_left_out_once(n):
    samples = drawn(1, n)
    left = samples.left_out()
    assert left.shape == (BLOCKS, *samples.states)
    assert (left >= 0).all()
    np.testing.assert_array_equal(left.sum(axis=0), (BLOCKS - 1) * samples.table())
    sizes = n - left.sum(axis=(1, 2, 3))
    assert set(sizes) <= {n // BLOCKS, n // BLOCKS + 1}


@pytest.mark.parametrize("what", ["x1", "x2", "y"])
def test_a_permuted_side_leaves_the_others_and_itself_alone(what):
    samples = drawn(2)
    table, side = samples.table(), ("x1", "x2", "y").index(what)
    rest = tuple({0, 1, 2} - {side})
    shuffled = samples.shuffled(6, np.random.default_rng(0), what)
    assert shuffled.shape == (6, *table.shape)
    for draw in shuffled:
        np.testing.assert_array_equal(draw.sum(axis=side), table.sum(axis=side))
        np.testing.assert_array_equal(draw.sum(axis=rest), table.sum(axis=rest))
    assert any((draw != table).any() for draw in shuffled)


def test_a_permuted_side_tells_nothing_on_average():
    samples = drawn(3, 60)
    mean = samples.shuffled(4000, np.random.default_rng(0)).mean(axis=0)
    table = samples.table()
    apart = table.sum(axis=2)[:, :, None] * table.sum(axis=(0, 1)) / len(samples)
    np.testing.assert_allclose(mean, apart, atol=0.1)


@pytest.mark.parametrize("which", [1, 2])
def test_tied_sources_are_both_the_one_that_was_asked_for(which):
    samples = drawn(4, 400)
    draws = samples.tied(which, 3000, np.random.default_rng(0))
    pairs = samples.table().sum(axis=2 - which)  # [x, y]
    assert draws.shape == (3000, len(pairs), *pairs.shape)
    assert (draws.sum(axis=(1, 2, 3)) == len(samples)).all()
    mean = draws.mean(axis=0)
    np.testing.assert_allclose(mean.sum(axis=1), pairs, atol=0.5)
    np.testing.assert_allclose(mean.sum(axis=0), pairs, atol=0.5)
    for answer in range(pairs.shape[1]):  # given the answer, drawn apart
        apart = np.outer(pairs[:, answer], pairs[:, answer]) / pairs[:, answer].sum()
        np.testing.assert_allclose(mean[:, :, answer], apart, atol=0.3)


def test_drawing_again_follows_the_joint():
    joint = np.random.default_rng(0).dirichlet(np.ones(24)).reshape(2, 3, 4)
    draws = resampled(5 * joint, 50, 4000, np.random.default_rng(1))
    assert (draws.sum(axis=(1, 2, 3)) == 50).all()
    np.testing.assert_allclose(draws.mean(axis=0), 50 * joint, atol=0.25)


@pytest.mark.parametrize(
    "draw", [lambda s, r: s.shuffled(3, r), lambda s, r: s.tied(1, 3, r), lambda s, r: s.left_out()]
)
def test_the_same_seed_draws_the_same(draw):
    one, two = (draw(drawn(5), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_lists_of_different_lengths_are_refused_with_their_lengths():
    with pytest.raises(InformationError, match=r"\[3, 2, 3\]"):
        Samples.of([0, 1, 0], [0, 1], [0, 1, 1])


@pytest.mark.parametrize("y", [[], [1, 1, 1]])
def test_an_answer_that_never_varies_is_refused(y):
    with pytest.raises(InformationError, match="one value only"):
        Samples.of(y, y, y)
