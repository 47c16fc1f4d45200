"""Image tokens counted in closed form are those that the real processors write, in every family."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlmlens.errors import NotApplicable, UserError
from vlmlens.models.families import ROWS
from vlmlens.tokens.count import COUNTS, read_cut
from vlmlens.tokens.cuts import MOST_PIXELS, Natural, Split, Square, Tiled

BUILDERS = runpy.run_path(str(Path(__file__).parents[1] / "models" / "tiny.py"))["BUILDERS"]


def sizes(count: int, most: int, seed: int = 0) -> list[tuple[int, int]]:
    """Widths and heights: the smallest, the longest, squares, and shapes of all kinds in between."""
    rng = np.random.default_rng(seed)
    named = [(1, 1), (most, 1), (1, most), (most, most), (most, most // 3), (most // 3, most), (most // 2, most // 2)]
    edges = np.exp(rng.uniform(np.log(2), np.log(most), (count - len(named), 2))).astype(int)
    return named + [(int(width), int(height)) for width, height in edges]


def written(name: str, processor, config, size: tuple[int, int]) -> int:
    """The image tokens that the real processor makes: in the prompt, or the places beside it."""
    row = ROWS[name]
    inputs = processor(
        images=[Image.new("RGB", size)],
        text=[row.prompt.format(question="what is it?")],
        return_tensors="pt",
        **getattr(row, "options", {}),
    )
    shape = tuple(inputs["pixel_values"].shape)
    if name == "mllama":
        patch = config.vision_config.patch_size
        tiles = int(inputs["aspect_ratio_mask"].sum())
        return tiles * ((shape[-2] // patch) * (shape[-1] // patch) + 1)
    if row.beside:
        patch = (getattr(config, "vision_config", None) or config).patch_size
        return (shape[-2] // patch) * (shape[-1] // patch) + 1
    token = getattr(config, getattr(row, "image_token_id", "image_token_id"))
    return int((inputs["input_ids"] == token).sum())


def test_every_family_has_a_rule():
    assert set(COUNTS) == set(ROWS)


@pytest.mark.parametrize("name", COUNTS)
def test_fifty_sizes_are_cut_as_the_real_processor_cuts_them(name):
    model, processor = BUILDERS[name]()
    cut = read_cut(name, processor.image_processor.to_dict(), model.config.to_dict())
    wrong, tried = [], 0
    for size in sizes(56, 250):
        try:
            found = cut.see(*size).tokens
        except UserError:
            with pytest.raises(ValueError):
                written(name, processor, model.config, size)
            continue
        tried += 1
        if found != (real := written(name, processor, model.config, size)):
            wrong.append((size, found, real))
    assert not wrong
    assert tried >= 50
