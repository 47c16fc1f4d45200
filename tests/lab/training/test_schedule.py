"""Rates have closed forms: equal steps up, half a cosine down, one scale for all groups."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmlens.lab.training import Plan
from vlmlens.lab.training.schedule import factor, highest, rates


def test_it_rises_in_equal_steps_and_falls_along_a_cosine():
    found = [factor(step, 110, 10 / 110) for step in range(110)]
    assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert found[10] == pytest.approx(1.0)
    assert found[60] == pytest.approx(0.5)  # half of the way down
    assert found[35] == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))
    assert sum(found[10:]) == pytest.approx(50.5)  # a cosine sampled evenly, its first end counted and its last not


@given(st.integers(1, 20_000), st.floats(0, 0.9))
def test_every_step_of_every_plan_learns_something_and_none_more_than_the_rate(steps, warm_up):
    some = {0, steps - 1, steps // 2, round(warm_up * steps) % steps}
    assert all(0 < factor(step, steps, warm_up) <= 1 for step in some)


def test_groups_keep_their_proportion():
    plan = Plan("gated", rate_new=3e-3, rate_projection=1e-3, rate_pretrained=1e-5)
    for step in (0, 70, 140, 1399):
        now, scale = rates(plan, step), factor(step, plan.steps, plan.warm_up)
        assert now == pytest.approx({group: rate * scale for group, rate in highest(plan).items()})
