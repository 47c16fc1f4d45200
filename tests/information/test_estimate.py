"""An estimate holds the truth, refuses what it cannot know, and says in words what was planted."""

import json
import math

import numpy as np
import pytest

from vlmlens.information import TRUTHS, InformationError, decompose, estimate
from vlmlens.information import clusters as clusters_module
from vlmlens.information.estimate import BLOCKS, TERMS, jackknife, of_samples
from vlmlens.information.samples import Samples

ROUNDING = 1e-3  # bits: the tolerance of the estimator's solutions


def sample(joint: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, ...]:
    cells = np.random.default_rng(seed).choice(joint.size, n, p=joint.ravel() / joint.sum())
    return np.unravel_index(cells, joint.shape)


def told(n: int, seed: int, first: float, second: float, k: int = 4) -> tuple[np.ndarray, ...]:
    """Even sources; the answer is a copy of x1 with probability `first`, of x2 with `second`, else drawn anew."""
    rng = np.random.default_rng(seed)
    x1, x2, other = rng.integers(0, k, (3, n))
    dice = rng.random(n)
    return x1, x2, np.where(dice < first, x1, np.where(dice < first + second, x2, other))


def each_a_half(n: int, seed: int, noise: float = 0.2) -> tuple[np.ndarray, ...]:
    """Four answers: x1 settles one bit of them, x2 the other; drawn anew with probability `noise`."""
    rng = np.random.default_rng(seed)
    x1, x2, other = rng.integers(0, 4, (3, n))
    return x1, x2, np.where(rng.random(n) < noise, other, x1 % 2 * 2 + x2 % 2)


