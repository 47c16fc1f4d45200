"""Cards over seeds: means with intervals that cover, missing seeds named, ceilings computed and not recited."""

import json

import numpy as np
import pytest
from scipy.stats import t as student

from vlmlens.errors import ModelError
from vlmlens.lab import cards as module
from vlmlens.lab import weights
from vlmlens.lab.cards import BAR, cards, over_seeds
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.questions import KINDS
from vlmlens.lab.weights import SEEDS, LabName


def held(accuracy, **by):
    return {
        "n": 400,
        "seed": 0,
        "prior": 0.3,
        "accuracy": accuracy,
        "accuracy_blind": 0.35,
        "blind_ceiling": 0.54,
        "by_question": dict.fromkeys(KINDS, accuracy) | by,
    }


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """shelf(wiring, seed, held_out): a card with weights beside it, in a folder of its own."""
    monkeypatch.setattr(weights, "HOME", tmp_path)

    def put(wiring, seed, held_out=None, **more):
        name = LabName(wiring, seed)
        name.path.write_bytes(b"")
        told = {"model": str(name), "seed": seed, "steps": 100, "seconds": 9} | more
        name.card.write_text(json.dumps(told | ({"held_out": held_out} if held_out else {})))

    return put


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_wiring_has_cards_or_says_which_are_missing(wiring):
    found = cards(wiring)
    assert sorted([card.seed for card in found.cards] + [*found.missing, *found.unmeasured]) == list(SEEDS)
    if found.cards:
        low, mean, high = found.accuracy.low, found.accuracy.value, found.accuracy.high
        assert 0 <= low <= mean <= high <= 1
        assert mean == pytest.approx(np.mean([card.accuracy for card in found.cards]))
        counts = module.asked(found.cards[0].sample, found.cards[0].questions)
        weighted = sum(counts[kind] * each.value for kind, each in found.by_question.items())
        assert weighted / sum(counts.values()) == pytest.approx(mean, abs=1e-3), "the kinds add up to the whole"


def test_missing_seeds_and_unmeasured_ones_are_named(shelf):
    assert cards("gated").told == "0 of 3 seeds trained (missing: 0, 1, 2)"
    assert cards("gated").accuracy is None
    shelf("gated", 0, held(0.98))
    shelf("gated", 2)  # trained and not measured yet
    found = cards("gated")
    assert (found.missing, found.unmeasured) == ((1,), (2,))
    assert found.told == "2 of 3 seeds trained (missing: 1), 1 of them measured (not yet: 2)"


def test_one_seed_has_wilsons_interval_and_more_have_students_and_at_least_wilsons():
    one = over_seeds([0.9], 400)
    assert (one.low, one.high) == wilson(360, 400)
    spread = [0.5, 0.7, 0.9]
    half = student.ppf(0.975, 2) * np.std(spread, ddof=1) / np.sqrt(3)
    wide = over_seeds(spread, 400)
    assert wide.low == pytest.approx(max(0, 0.7 - half))
    assert wide.high == pytest.approx(min(1, 0.7 + half))
    alike = over_seeds([1.0, 1.0, 1.0], 50)
    assert alike.low == pytest.approx(wilson(50, 50)[0]), "three perfect seeds on 50 questions prove no 100 %"


def test_the_interval_covers_the_truth():
    """Seeds that differ and questions that are drawn: the true mean lies inside in at least 95 % of studies."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        skills = np.clip(rng.normal(0.8, 0.03, 3), 0, 1)
        found = over_seeds(list(rng.binomial(300, skills) / 300), 300)
        inside += found.low <= 0.8 <= found.high
    assert inside >= 380


def test_a_ceiling_names_the_kinds_that_fall_short_as_measured(shelf):
    shelf("late", 0, held(1.0, relation=0.55, color=0.4))
    found = cards("late")
    assert found.short() == ("color", "relation")
    assert "color 0.40, relation 0.55" in found.ceiling_told()
    assert "exist" in found.ceiling_told().split("The others")[1]


def test_a_ceiling_that_is_not_there_is_contradicted(shelf):
    shelf("late", 0, held(1.0))
    assert "contradict" in cards("late").ceiling_told()


def test_wirings_without_a_ceiling_have_no_excuse(shelf):
    shelf("concat", 0, held(0.5))
    assert cards("concat").ceiling_told() == ""
    assert cards("concat").accuracy.against(BAR) == "below"


def test_a_damaged_card_is_told_in_a_sentence(shelf):
    shelf("concat", 1)
    LabName("concat", 1).card.write_text('{"held_out": {"n": 3')
    with pytest.raises(ModelError, match=r"concat-1.*damaged"):
        cards("concat")
