"""The glance: what it may know, whose look the coupling is, and what the scores say where nothing is."""

import numpy as np
import pytest
import torch

import vlmlens
from vlmlens.attention import image_maps
from vlmlens.lab.draw import render_batch
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.sample import take
from vlmlens.lab.text import encode
from vlmlens.tokens.coupling import LATENTS, QUESTION, READOUT, look
from vlmlens.tokens.glance import glimpse

ITEMS = take("test", 5, 6)
PIXELS = torch.from_numpy(render_batch([item.scene for item in ITEMS]))
IDS = encode([item.question.text for item in ITEMS])
WHO = {"img2txt": READOUT, "late": READOUT, "contrastive": READOUT, "qformer": LATENTS, "perceiver": LATENTS}


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_wiring_looks_at_patches_somewhere(wiring):
    torch.manual_seed(0)
    model = LabModel(wiring).eval()
    with torch.no_grad():
        words, mask = model.words(IDS)
        shares, who = look(model, model.see(PIXELS), words, mask)
    assert who == WHO.get(wiring, QUESTION)
    assert shares.shape == (6, 36)
    assert shares.min() >= 0
    assert shares.sum(-1).numpy() == pytest.approx(np.ones(6), abs=1e-5)


@pytest.mark.parametrize("wiring", ["concat", "txt2img"])
def test_the_questions_look_is_that_of_the_trace(wiring):
    vlm = vlmlens.load(f"lab:{wiring}")
    with torch.no_grad():
        words, mask = vlm.model.words(IDS)
        shares, _ = look(vlm.model, vlm.model.see(PIXELS), words, mask)
    for item, found in zip(ITEMS, shares, strict=True):
        trace = vlm.inspect(item.scene, item.question.text)
        places, _ = image_maps(trace)
        values = image_maps(trace, "question")[1]
        kept = values[[place.kind != "readout" for place in places]].mean((0, 1))  # [word, patch]
        expected = (kept / kept.sum(-1, keepdims=True)).mean(0)
        assert found.numpy() == pytest.approx(expected, abs=1e-5)


def test_the_glance_knows_nothing_that_the_minimum_does_not_tell():
    """Two pictures whose patches have the same mean colors are scored alike at one token a patch."""
    torch.manual_seed(0)
    model = LabModel("concat").eval()
    shuffled = PIXELS.clone()
    shuffled[:, :8, :8] = shuffled[:, :8, :8].flip(1)
    with torch.no_grad():
        words, mask = model.words(IDS)
        one, other = (glimpse(model, pixels, words, mask, 1) for pixels in (PIXELS, shuffled))
        finer = glimpse(model, shuffled, words, mask, 64)
    assert torch.allclose(one.raw, other.raw, atol=1e-5)
    assert not torch.allclose(one.raw, finer.raw, atol=1e-3)


def test_an_item_does_not_depend_on_its_company():
    model = vlmlens.load("lab:concat").model
    with torch.no_grad():
        words, mask = model.words(IDS)
        many = glimpse(model, PIXELS, words, mask, 1)
        alone = glimpse(model, PIXELS[2:3], words[2:3], mask[2:3], 1)
    assert torch.allclose(many.raw[2], alone.raw[0], atol=1e-5)
    assert torch.allclose(many.question[2], alone.question[0], atol=1e-5)


def test_a_picture_of_one_color_has_finite_scores():
    model = vlmlens.load("lab:concat").model
    flat = torch.full((1, 48, 48, 3), 128, dtype=torch.uint8)
    with torch.no_grad():
        words, mask = model.words(IDS[:1])
        found = glimpse(model, flat, words, mask, 1)
    assert torch.isfinite(found.raw).all()
    assert found.leveled.min() >= 0
    assert found.leveled.max() <= 1
