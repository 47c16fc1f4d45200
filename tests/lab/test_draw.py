"""Pixels: the same scene gives the same bytes, both drawings agree, and only lab pictures look like lab pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from vlmlens.lab.draw import (
    BACKGROUND,
    CELL_PIXELS,
    NOISE,
    RGB,
    draw,
    render,
    render_array,
    render_batch,
    resembles_a_scene,
)  # fmt: skip
from vlmlens.lab.questions import all_questions
from vlmlens.lab.sample import take
from vlmlens.lab.scenes import COLORS, SHAPES, SIZES, Scene, Thing


@pytest.fixture(scope="module")
def fifty():
    return [item.scene for item in take("test", 5, 50)]


def cell_of(pixels, cell, side=CELL_PIXELS):
    row, column = divmod(cell, 3)
    return pixels[row * side : (row + 1) * side, column * side : (column + 1) * side].astype(float)


def test_the_same_scene_gives_the_same_bytes(fifty):
    for scene in fifty:
        copy = Scene.from_json(scene.to_json())
        assert render(scene).tobytes() == render(copy).tobytes() == render_array(scene).tobytes()
        assert draw(scene, 96).tobytes() == draw(copy, 96).tobytes()
    np.testing.assert_array_equal(render_batch(fifty)[7], render_array(fifty[7]))


def test_noise_is_noise_and_no_more(fifty):
    for scene in fifty[:10]:
        many = np.stack([render_array(replace(scene, noise_seed=seed)) for seed in range(100)]).astype(float)
        assert (np.ptp(many, axis=0) <= 2 * NOISE).all()
        assert len({picture.tobytes() for picture in many}) == 100


def test_both_drawings_agree_but_for_the_noise(fifty):
    for scene in fifty[:10]:
        clean = np.mean([render_array(replace(scene, noise_seed=seed)) for seed in range(100)], axis=0)
        crisp = np.asarray(draw(scene, 48), float)
        off = np.abs(clean - crisp).max(axis=-1)
        assert off.mean() < 4
        assert (off < 8).mean() > 0.85  # all but the edges of shapes


@pytest.mark.parametrize("side", [48, 100, 336, 480])
def test_a_thing_is_drawn_in_its_cell_in_its_colour(side):
    for color in COLORS:
        for shape in SHAPES:
            for size in SIZES:
                thing = Thing(5, color, shape, size)
                pixels = np.asarray(draw(Scene((thing,)), side), float)
                inked = np.argwhere((pixels != BACKGROUND).any(axis=-1)) * 3 / side
                assert (inked.astype(int) == [1, 2]).all()
                middle = pixels[side // 2, side * 5 // 6]
                assert np.abs(middle - RGB[color]).max() <= 2


def test_larger_things_cover_more_and_every_look_differs():
    seen = set()
    for color in COLORS:
        for shape in SHAPES:
            ink = []
            for size in SIZES:
                pixels = np.asarray(draw(Scene((Thing(4, color, shape, size),)), 96))
                ink.append((pixels != BACKGROUND).any(axis=-1).sum())
                seen.add(pixels.tobytes())
            assert ink[1] > 1.5 * ink[0]
    assert len(seen) == len(COLORS) * len(SHAPES) * len(SIZES)


def test_the_relevant_cells_show_what_the_question_speaks_of(fifty):
    """Seen in the pixels: there is ink of the thing's colour there, and taking it away changes that cell only."""
    for scene in fifty:
        pixels = render_array(scene)
        for question in all_questions():
            for cell in question.relevant(scene):
                thing = scene.at(cell)
                near = np.abs(cell_of(pixels, cell) - RGB[thing.color]).max(axis=-1) <= NOISE + 2
                assert near.sum() >= 9
        for thing in scene.things:
            without = render_array(scene.without(thing.cell))
            changed = np.argwhere((without != pixels).any(axis=-1)) // CELL_PIXELS
            assert {int(row * 3 + column) for row, column in changed} == {thing.cell}


def test_lab_pictures_look_like_lab_pictures(fifty):
    for scene in fifty:
        for picture in (render(scene), draw(scene), draw(scene, 100)):
            assert resembles_a_scene(picture)
    assert resembles_a_scene(render(Scene()))


def ramp(*channels):
    """Each channel from three numbers: its value at the top left, and what is added to the right and downwards."""
    y, x = np.mgrid[:200, :300] / [[[200]], [[300]]]
    return np.stack([start + right * x + down * y for start, right, down in channels], axis=-1) * 255


def fractal(seed, slope):
    """Noise with the spectrum of a photograph: amplitude falls with frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    frequency[0, 0] = 1
    channels = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(256, 256))) / frequency**slope).real for _ in range(3)]
    shared = channels[0]
    found = [0.7 * shared / shared.std() + 0.3 * c / c.std() for c in channels]
    return 128 + 55 * np.stack(found, axis=-1)


def landscape(seed):
    """A sky, hills, a sun and the grain of a sensor."""
    rng = np.random.default_rng(seed)
    sky = ramp((0.45, 0, 0.4), (0.65, 0, 0.25), (0.9, 0, 0))
    image = Image.fromarray(sky.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.ellipse((220, 20, 260, 60), fill=(255, 240, 200))
    for depth in range(3):
        heights = 110 + 25 * depth + np.cumsum(rng.normal(0, 3, 301))
        shade = tuple(int(c) for c in np.array([90, 120, 80]) - 25 * depth)
        pen.polygon([(0, 200), *((x, int(h)) for x, h in enumerate(heights)), (300, 200)], fill=shade)
    soft = image.filter(ImageFilter.GaussianBlur(1.5))
    return np.asarray(soft) + rng.normal(0, 4, (200, 300, 3))


def portrait():
    """Skin and hair before a bright, uneven wall."""
    image = Image.new("RGB", (200, 260), (205, 196, 188))
    pen = ImageDraw.Draw(image)
    pen.rectangle((30, 180, 170, 260), fill=(60, 70, 110))
    pen.ellipse((55, 40, 145, 170), fill=(224, 182, 155))
    pen.chord((50, 25, 150, 130), 180, 360, fill=(70, 45, 30))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(3))) + np.random.default_rng(0).normal(0, 3, (260, 200, 3))


OTHERS = {
    "a grey ramp": ramp((0, 1, 0), (0, 1, 0), (0, 1, 0)),
    "a colour ramp": ramp((0, 1, 0), (0, 0, 1), (1, -1, 0)),
    "a light ramp": ramp((0.7, 0.3, 0), (0.7, 0, 0.3), (0.6, 0.2, 0.2)),
    "noise": np.random.default_rng(0).integers(0, 256, (100, 100, 3)),
    "black": np.zeros((50, 50, 3)),
    "white": np.full((50, 50, 3), 255),
    "grey": np.full((50, 50, 3), 128),
    "red": np.broadcast_to(RGB["red"], (50, 50, 3)),
    "a checkerboard": np.kron(np.indices((8, 8)).sum(0) % 2 * 255, np.ones((10, 10)))[..., None].repeat(3, axis=-1),
    **{f"a fractal {seed} {slope}": fractal(seed, slope) for seed in range(5) for slope in (0.8, 1.2, 2.0)},
    **{f"a landscape {seed}": landscape(seed) for seed in range(5)},
    "a portrait": portrait(),
    "a pink thing on the lab's own grey": np.where(ramp((0, 1, 0))[:, :] < 110, (250, 130, 190), BACKGROUND),
}


@pytest.mark.parametrize("pixels", OTHERS.values(), ids=OTHERS.keys())
def test_other_pictures_do_not(pixels):
    assert not resembles_a_scene(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
