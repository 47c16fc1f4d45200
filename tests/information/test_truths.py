"""Every truth is a probability table, and what it is called is what dominates it."""

import numpy as np
import pytest

from vlmlens.information import TRUTHS, decompose

NAMED = {
    "independent": set(),
    "redundant": {"redundant"},
    "redundant, uneven": {"unique_1", "redundant"},
    "near tie": {"redundant"},
    "unique": {"unique_1"},
    "unique, weak": {"unique_1"},
    "unique, both": {"unique_1", "unique_2"},
    "synergistic": {"synergistic"},
    "mixed": {"unique_1", "unique_2", "redundant", "synergistic"},
}
ATOMS = ("unique_1", "unique_2", "redundant", "synergistic")
STATES = (4, 5, 8)


def test_every_truth_says_what_it_holds():
    assert set(TRUTHS) == set(NAMED)


@pytest.mark.parametrize("k", [2, 3, *STATES])
@pytest.mark.parametrize("name", TRUTHS)
def test_a_truth_is_a_probability_table(name, k):
    joint = TRUTHS[name].joint(k)
    assert joint.shape == (k, k, k)
    assert (joint >= 0).all()
    assert joint.sum() == pytest.approx(1)
    assert TRUTHS[name].sentence.endswith(".")


@pytest.mark.parametrize("k", STATES)
@pytest.mark.parametrize("name", TRUTHS)
def test_what_a_truth_is_called_is_there(name, k):
    pid = decompose(TRUTHS[name].joint(k), 1e-9)
    atoms = {atom: getattr(pid, atom) for atom in ATOMS}
    if not NAMED[name]:
        assert max(atoms.values()) < 1e-6
    for atom in NAMED[name]:
        assert atoms[atom] > 0.01
    if len(NAMED[name]) == 1:
        assert max(atoms, key=atoms.get) in NAMED[name]


@pytest.mark.parametrize("k", STATES)
def test_a_noisy_channel_has_the_information_of_its_formula(k):
    def channel(noise: float) -> float:
        right, wrong = 1 - noise + noise / k, noise / k
        return np.log2(k) + right * np.log2(right) + (k - 1) * wrong * np.log2(wrong)

    for name, noise in (("unique", 0.4), ("unique, weak", 0.8)):
        pid = decompose(TRUTHS[name].joint(k), 1e-9)
        np.testing.assert_allclose([getattr(pid, a) for a in ATOMS], [channel(noise), 0, 0, 0], atol=1e-8)
    pid = decompose(TRUTHS["synergistic"].joint(k), 1e-9)
    np.testing.assert_allclose([getattr(pid, a) for a in ATOMS], [0, 0, 0, channel(0.4)], atol=1e-8)
    for name, one, two in (("redundant", 0.5, 0.5), ("redundant, uneven", 0.3, 0.6), ("near tie", 0.5, 0.55)):
        pid = decompose(TRUTHS[name].joint(k), 1e-9)
        assert pid.information_1 == pytest.approx(channel(one), abs=1e-8)
        assert pid.information_2 == pytest.approx(channel(two), abs=1e-8)
        # the noisier copy is a degraded form of the better: all it tells is redundant
        assert pid.redundant == pytest.approx(channel(two), abs=1e-7)


@pytest.mark.parametrize("k", STATES)
def test_a_perfect_tie_holds_nothing_unique(k):
    pid = decompose(TRUTHS["redundant"].joint(k), 1e-9)
    assert max(abs(pid.unique_1), abs(pid.unique_2)) < 1e-8
