"""The Cost view's charts draw what was counted, nothing else."""

import pytest

from vlmlens.charts.cost import cost_parts, scaled_accuracy
from vlmlens.lab.cards import Estimate
from vlmlens.tokens.models import find


def test_every_part_of_every_pass_is_a_bar_and_they_add_up():
    costs = {str(image): find("llava-1.5-7b").cost(672, 672, 64, image=image) for image in (576, 64)}
    figure = cost_parts(costs)
    values = figure.spec["data"]["values"]
    for place, cost in enumerate(costs.values()):
        mine = [row for row in values if row["place"] == place]
        assert {row["part"] for row in mine} == set(cost.flops)
        assert sum(row["tera"] for row in mine) == pytest.approx(cost.total / 1e12)
        assert sum(row["share"] for row in mine) == pytest.approx(1)
    assert "MLP" in figure.told


def test_a_budget_that_was_not_measured_keeps_its_row_and_has_no_dot():
    figure = scaled_accuracy([("64 tokens", Estimate(0.8, 0.7, 0.9, 3, 2000)), ("1,024 tokens", None)], 0.5)
    dots = figure.spec["layer"][-1]["data"]["values"]
    assert [row["place"] for row in dots] == [0]
    assert figure.spec["layer"][-1]["encoding"]["y"]["scale"]["domain"] == [0, 1]
    assert "1,024 tokens not measured" in figure.told
