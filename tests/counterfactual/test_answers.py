"""Answers side by side, against numbers worked out by hand and by another library."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from vlmlens.counterfactual import compare_answers
from vlmlens.trace import Answer


def ranked(probabilities, names=None):
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    return [Answer(names[i] if names else f"word {i}", float(probabilities[i]), int(i)) for i in order]


@pytest.mark.parametrize("seed", range(5))
def test_the_divergence_of_whole_lists_is_scipys(seed):
    one, other = np.random.default_rng(seed).dirichlet(np.full(9, 0.3), size=2)
    change = compare_answers(ranked(one), ranked(other))
    assert change.exact
    assert change.divergence == pytest.approx(jensenshannon(one, other, base=2) ** 2, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_of_lists_that_are_cut_short_it_is_a_lower_bound(seed):
    one, other = np.random.default_rng(seed).dirichlet(np.full(30, 0.2), size=2)
    change = compare_answers(ranked(one)[:5], ranked(other)[:5])
    assert not change.exact
    assert 0 <= change.divergence <= jensenshannon(one, other, base=2) ** 2 + 1e-12
    assert "at least" in change.sentence()


def test_nothing_changes_between_equal_lists_and_all_between_certain_ones():
    same = compare_answers(ranked([0.6, 0.4]), ranked([0.6, 0.4]))
    assert (same.divergence, same.flipped, same.odds_change) == (0, False, 0)
    apart = compare_answers(ranked([1.0, 0.0]), ranked([0.0, 1.0]))
    assert apart.divergence == pytest.approx(1)
    assert apart.flipped


def test_every_top_answer_of_either_is_there_once_with_both_numbers():
    change = compare_answers(ranked([0.7, 0.2, 0.06, 0.04]), ranked([0.1, 0.05, 0.15, 0.7]), shown=2)
    assert [(p.candidate, p.before, p.after) for p in change.pairs] == [
        (0, 0.7, 0.1),
        (3, 0.04, 0.7),
        (1, 0.2, 0.05),
        (2, 0.06, 0.15),
    ]
    assert change.odds_before == pytest.approx(math.log(0.7 / 0.3))
    assert change.odds_after == pytest.approx(math.log(0.1 / 0.9))


def test_what_a_list_lacks_is_not_made_up():
    change = compare_answers(ranked([0.9, 0.1])[:1], ranked([0.2, 0.8])[:1])
    assert math.isnan(change.pairs[0].after)
    assert math.isnan(change.odds_after)
    told = change.to_dict()
    assert told["answers"][0] == {"answer": "word 0", "before": 0.9, "after": None}
    assert told["log_odds_after"] is None


def test_two_tokens_that_read_alike_are_two_answers():
    names = ["red", "red"]
    change = compare_answers(ranked([0.6, 0.4], names), ranked([0.4, 0.6], names))
    assert change.flipped
    assert len(change.pairs) == 2
