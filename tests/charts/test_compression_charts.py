"""Charts of compression draw what they are given: every dot, its interval, and the picture under its veil."""

import json

import numpy as np
import pytest

from vlmlens import charts

PNG = b"\x89PNG of no matter"


def dots(*names, budgets=(36, 9, 1)):
    groups = list(charts.GROUPS)
    return [
        charts.Compressed(name, groups[i % 3], keep, float(keep), 0.9 - 0.1 * i, 0.8 - 0.1 * i, 1.0 - 0.1 * i, 3)
        for i, name in enumerate(names)
        for keep in budgets
    ]


def values(figure):
    return [row for layer in figure.spec["layer"] if "layer" in layer for row in layer["data"]["values"]]


def test_every_dot_is_drawn_once_and_the_marked_one_last():
    figure = charts.compression(dots("a", "b", "c"), "b", "image tokens", floor=0.5)
    drawn = values(figure)
    assert len(drawn) == 9
    assert {row["compressor"] for row in drawn[-3:]} == {"b"}
    assert {row["group"] for row in drawn[-3:]} == {"b"}
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in drawn)
    assert "b 0.80 with 36" in figure.told
    assert json.dumps(figure.spec)


def test_one_budget_has_a_whisker_and_nothing_is_no_error():
    assert values(charts.compression(dots("none", budgets=(36,)), "none", "image tokens"))
    assert values(charts.compression([], "none", "image tokens")) == []


def test_a_panel_for_each_of_several_budgets_and_the_control_in_all():
    figure = charts.compression_panels([*dots("none", budgets=(36,)), *dots("a", "b", "chance")], "chance", floor=0.5)
    assert {row["compressor"] for row in figure.spec["data"]["values"]} == {"a", "b"}
    assert figure.spec["facet"]["sort"] == ["a", "b"]
    floor, beside, *_ = figure.spec["spec"]["layer"]
    assert floor["encoding"]["y"]["datum"] == 0.5
    assert {row["compressor"] for row in beside["data"]["values"]} == {"chance"}
    drawn = charts.export(figure, "svg", "caption")
    assert drawn.count(b">a<") == drawn.count(b">b<") == 1


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_they_leave_the_app(kind):
    assert charts.export(charts.compression(dots("a", "b"), "a", "multiply-adds", cost=True), kind, "caption")


def test_a_kept_patch_lies_open_and_a_lost_one_under_the_whole_veil():
    shares = np.zeros((3, 36))
    shares[0, 5] = shares[1, 7] = 1
    shares[2, [1, 2]] = 0.5
    figure = charts.survivors(PNG, shares, 6)
    veil = {row["patch"]: row for row in figure.spec["layer"][1]["data"]["values"]}
    assert veil["row 1, column 6"]["veil"] == 0
    assert veil["row 2, column 2"]["veil"] == 0
    assert veil["row 1, column 2"]["veil"] == pytest.approx(1 - 0.5**0.5, abs=1e-4)
    assert veil["row 6, column 6"]["veil"] == 1
    assert sum(row["worth"] for row in veil.values()) == pytest.approx(3)
    assert "2 patches lie open, of 32 of 36 nothing is told" in figure.told
