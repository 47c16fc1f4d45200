"""A plan that cannot be carried out is refused in one sentence that names the number."""

from dataclasses import replace

import pytest

from vlmlens.errors import UserError
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.training import Plan, PlanError

IMPOSSIBLE = [
    ({"wiring": "sideways"}, "'sideways'"),
    ({"positions": "by heart"}, "'by heart'"),
    ({"steps": 0}, "not 0"),
    ({"steps": 1.5}, "not 1.5"),
    ({"steps": True}, "not True"),
    ({"batch": 1}, "batch"),
    ({"pool": 1}, "pool"),
    ({"seed": -1}, "not -1"),
    ({"width": 0}, "width"),
    ({"width": 18}, "take 16"),
    ({"width": 10**9}, "width"),
    ({"positions": "interleaved"}, "Take another width"),
    ({"side": 4}, "6"),
    ({"latents": 3}, "latents"),
    ({"wiring": "qformer", "latents": 0}, "not 0"),
    ({"prior": 1.2}, "1.2"),
    ({"prior": float("nan")}, "nan"),
    ({"warm_up": 1.0}, "warm_up"),
    ({"clip": 0.0}, "clip"),
    ({"clip": float("nan")}, "clip"),
    ({"rate_new": 0.0, "rate_projection": 0.0}, "three rates"),
    ({"mix": {"riddle": 1.0}}, "riddle"),
    ({"mix": {"color": 0.0}}, "above 0"),
    ({"mix": {"color": -1.0, "count": 1.0}}, "from 0 up"),
    ({"mix": {"color": float("nan")}}, "above 0"),
    ({"mix": {"color": float("inf")}}, "above 0"),
    ({"remedies": (("prayer", 1.0),)}, "prayer"),
]


@pytest.mark.parametrize(("change", "told"), IMPOSSIBLE, ids=[f"{c}" for c, _ in IMPOSSIBLE])
def test_what_cannot_be_is_refused_in_a_sentence_that_names_it(change, told):
    with pytest.raises(PlanError) as refused:
        replace(Plan("txt2img", width=16), **change).check()
    said = str(refused.value)
    assert told in said
    assert said.endswith(".")
    assert "\n" not in said
    assert isinstance(refused.value, UserError)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_plan_survives_the_disk(wiring):
    plan = Plan(wiring, mix={"count": 2.0, "color": 1.0}, width=16, side=3, prior=0.5)
    assert Plan.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize("data", [{}, {"wiring": "gated", "color": "red"}, {"wiring": "gated", "mix": 3}])
def test_what_is_no_plan_is_refused(data):
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_dict(data)
