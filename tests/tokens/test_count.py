"""Image tokens counted in closed form are those that the real processors write, in every family."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlmlens.errors import NotApplicable, UserError
from vlmlens.models.families import ROWS
from vlmlens.tokens.count import COUNTS, read_cut
from vlmlens.tokens.cuts import MOST_PIXELS, Natural
from vlmlens.tokens.models import TABLE, find, of_loaded, published

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
    for size in sizes(120, 250):
        if tried == 56:
            break
        try:
            found = cut.see(*size).tokens
        except UserError:
            with pytest.raises(ValueError, match=r"aspect ratio|must contain"):
                written(name, processor, model.config, size)
            continue
        tried += 1
        if found != (real := written(name, processor, model.config, size)):
            wrong.append((size, found, real))
    assert not wrong
    assert tried >= 50


ROWS_OF_MODELS = {row["id"]: row for row in json.loads(TABLE.read_text())}
UNLIKE = ("blip-2", "instructblip", "mllama")  # whose processors do not say how many tokens they make


@pytest.mark.parametrize(
    "name", [name for name, row in ROWS_OF_MODELS.items() if row["family"] not in UNLIKE and "13b" not in name]
)
def test_published_settings_count_as_the_real_processor_says(name):
    """At full size the processors' own reckoning, which resizes nothing."""
    row, real = ROWS_OF_MODELS[name], find(name)
    _, processor = BUILDERS[row["family"]]()
    images = type(processor.image_processor)(**row["images"])
    processor.image_processor = images
    vision = row["config"]["vision_config"]
    if "image_seq_len" in vars(processor):
        processor.image_seq_len = (images.max_image_size["longest_edge"] // vision["patch_size"] // real.cut.merge) ** 2
    for attribute in ("num_image_tokens", "image_seq_length"):
        if attribute in vars(processor):
            setattr(processor, attribute, real.see(10, 10).tokens if real.cut.see(10, 10).views == 1 else 729)
    if "patch_size" in vars(processor):
        processor.patch_size = vision["patch_size"]
    tried = [size for size in sizes(50, 4000) if max(size) < 200 * min(size)]
    found = [real.see(*size).tokens for size in tried]
    assert len(tried) > 30
    if row["family"] == "idefics3":  # the processor counts its signs as well
        views = [images.get_number_of_image_patches(high, wide)[0] for wide, high in tried]
        assert found == [processor.image_seq_len * count for count in views]
        return
    said = processor._get_num_multimodal_tokens(image_sizes=[(high, wide) for wide, high in tried])["num_image_tokens"]
    signs = 2 if row["family"] == "internvl" else 0  # it counts those around the picture as well
    assert found == [count - signs for count in said]


@pytest.mark.parametrize("name", ["llava-next-7b", "internvl3-1b", "idefics3-8b", "smolvlm-256m"])
def test_published_settings_cut_real_pictures_so(name):
    row, real = ROWS_OF_MODELS[name], find(name)
    _, processor = BUILDERS[row["family"]]()
    images = type(processor.image_processor)(**row["images"])
    for size in ((700, 220), (90, 400)):
        pixels = images(images=[Image.new("RGB", size)], return_tensors="pt")["pixel_values"]
        assert pixels.shape[:-3].numel() == real.see(*size).views


def test_llava_next_makes_more_than_the_quoted_2880_of_four_tiles():
    """24 x 24 patches five times are 2880; each of the 48 rows of the four tiles ends with a sign of its own."""
    assert find("llava-next-7b").see(672, 672).tokens == 2880 + 48


def test_a_size_that_no_picture_has_is_refused_in_words():
    for size in ((0, 10), (10, -1), (MOST_PIXELS + 1, 5)):
        with pytest.raises(UserError, match="pixels wide and high"):
            find("llava-1.5-7b").see(*size)
    with pytest.raises(UserError, match="200 times"):
        Natural(14, 2, 3136, 10**6).see(10_000, 20)
    with pytest.raises(UserError, match="no published model"):
        find("llava-9")


@pytest.mark.parametrize("name", ["llava-1.5-7b", "llava-next-7b", "internvl3-1b", "smolvlm-256m"])
def test_patches_larger_than_a_tile_are_refused_in_words(name):
    real = find(name)
    with pytest.raises(UserError, match="smaller patches"):
        replace(real, cut=replace(real.cut, patch=5000)).see(640, 480)


def test_settings_that_say_nothing_are_not_applicable():
    with pytest.raises(NotApplicable, match="no row"):
        read_cut("unheard", {}, {})
    with pytest.raises(NotApplicable, match="do not say"):
        read_cut("qwen2_vl", {}, {})


def test_a_loaded_model_is_reckoned_with_like_a_published_one():
    from vlmlens.models import load

    vlm = load("lab:llava")
    real = of_loaded(vlm)
    assert real.see(48, 48).tokens == 36
    assert real.decoder.layers == vlm.model.config.text_config.num_hidden_layers
    assert real.cost(48, 48, 10).total > 0
    with pytest.raises(NotApplicable, match="Hugging Face"):
        of_loaded(load("lab:concat"))


@pytest.mark.parametrize("name", published())
def test_more_pixels_never_make_fewer_views_of_a_square(name):
    real = find(name)
    views = [real.see(side, side).views for side in (64, 512, 1024, 2048, 4096)]
    assert views == sorted(views)
    assert all(real.see(side, side).tokens > 0 for side in (1, 28, 333, 4000))
