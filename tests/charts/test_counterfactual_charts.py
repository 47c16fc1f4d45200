"""Figures of counterfactuals hold the numbers they draw, mark what flipped, and are Vega-Lite by its own schema."""

from dataclasses import replace

import altair
import numpy as np
import pytest

from vlmlens import charts
from vlmlens.attention import Patching
from vlmlens.counterfactual import BudgetChange, Dose, EffectChange, PairedEffect, compare_answers
from vlmlens.trace import Answer, Segment


def column(figure: charts.Figure, name: str, layer: int | None = None) -> list:
    part = figure.spec if layer is None else figure.spec["layer"][layer]
    return [row[name] for row in part["data"]["values"]]


@pytest.fixture
def answers():
    before = [Answer("red", 0.8, 0), Answer("blue", 0.15, 1), Answer("two", 0.05, 2)]
    return compare_answers(before, [Answer("blue", 0.7, 1), Answer("red", 0.3, 0)])


@pytest.fixture
def budgets():
    before = np.array([[0.25, 0.75], [np.nan, np.nan]])
    return BudgetChange(
        "share of attention", ("layer 1: a", "layer 2"), (Segment.IMAGE, Segment.QUESTION), before, before[:, ::-1]
    )


@pytest.fixture
def patched():
    odds = np.array([[5.0, -5.0], [0.0, -6.0]])
    groups = ("image", "question")
    return Patching(
        direction="restore",
        by="segment",
        labels=("layer 1", "readout: all"),
        layers=(0, 1),
        groups=groups,
        shape=None,
        odds=odds,
        clean_odds=5.0,
        changed_odds=-5.0,
        answers=("red", "blue"),
        clean_probabilities=(0.9, 0.1),
        changed_probabilities=(0.1, 0.9),
        noise=0.01,
    )


@pytest.fixture
def curve():
    return Dose(
        answer="red",
        points=5,
        strengths=np.array([0.0, 0.5, 1.0]),
        probability=np.array([0.9, 0.6, 0.2]),
        best=("red", "red", "blue"),
        best_probability=np.array([0.9, 0.6, 0.7]),
        candidates=np.array([0, 0, 1]),
    )


@pytest.fixture
def parts():
    pairs = (PairedEffect("the", 0.5, 0.5), PairedEffect("red → blue", 2.0, -1.0), PairedEffect("the", None, 0.25))
    return EffectChange("red", "blue", pairs)


def test_paired_answers_mark_the_best_of_each_run(answers):
    figure = charts.paired_answers(answers)
    assert column(figure, "probability") == [0.8, 0.3, 0.15, 0.7, 0.05, None]
    marked = [
        (a, run)
        for a, run, told in zip(*(column(figure, n) for n in ("answer", "run", "told")), strict=True)
        if "best" in told
    ]
    assert marked == [("red", "before"), ("blue", "after")]
    assert "“red” (0.80) becomes “blue” (0.70)" in figure.told


def test_budget_differences_are_drawn_and_gaps_left_out(budgets):
    figure = charts.budget_difference(budgets)
    assert column(figure, "difference") == [0.5, -0.5, None, None]


def test_the_heatmap_has_zero_in_its_middle_and_the_numbers_on_it(patched):
    figure = charts.patching(patched)
    assert column(figure, "value") == [1.0, 0.0, 0.5, pytest.approx(-0.1)]
    assert figure.spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == [-1.0, 0, 1.0]
    assert figure.spec["layer"][1]["encoding"]["text"]["field"] == "value"
    assert set(column(charts.patching(replace(patched, noise=20.0)), "value")) == {None}


def test_a_dose_shows_what_is_known_and_between_which_strengths_it_flips(curve):
    figure = charts.dose(curve)
    assert column(figure, "probability") == [0.9, 0.6, 0.2, 0.9, 0.6, 0.7]
    assert (column(figure, "low", 0), column(figure, "high", 0)) == ([0.5], [1.0])
    assert figure.spec["layer"][1]["encoding"]["x"]["scale"]["domain"] == [0, 1]


def test_effects_of_words_that_read_alike_keep_their_bars(parts):
    figure = charts.effects(parts)
    assert column(figure, "effect") == [0.5, 0.5, 2.0, -1.0, None, 0.25]
    assert column(figure, "part") == [0, 0, 1, 1, 2, 2]


def test_all_are_vega_lite_and_can_be_saved(answers, budgets, patched, curve, parts):
    for figure in (
        charts.paired_answers(answers),
        charts.budget_difference(budgets),
        charts.patching(patched),
        charts.patching(replace(patched, noise=20.0)),
        charts.dose(curve),
        charts.dose(replace(curve, candidates=np.zeros(3, int))),
        charts.effects(parts),
    ):
        altair.Chart.from_dict(figure.spec, validate=True)
        assert figure.told
        assert charts.export(figure, "svg", "by hand").startswith(b"<svg")
