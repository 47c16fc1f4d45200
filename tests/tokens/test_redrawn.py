"""One picture told at the detail its question calls for: the numbers are the model's own, and bad input is told."""

import numpy as np
import pytest
from PIL import Image

import vlmlens
from vlmlens.errors import NotApplicable, QuestionError, UserError
from vlmlens.lab.model import LabModel
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models.lab import LabVLM
from vlmlens.tokens.adapter import Adapter
from vlmlens.tokens.redrawn import DRAWS, Plan, redraw
from vlmlens.tokens.relevance import Tensions

SCENE = Scene((Thing(4, "red", "star", "large"), Thing(0, "blue", "square", "small")), 3)
ASKED = "what color is the star?"


@pytest.fixture(scope="module")
def vlm():
    return vlmlens.load("lab:concat")


def test_all_detail_is_the_picture_itself(vlm):
    found = redraw(vlm, SCENE, ASKED, Plan(total=36 * 64))
    assert (found.budgets == 64).all()
    assert found.full.answer.text == "red"
    for version in (found.full, found.allotted, found.uniform):
        assert version.probability == pytest.approx(vlm.inspect(SCENE, ASKED).answers[0].probability, abs=1e-4)
    assert found.by_chance == pytest.approx(np.full(DRAWS, found.full.probability), abs=1e-4)


def test_totals_are_kept_and_the_pictures_are_those_that_were_answered(vlm):
    found = redraw(vlm, SCENE, ASKED, Plan(total=150, low=2, high=40, tensions=Tensions(0.5, -1)))
    for version in (found.allotted, found.uniform):
        assert version.budgets.sum() == 150
        assert version.budgets.min() >= 2
        assert version.samples <= 150
        said = vlm.inspect(Image.fromarray(version.pixels), ASKED)  # through the file's whole grey levels
        assert said.probabilities[version.answer.text] == pytest.approx(version.answer.probability, abs=0.05)
    assert np.ptp(found.uniform.budgets) <= 1
    assert found.budgets.max() > 10


def test_an_adapter_decides_in_place_of_the_sliders(vlm):
    adapter = Adapter()
    adapter.read.weight.data.zero_()
    adapter.read.bias.data[-1] = -20.0  # compress: all alike
    found = redraw(vlm, SCENE, ASKED, Plan(), adapter)
    assert np.ptp(found.budgets) == 0
    assert sum(map(abs, found.weights)) == pytest.approx(1)
    assert found.tensions.particularize == pytest.approx(-1)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_of_one_color_is_shared_out_by_the_look_alone(vlm, shade):
    found = redraw(vlm, Image.new("RGB", (300, 200), (shade,) * 3), ASKED, Plan())
    assert found.budgets.sum() == 144
    assert np.isfinite(found.relevance).all()
    assert found.allotted.pixels.std() == 0


def test_what_cannot_be_asked_is_said(vlm):
    with pytest.raises(UserError, match="do not fit 36 patches"):
        redraw(vlm, SCENE, ASKED, Plan(total=20))
    with pytest.raises(UserError, match="minimum <= maximum"):
        Plan(low=9, high=4)
    with pytest.raises(QuestionError):
        redraw(vlm, SCENE, "wherefore?", Plan())
    with pytest.raises(NotApplicable, match="ask lab:concat"):
        redraw(LabVLM("nine", LabModel("concat", side=3)), SCENE, ASKED, Plan())
