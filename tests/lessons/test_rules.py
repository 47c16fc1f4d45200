"""Rules and texts: what a run with these numbers decides and says, and that it can decide for nothing."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.lessons import Body, Condition, Rule, Slider, Step
from vlmlens.lessons.text import fill

NAN = float("nan")
numbers = st.floats(-10, 10)


@settings(deadline=None)
@given(numbers, numbers, st.floats(0, 3))
def test_the_largest_must_lead_by_its_margin(a, b, margin):
    rule = Rule.read(f"largest of a, b by {margin:.6f}")
    margin = rule.margin
    found = rule.decide({"a": a, "b": b})
    assert found == ("a" if a - b > margin else "b" if b - a > margin else None)


@settings(deadline=None)
@given(numbers, numbers)
def test_cases_are_taken_in_their_order(x, y):
    rule = Rule.read("big when x > 1 and y >= 0; small when x < -1; otherwise middle")
    assert rule.decide({"x": x, "y": y}) == ("big" if x > 1 and y >= 0 else "small" if x < -1 else "middle")


def test_what_a_run_could_not_tell_decides_nothing():
    assert Rule.read("largest of a, b").decide({"a": NAN, "b": 1.0}) is None
    assert Rule.read("a when x > 0; b when x <= 0").decide({"x": NAN}) is None
    assert not Condition.read("x < 1").holds({"x": NAN})
    assert not Condition.read("x < 1").holds({"x": "words"})


def test_options_may_be_named_otherwise_than_numbers():
    rule = Rule.read("largest of first=lost_1, second=lost_2 by 0.05")
    assert rule.options == ("first", "second")
    assert rule.names == ("lost_1", "lost_2")
    assert rule.decide({"lost_1": 0.1, "lost_2": 0.3}) == "second"


def step(rule: str, **more: object) -> Step:
    return Step("predict", "t", 1, rule=Rule.read(rule), **more)


def test_a_prediction_is_right_wrong_or_undecided():
    asked = step("a when x > 1; b when x < 0", options={"a": "the first", "b": "the second"})
    assert asked.judge("a", {"x": 2.0}).right is True
    assert asked.judge("b", {"x": 2.0}).right is False
    assert "the run says “the first”" in asked.judge("b", {"x": 2.0}).sentence
    undecided = asked.judge("a", {"x": 0.5})
    assert undecided.right is None
    assert "inconclusive" in undecided.sentence


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_number_on_a_slider_is_right_when_it_is_near(said, truth):
    asked = step("x within 0.1", slider=Slider(0, 1, 0.05, "bits"))
    judged = asked.judge(said, {"x": truth})
    assert judged.right == (abs(said - truth) <= 0.1)
    assert f"{truth:.2f}** bits" in judged.sentence
    assert asked.judge(said, {"x": NAN}).right is None


def body(text: str) -> Body:
    problems: list[str] = []
    found = Body.read(list(enumerate(text.splitlines(), 1)), lambda line, told: problems.append(told))
    assert not problems
    return found


@pytest.mark.parametrize(("x", "said"), [(1.0, "more"), (0.0, "less"), (NAN, "less")])
def test_only_what_the_run_shows_is_said(x, said):
    assert body("when x > 0.5: more\n\notherwise: less").say({"x": x}) == said


def test_otherwise_belongs_to_the_conditions_right_before_it():
    text = body("when x > 1: a\n\nwhen x > 2: b\n\notherwise: c\n\nalways\n\nwhen x > 3: d\n\notherwise: e")
    assert text.say({"x": 1.5}).split() == ["a", "always", "e"]
    assert text.say({"x": 0.0}).split() == ["c", "always", "e"]
    assert text.say({"x": 9.0}).split() == ["a", "b", "always", "d"]


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        ("{x}", 0.5, "0.5"),
        ("{x}", "words", "words"),
        ("{x:.0%}", 0.314, "31 %"),
        ("{x:.0%}", -0.001, "0 %"),
        ("{x:.2f}", -0.001, "0.00"),
        ("{x:+.2f}", 0.1, "+0.10"),
        ("{x:d}", 3.0, "3"),
        ("{x:.1f}", math.nan, "n/a"),
    ],
)
def test_numbers_are_filled_in(form, value, said):
    assert fill(form, {"x": value}) == said
