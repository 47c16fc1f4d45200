"""A training run with any positions: the model its plan asks for, the right eyes, and the protocol over it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.positions import POSITIONS
from vlmlens.lab.sample import take
from vlmlens.lab.training import Plan, PlanError
from vlmlens.lab.training.build import build
from vlmlens.lab.training.loop import train
from vlmlens.lab.weights import load_encoders, load_eyes
from vlmlens.models.lab import LabVLM

PLAN = Plan("concat", steps=2, batch=8, pool=64, side=3)


@pytest.mark.parametrize("name", POSITIONS)
def test_a_plan_gives_the_model_its_positions_and_eyes(name):
    model = build(replace(PLAN, positions=name).check())
    assert model.fusion.positions.name == name
    eyes = load_encoders()[0] if name == "learned" else load_eyes()
    assert isinstance(model.vision, LocalEyes) == (name != "learned")
    assert all(torch.equal(model.vision.state_dict()[key], value) for key, value in eyes.state_dict().items())


@pytest.mark.parametrize("name", POSITIONS)
def test_it_trains_and_answers_behind_the_protocol(name):
    plan = replace(PLAN, positions=name)
    losses = [point.loss for point in train(plan)]
    assert losses
    assert all(np.isfinite(losses))
    vlm = LabVLM(f"run:{name}", build(plan).requires_grad_(False).eval())
    item = take("test", 0, 1, kinds=("where",))[0]
    trace = vlm.inspect(item.scene, item.question.text)
    np.testing.assert_allclose(trace.attention().sum(-1), 1, atol=1e-5)
    assert vlm.answer_many([item.scene], [item.question.text])[0]


@pytest.mark.parametrize(("name", "width"), [("rotary2d", 8), ("interleaved", 16), ("chunked", 20), ("rotary2d", 12)])
def test_widths_whose_heads_cannot_turn_are_refused(name, width):
    with pytest.raises(PlanError, match=f"{name} turns the dimensions of a head in pairs"):
        replace(PLAN, positions=name, width=width).check()


def test_a_width_that_the_refusal_names_is_enough():
    for name in POSITIONS:
        replace(PLAN, positions=name, width=24).check()
