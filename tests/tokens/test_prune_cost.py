"""What pruning saves: the published formula, PyTorch's count beside a count by hand, and the clock's arithmetic."""

import itertools

import numpy as np
import pytest

import vlmlens
from vlmlens.lab.sample import take
from vlmlens.tokens.prune import count, prune
from vlmlens.tokens.prune_cost import LEAST, Decoder, Timing, counted, formula, layer_cost, timed

ITEM = take("test", 5, 1)[0]
LLAVA_7B = Decoder(32, 4096, 11008)


@pytest.fixture(scope="module")
def vlm():
    return vlmlens.load("lab:llava")


@pytest.fixture(scope="module")
def ready(vlm):
    return vlm.prepare(vlm.image(ITEM.scene), ITEM.question.text)


def test_the_published_example():
    """FastV's table 1: 99.3 billion a layer on average, 54.6 at K = 2 and half of the 576 image tokens."""
    tokens = 612  # with which the full model costs what is published
    assert layer_cost(tokens, LLAVA_7B) / 1e9 == pytest.approx(99.3, rel=0.002)
    left = formula(LLAVA_7B, tokens, 576, 0.5, 2)
    assert left * layer_cost(tokens, LLAVA_7B) / 1e9 == pytest.approx(54.6, rel=0.005)


def test_the_formula_is_one_with_all_tokens_and_falls_with_every_token_and_every_layer():
    assert formula(LLAVA_7B, 600, 576, 1.0, 2) == 1
    shares = [formula(LLAVA_7B, 600, 576, kept / 576, 2) for kept in range(577)]
    layers = [formula(LLAVA_7B, 600, 576, 0.5, layer) for layer in range(1, 33)]
    assert all(a < b for a, b in itertools.pairwise(shares))
    assert all(a < b for a, b in itertools.pairwise(layers))
    assert layers[-1] == 1


def test_the_count_is_what_the_shapes_give(vlm, ready):
    """Of lab:llava: as many key heads as heads, a gated perceptron, two operations a multiply-add."""
    sizes = Decoder(3, 96, 256)
    assert Decoder.of(vlm) == sizes

    def whole(n):
        return 2 * (4 * n * sizes.width**2 + 2 * n**2 * sizes.width + 3 * n * sizes.width * sizes.inner)

    n = ready.length
    assert counted(vlm, ready) == 3 * whole(n)
    left = n - 36 + count(0.25, 36)
    ranking = 2 * n * sizes.width  # one row against all keys
    assert counted(vlm, ready, prune(vlm, 0.25, 1)) == whole(n) + ranking + 2 * whole(left)
    assert counted(vlm, ready, prune(vlm, 0.25, 2, "random")) == 2 * whole(n) + whole(left)


def test_the_formulas_ratio_is_near_the_counts(vlm, ready):
    for share, layer in itertools.product((0.75, 0.5, 0.25, 0.1), (1, 2)):
        ratio = counted(vlm, ready, prune(vlm, share, layer)) / counted(vlm, ready)
        assert formula(Decoder.of(vlm), ready.length, 36, share, layer) == pytest.approx(ratio, abs=0.01)


def test_an_interval_of_a_median_covers_it_whatever_the_noise():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        ratios = np.exp(rng.standard_t(2, 9))
        low, high = Timing((1.0,) * 9, tuple(ratios)).interval
        covered.append(low <= 1 <= high)
    assert np.mean(covered) > 0.94


def test_a_verdict_needs_the_whole_interval():
    assert Timing((1.0,) * 8, (0.5,) * 8).verdict == "faster"
    assert Timing((1.0,) * 8, (2.0,) * 8).verdict == "slower"
    assert Timing((1.0,) * 8, (0.5, 2.0) * 4).verdict == "inconclusive"
    few = Timing((1.0,) * (LEAST - 1), (0.5,) * (LEAST - 1))
    assert np.isnan(few.interval).all()
    assert few.verdict == "inconclusive"


def test_pairs_come_one_by_one_and_end_when_the_time_is_up(vlm, ready):
    found = list(timed(vlm, ready, 0.5, 1, pairs=3))
    assert [len(timing.full) for timing in found] == [len(timing.pruned) for timing in found] == [1, 2, 3]
    assert (found[-1].ratios > 0).all()
    assert len(list(timed(vlm, ready, 0.5, 1, pairs=50, seconds=0))) == LEAST
