"""The causal check: its verdict follows from its numbers, and its numbers are those of the model."""

import json

import numpy as np
import pytest

from vlmlens.attention import CausalCheck, causal_check
from vlmlens.trace import Knockout

QUESTION = "what color is the circle?"
MANY = 12


def check(after, elsewhere, before=0.9):
    return CausalCheck("red", (0, 1), before, after, tuple(elsewhere))


def around(mean, spread=0.01, count=MANY):
    return mean + spread * np.linspace(-1, 1, count)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (check(0.2, around(0.85)), "more than elsewhere"),
        (check(0.84, around(0.85)), "no more than elsewhere"),
        (check(0.95, around(0.5)), "no more than elsewhere"),  # hiding it even helped
        (check(0.8, around(0.85, spread=0.4)), "inconclusive"),  # the places differ too much to tell
        (check(0.8, around(0.85, spread=0.001)), "inconclusive"),  # on the margin itself
        (check(0.2, around(0.85, count=4)), "inconclusive"),  # too few places
        (check(0.2, []), "inconclusive"),
        (check(0.2, [0.9]), "inconclusive"),
    ],
    ids=["more", "no more", "helped", "spread", "margin", "too few", "none", "one"],
)  # fmt: skip
def test_the_verdict(made, verdict):
    assert made.verdict == verdict


def test_the_interval_holds_the_mean_and_shrinks_with_the_number_of_places():
    widths = []
    for count in (5, 20, 40):
        made = check(0.5, around(0.6, 0.1, count))
        low, high = made.interval
        assert low < made.elsewhere_mean < high
        assert made.interval == (low, high)  # the same every time it is asked for
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = check(0.5, rng.normal(0.6, 0.1, 40)).interval
        covered += low <= 0.6 <= high
    assert 0.88 <= covered / 200 <= 0.99  # 95 % in the limit; a bootstrap of 40 is a little short


@pytest.mark.parametrize(
    "made", [check(0.2, around(0.85)), check(0.2, []), check(0.2, [0.9])], ids=["many", "none", "one"]
)
def test_it_can_be_told_in_words_in_a_table_and_in_json(made):
    sentence = made.sentence("the circle")
    assert sentence.startswith("Hiding the circle takes “red” from 0.90 to 0.20")
    assert "nan" not in sentence
    assert len(made.to_frame()) == 2 + len(made.elsewhere)
    assert json.loads(json.dumps(made.to_dict(), allow_nan=False))["verdict"] == made.verdict


def test_its_numbers_are_those_of_the_model(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    region = (7, 8, 13, 14)
    made = causal_check(any_model, scenes[0], QUESTION, trace, region)
    assert made.answer == trace.answer
    assert made.region == region
    np.testing.assert_allclose(made.before, trace.answers[0].probability, atol=1e-6)
    keys = np.zeros(trace.length, bool)
    keys[trace.grid.positions[list(region)]] = True
    hidden = any_model.inspect(scenes[0], QUESTION, edits=[Knockout(keys)])
    np.testing.assert_allclose(made.after, hidden.probabilities.get(trace.answer, made.after), atol=1e-6)
    assert len(made.elsewhere) >= 10
    assert all(0 <= p <= 1 for p in (made.before, made.after, *made.elsewhere))


def test_hiding_nothing_takes_nothing(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    made = causal_check(any_model, scenes[0], QUESTION, trace, ())
    assert made.before == made.after
    assert made.elsewhere == ()
    assert made.verdict == "inconclusive"


def test_another_answer_can_be_followed(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    second = trace.answers[1]
    made = causal_check(any_model, scenes[0], QUESTION, trace, (0,), answer=second)
    np.testing.assert_allclose(made.before, second.probability, atol=1e-6)