def blobs(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 20 * np.eye(labels.max() + 1, 12)[labels] + rng.normal(size=(len(labels), 12))


# Truth


@pytest.mark.parametrize("name", ["independent", "redundant, uneven", "unique, both", "mixed"])
def test_intervals_hold_the_truth_for_most_draws(name):
    joint = TRUTHS[name].joint(6)
    exact = decompose(joint, 1e-9)
    held = []
    for seed in range(4):
        found = of_samples(Samples.of(*sample(joint, 2000, seed)), draws=8)
        shown = [term for term in found.terms if term.status == "shown"]
        assert {term.name for term in shown} >= set(TERMS[:3])
        held += [t.low - ROUNDING <= getattr(exact, t.name) <= t.high + ROUNDING for t in shown]
    assert np.mean(held) >= 0.75


def test_what_the_jackknife_leaves_of_the_bias_is_small():
    joint = TRUTHS["unique, both"].joint(8)
    exact = decompose(joint, 1e-9)
    found = [of_samples(Samples.of(*sample(joint, 1500, seed)), draws=2) for seed in range(6)]
    plug_in = np.mean([each["unique_1"].plug_in for each in found]) - exact.unique_1
    corrected = np.mean([each["unique_1"].value for each in found]) - exact.unique_1
    assert abs(corrected) < plug_in / 2


def test_plug_in_terms_are_those_of_the_table():
    samples = Samples.of(*told(1000, 0, 0.3, 0.3))
    found, pid = of_samples(samples), decompose(samples.table(), 1e-6)
    np.testing.assert_allclose([t.plug_in for t in found.terms], [getattr(pid, t) for t in TERMS], atol=ROUNDING)
    assert found.plug_in_total == pytest.approx(pid.total, abs=1e-9)
    assert (found.n, found.states) == (1000, (4, 4, 4))
    assert 0 <= found.gap <= ROUNDING


def test_the_jackknife_of_a_mean_is_the_mean_with_its_textbook_error():
    blocks = np.random.default_rng(0).normal(3, 2, BLOCKS)
    without = (blocks.sum() - blocks) / (BLOCKS - 1)
    value, error = jackknife(np.array(blocks.mean()), without)
    assert value == pytest.approx(blocks.mean())
    assert error == pytest.approx(blocks.std(ddof=1) / math.sqrt(BLOCKS))


def test_the_jackknife_takes_away_a_bias_of_one_over_n():
    n = np.array(1000.0)
    value, _ = jackknife(2 + 7 / n, np.full(BLOCKS, 2 + 7 / (n * (BLOCKS - 1) / BLOCKS)))
    assert value == pytest.approx(2)


# What may be shown


def test_five_hundred_samples_are_too_few_for_eight_clusters_and_answers():
    found = of_samples(Samples.of(*sample(TRUTHS["unique"].joint(8), 500, 0)))
    for term in found.terms:
        assert term.status == "refused"
        assert all(math.isnan(x) for x in (term.value, term.low, term.high))
        assert "500 samples" in term.why
        assert math.isfinite(term.plug_in)
    assert found.sentence().startswith("Too few samples")
    assert math.isnan(found.share.value)
    assert found.share.why == "n/a: too few samples"


@pytest.mark.parametrize(
    ("n", "unique", "synergy"),
    [
        (159, "refused", "refused"),
        (160, "shown", "bracket"),
        (639, "shown", "bracket"),
        (640, "shown", "shown"),
    ],
)
def test_terms_are_shown_by_how_many_samples_a_cell_has(n, unique, synergy):
    found = of_samples(Samples.of(*told(n, 1, 0.4, 0.4)), draws=4)
    assert found.states == (4, 4, 4)
    assert [term.status for term in found.terms] == [unique] * 3 + [synergy]
    for term in found.terms:
        assert (term.why == "") == (term.status == "shown")


def test_below_two_and_a_half_samples_a_cell_there_is_no_bracket():
    joint = TRUTHS["mixed"].joint(8)
    assert of_samples(Samples.of(*sample(joint, 1279, 0)), draws=3)["synergistic"].status == "refused"
    found = of_samples(Samples.of(*sample(joint, 1280, 0)), draws=3)["synergistic"]
    assert found.status == "bracket"
    assert found.low <= found.value <= found.high < found.plug_in


@pytest.mark.parametrize("name", ["redundant", "unique, both", "synergistic", "mixed"])
def test_a_bracket_lies_about_the_true_synergy(name):
    joint = TRUTHS[name].joint(8)
    exact = decompose(joint, 1e-9).synergistic
    found = [of_samples(Samples.of(*sample(joint, 2000, seed)), draws=6)["synergistic"] for seed in range(4)]
    assert sum(term.low <= exact <= term.high for term in found) >= 3
    assert all(term.low < term.value < term.plug_in for term in found)


# What it says


@pytest.mark.parametrize(
    ("plant", "start"),
    [
        (lambda seed: told(1000, seed, 0.0, 0.6), "What decides is in text alone; nothing of its own in image"),
        (lambda seed: told(1000, seed, 0.6, 0.0), "What decides is in image alone; nothing of its own in text"),
        (lambda seed: each_a_half(1000, seed), "The answer takes from image and from text"),
        (lambda seed: told(1000, seed, 0.0, 0.0), "Inconclusive"),
    ],
    ids=["blind", "image only", "additive", "nothing"],
)
def test_the_sentence_says_what_was_planted(plant, start):
    for seed in range(3):
        assert of_samples(Samples.of(*plant(10 + seed))).sentence("image", "text").startswith(start)


def test_the_same_thing_twice_is_said_to_be_either():
    x, _, y = told(1000, 0, 0.6, 0.0)
    found = of_samples(Samples.of(x, x, y))
    assert found.sentence("image", "text") == (
        "By this measure image and text tell the same: nothing in either is its own."
    )
    assert found.share.why.startswith("n/a")


def test_a_sum_is_said_to_need_both():
    x1, x2, _ = told(1000, 0, 0, 0)
    found = of_samples(Samples.of(x1, x2, (x1 + x2) % 4))
    assert found.sentence("image", "text") == (
        "Neither image nor text tells anything alone; together they tell more than apart."
    )
    assert found["synergistic"].low <= 2 <= found["synergistic"].high + 0.1


def test_independent_data_have_no_share():
    share = of_samples(Samples.of(*told(2000, 3, 0, 0))).share
    assert math.isnan(share.value)
    assert math.isnan(share.low)
    assert share.why.startswith("n/a: what is unique to either does not rise over chance")


def test_a_share_is_the_first_sources_part():
    only = of_samples(Samples.of(*told(1000, 0, 0.6, 0.0))).share
    even = of_samples(Samples.of(*each_a_half(1000, 0))).share
    none = of_samples(Samples.of(*told(1000, 0, 0.0, 0.6))).share
    assert only.value > 0.95
    assert only.high == 1
    assert even.low < 0.5 < even.high
    assert even.high - even.low < 0.5
    assert none.value < 0.05
    assert none.low == 0


# Invariances


def test_names_of_states_do_not_matter():
    samples = told(1000, 5, 0.4, 0.2)
    renamed = [np.array(["d", "b", "a", "c"])[side] for side in samples]
    one, two = estimate(*samples), estimate(*renamed)
    for name in TERMS:
        assert one[name].value == pytest.approx(two[name].value, abs=0.02)
        assert one[name].plug_in == pytest.approx(two[name].plug_in, abs=2 * ROUNDING)
        assert one[name].clear == two[name].clear


def test_exchanging_the_sources_exchanges_what_is_unique():
    x1, x2, y = told(1000, 6, 0.5, 0.2)
    one, two = estimate(x1, x2, y), estimate(x2, x1, y)
    for name, other in zip(TERMS, ("unique_2", "unique_1", "redundant", "synergistic"), strict=True):
        assert one[name].value == pytest.approx(two[other].value, abs=0.02)
        assert one[name].clear == two[other].clear
    assert one.share.value == pytest.approx(1 - two.share.value, abs=0.02)


def test_the_same_seed_estimates_the_same():
    samples = told(600, 7, 0.4, 0.2)
    assert estimate(*samples, seed=3).to_dict() == estimate(*samples, seed=3).to_dict()


# Features


def test_blobs_estimate_what_their_labels_do_on_the_samples_between():
    x1, x2, y = told(2000, 8, 0.5, 0.2)
    rng = np.random.default_rng(0)
    features = estimate(blobs(x1, rng), blobs(x2, rng), y, k=4)
    labels = estimate(x1[1::2], x2[1::2], y[1::2])
    assert features.n == labels.n == 1000
    for name in TERMS:
        assert features[name].plug_in == pytest.approx(labels[name].plug_in, abs=2 * ROUNDING)


def test_features_of_one_side_go_with_labels_of_the_other():
    x1, x2, y = told(1000, 9, 0.6, 0.0)
    found = estimate(blobs(x1, np.random.default_rng(0)), x2, y, k=4)
    assert found.n == 500
    assert found.sentence("image", "text").startswith("What decides is in image alone")


def test_clusters_are_formed_by_the_samples_that_are_not_counted(monkeypatch):
    seen = []
    fit = clusters_module.Clusters.fit.__func__
    monkeypatch.setattr(
        clusters_module.Clusters, "fit", classmethod(lambda cls, *a, **k: seen.append(fit(cls, *a, **k)) or seen[-1])
    )
    rng = np.random.default_rng(1)
    x1, x2, y = rng.normal(size=(400, 6)), rng.normal(size=(400, 6)), rng.integers(0, 3, 400)
    estimate(x1, x2, y, k=3, draws=2)
    changed_1, changed_2, changed_y = x1.copy(), x2.copy(), y.copy()
    changed_1[1::2], changed_2[1::2], changed_y[1::2] = 5, rng.normal(size=(200, 6)), rng.permutation(y[1::2])
    estimate(changed_1, changed_2, changed_y, k=3, draws=2)
    for before, after in zip(seen[:2], seen[2:], strict=True):
        np.testing.assert_array_equal(before.centres, after.centres)
        np.testing.assert_array_equal(before.axes, after.axes)


# What goes out and what is refused


@pytest.mark.parametrize(("n", "first"), [(100, 0.5), (400, 0.0), (1000, 0.6)])
def test_a_result_is_json_without_nan(n, first):
    found = of_samples(Samples.of(*told(n, 0, first, 0.0)), draws=4)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(data["terms"]) == list(TERMS)
    for name in TERMS:
        value = found[name].value
        assert data["terms"][name]["value"] == (None if math.isnan(value) else value)
    frame = found.to_frame()
    assert list(frame["name"]) == list(TERMS)
    assert {"value", "low", "high", "plug_in", "null", "null_high", "clear", "status", "why"} <= set(frame)


@pytest.mark.parametrize(
    ("x1", "x2", "y", "word"),
    [
        (np.arange(30) % 3, np.arange(29) % 3, np.arange(30) % 2, r"\[30, 29, 30\]"),
        (np.arange(30) % 3, np.arange(30) % 3, np.ones(30), "one value only"),
        (np.arange(19) % 3, np.arange(19) % 3, np.arange(19) % 2, "19 samples"),
        (np.ones((60, 4)), np.arange(60) % 3, np.arange(60) % 2, "the same for every sample"),
        (np.full((60, 4), np.nan), np.arange(60) % 3, np.arange(60) % 2, "finite"),
        (np.random.default_rng(0).normal(size=(14, 4)), np.arange(14) % 3, np.arange(14) % 2, "k = 8"),
        (np.ones((60, 4, 2)), np.arange(60) % 3, np.arange(60) % 2, "axes"),
    ],
)
def test_data_that_say_nothing_are_refused_in_a_sentence(x1, x2, y, word):
    with pytest.raises(InformationError, match=word):
        estimate(x1, x2, y)
