"""The bars of a class hold its counts, end at its size, and mark the right choice only when told to."""

import pytest

from vlmlens import charts

COUNTS = {"the image": 3, "the question": 0, "both of them together, neither of which says anything on its own": 5}


def bars(figure: charts.Figure) -> list[dict]:
    return figure.spec["data"]["values"]


def test_every_choice_has_its_count_in_the_order_offered():
    figure = charts.predictions(COUNTS, 12)
    assert {row["choice"]: row["learners"] for row in bars(figure)} == COUNTS
    assert [row["choice"] for row in bars(figure)] == list(COUNTS)


@pytest.mark.parametrize(("learners", "end"), [(12, 12), (0, 5), (5, 5)])
def test_the_axis_ends_at_the_class(learners, end):
    figure = charts.predictions(COUNTS, learners)
    assert figure.spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, end]


def test_the_right_choice_is_marked_by_a_tick_once_it_is_told():
    before, after = charts.predictions(COUNTS, 12), charts.predictions(COUNTS, 12, "the image")
    assert "✓" not in charts.export(before, "svg", "").decode()
    assert charts.export(after, "svg", "").decode().count("✓") == 1
    assert after.told.endswith("the run found the image")


def test_a_long_choice_is_broken_and_a_very_long_one_is_cut():
    drawn = charts.export(charts.predictions({"word " * 60: 1}, 2), "svg", "").decode()
    assert "…" in drawn
    assert "on its own" in charts.export(charts.predictions(COUNTS, 12), "svg", "").decode()


def test_nobody_and_nothing_is_drawn_too():
    assert charts.export(charts.predictions({"a": 0, "b": 0}, 0), "svg", "")
    assert charts.export(charts.predictions({}, 0), "svg", "")
