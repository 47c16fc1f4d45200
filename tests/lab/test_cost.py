"""Costs counted from modules equal what torch counts of the operations that truly run."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from vlmlens.lab.cost import cost, milliseconds
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.text import encode
from vlmlens.progress import Cancelled, Progress


@pytest.mark.parametrize("question", ["what color is the star?", "is the red circle left of the blue square?"])
@pytest.mark.parametrize("name", WIRINGS)
def test_multiply_adds_are_half_of_what_torch_counts(name, question):
    model = LabModel(name).eval()
    pixels, ids = torch.zeros(1, 48, 48, 3, dtype=torch.uint8), encode([question])
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # it knows no other on the CPU
        model(pixels, ids)
    assert cost(model, question).multiply_adds == pytest.approx(counter.get_total_flops() / 2, rel=0.03)


@pytest.mark.parametrize("name", WIRINGS)
def test_parameters_are_those_of_the_model(name):
    model = LabModel(name)
    found = cost(model)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    fused = [p for part in (model.fusion, model.readout) for p in part.parameters() if p.requires_grad]
    assert found.trained == sum(p.numel() for p in fused)
    assert 0 < found.share < 1
    assert found.encoding == cost(LabModel("concat")).encoding, "all wirings share their encoders"


def test_frozen_weights_are_still_counted_as_those_that_training_moves():
    """A shipped model is frozen whole; what training moved does not depend on that."""
    assert cost(LabModel("late").requires_grad_(False)) == cost(LabModel("late"))


def test_attention_grows_with_the_words():
    short, long = (
        cost(LabModel("concat"), q) for q in ("what color is the star?", "is the red circle above the star?")
    )
    assert long.words > short.words
    assert long.attention > short.attention


def test_milliseconds_are_ordered_and_can_be_stopped():
    middle, low, high = milliseconds(LabModel("txt2img", 16).eval(), passes=5)
    assert 0 < low <= middle <= high
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        milliseconds(LabModel("txt2img", 16).eval(), passes=5, progress=stopped)
