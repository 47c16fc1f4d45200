"""A lab model at any width: the default is what ships, a narrow one differs in width alone and learns as well."""

import pytest
import torch
from safetensors.torch import load_file

from vlmlens.lab import train
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.sample import take
from vlmlens.lab.text import MOST_WORDS
from vlmlens.lab.vision import PATCHES, WIDTH
from vlmlens.lab.weights import LabName, load_encoders

NARROW = 16


def shapes(state):
    return {name: tuple(t.shape) for name, t in state.items() if name.startswith(("fusion.", "readout."))}


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_default_is_laid_out_as_the_weights_that_ship(wiring):
    assert shapes(LabModel(wiring).state_dict()) == shapes(load_file(LabName(wiring).path))


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_narrow_model_adds_nothing_but_the_way_in(wiring):
    wide, narrow = LabModel(wiring), LabModel(wiring, NARROW)
    added = narrow.state_dict().keys() - wide.state_dict().keys()
    assert added == {f"fusion.enter_{s}.project.{p}" for s in ("image", "question") for p in ("weight", "bias")}
    for name, size in shapes(narrow.state_dict()).items():
        assert WIDTH not in size or "enter_" in name  # the encoders' side of the way in


@pytest.mark.parametrize("width", [NARROW, WIDTH])
@pytest.mark.parametrize("patches", [4, 9, PATCHES])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_padding_and_the_other_items_of_a_batch_change_no_answer(wiring, patches, width):
    torch.manual_seed(0)
    model = LabModel(wiring, width).eval()
    image, question = torch.randn(3, patches, WIDTH), torch.randn(3, MOST_WORDS, WIDTH)
    words = 7
    mask = torch.arange(MOST_WORDS).expand(3, -1) < words
    with torch.inference_mode():
        together = model.fuse(image, question, mask)
        alone = torch.cat([model.fuse(image[[i]], question[[i], :words], mask[[i], :words]) for i in range(3)])
    assert together.shape == (3, len(ANSWERS))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_a_narrow_model_learns_the_same_for_the_same_seed():
    vision, text = load_encoders()
    pool = train.make_pool(take("train", 1, 256), vision)
    recipe = train.Recipe(pool=256, steps=60, batch=32, rate=1e-2)

    def losses():
        seen = []
        train.train_wiring("txt2img", 0, pool, vision, text, recipe, report=seen.append, width=NARROW)
        return float(seen[-1].split("loss ")[1].split(",")[0])

    first = losses()
    assert first < 0.6 * torch.tensor(float(len(ANSWERS))).log()
    assert first == losses()
