"""A token's box holds what that token sees.

With the tower's mixing switched off (what its layers add is zero), a spot of the picture can reach one patch only.
"""

import numpy as np
import pytest
import torch

from vlmlens.lab.draw import draw
from vlmlens.models.huggingface import load_lab_llava

TRIALS = 40
EDGE = 14  # pixels, in pictures of 300: how far resizing to 48 reaches


@pytest.fixture(scope="module")
def blinkered():
    """lab:llava whose patches do not see each other."""
    vlm = load_lab_llava("lab:llava")
    with torch.no_grad():
        for layer in vlm.model.model.vision_tower.encoder.layers:
            for linear in (layer.self_attn.out_proj, layer.mlp.fc2):
                linear.weight.zero_()
                linear.bias.zero_()
    return vlm


def features(vlm, picture):
    """What the decoder gets of a picture, [token, width], and the grid."""
    ready = vlm.prepare(vlm.image(picture), "what color is the circle?")
    with torch.inference_mode():
        found = vlm.model.model.get_image_features(pixel_values=ready.inputs["pixel_values"]).pooler_output
    return torch.cat(list(found)).reshape(ready.grid.cells, -1), ready.grid


def test_a_spot_changes_most_the_token_whose_box_holds_it(shape, blinkered):
    height, width, come_in = shape
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 156, (height, width, 3), dtype=np.uint8)
    before, grid = features(blinkered, come_in(pixels))
    assert grid.size == (width, height)
    found = []
    for _ in range(TRIALS):
        cell = int(rng.integers(grid.cells))
        left, top, right, bottom = grid.boxes[cell].astype(int)
        x, y = int(rng.integers(left + 2, right - 16)), int(rng.integers(top + 2, bottom - 16))
        spotted = pixels.copy()
        spotted[y : y + 14, x : x + 14] = rng.integers(0, 2, 3) * 255
        after, _ = features(blinkered, come_in(spotted))
        found.append(int((after - before).norm(dim=-1).argmax()) == cell)
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize(("height", "width"), [(300, 600), (500, 300)])
def test_what_the_crop_leaves_out_changes_nothing(height, width, blinkered, llava):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    _, grid = features(blinkered, pixels)
    left, top = grid.boxes[:, :2].min(axis=0)
    right, bottom = grid.boxes[:, 2:].max(axis=0)
    np.testing.assert_allclose([right - left, bottom - top], [300, 300], atol=1)
    assert not grid.covers_all()
    y, x = np.mgrid[:height, :width]
    outside = (x < left - EDGE) | (x >= right + EDGE) | (y < top - EDGE) | (y >= bottom + EDGE)
    assert outside.mean() > 0.2
    changed = np.where(outside[..., None], 255 - pixels, pixels)
    assert torch.equal(features(llava, changed)[0], features(llava, pixels)[0])
    inside = np.where(outside[..., None], pixels, 255 - pixels)
    assert not torch.equal(features(llava, inside)[0], features(llava, pixels)[0])


def test_a_lab_wirings_cells_lie_where_its_patches_are(concat, scenes):
    """The lab's own eyes squeeze any picture to a square; the boxes stretch back."""
    width, height = 600, 300
    for scene in scenes:
        for thing in scene.things:
            with_it, without_it = (
                concat.prepare(draw(shown, 480).resize((width, height)), "is there a red star?")
                for shown in (scene, scene.without(thing.cell))
            )
            change = (with_it.inputs["image"] - without_it.inputs["image"])[0].norm(dim=-1)
            left, top, right, bottom = with_it.grid.boxes[int(change.argmax())]
            assert thing.column * width / 3 <= left < right <= (thing.column + 1) * width / 3
            assert thing.row * height / 3 <= top < bottom <= (thing.row + 1) * height / 3
