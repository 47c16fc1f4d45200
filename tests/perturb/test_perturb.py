"""Every registered change of a picture keeps its promises: size, colours, seed, nothing at strength 0, much at 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.lab.draw import draw, render
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.perturb import PERTURBATIONS, apply, list_perturbations

NAMES = tuple(PERTURBATIONS)
SCENE = Scene(
    (
        Thing(0, "red", "star", "large"),
        Thing(4, "blue", "circle", "large"),
        Thing(8, "green", "square", "small"),
    )
)
DRAWN = {"noise", "shuffle", "hide"}  # by chance
LOSSY = {"hue": 6, "jpeg": 12}  # what even strength 0 may move a pixel, on a smooth picture


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, int)


def smooth(size: tuple[int, int] = (64, 48)) -> Image.Image:
    x, y = np.meshgrid(np.linspace(20, 220, size[0]), np.linspace(40, 200, size[1]))
    return Image.fromarray(np.stack([x, y, (x + 2 * y) / 3], axis=-1).astype(np.uint8))


def test_a_registered_change_is_found_by_its_name():
    assert [row.name for row in list_perturbations()] == list(NAMES)
    for name, row in PERTURBATIONS.items():
        assert row.name == name
        assert row.sentence.endswith(".")


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_size_and_mode_stay(name, strength):
    for size, mode in (((48, 48), "RGB"), ((31, 57), "RGBA"), ((40, 20), "L"), ((40, 20), "P")):
        changed = apply(name, smooth(size).convert(mode), strength)
        assert changed.size == size
        assert changed.mode == "RGB"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(NAMES), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_the_smallest_pictures_can_be_changed(name, width, height, strength, seed):
    changed = apply(name, smooth((width, height)), strength, seed)
    assert (changed.size, changed.mode) == ((width, height), "RGB")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_changes_the_same(name):
    picture = render(SCENE)
    one, two = (pixels(apply(name, picture, 0.7, seed=5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_matters_only_to_what_is_drawn(name):
    picture = render(SCENE)
    results = [pixels(apply(name, picture, 0.4, seed=seed)) for seed in range(4)]
    assert any((other != results[0]).any() for other in results) == (name in DRAWN)


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_that_came_in_stays_as_it_was(name):
    picture = render(SCENE)
    before = pixels(picture).copy()
    apply(name, picture, 1.0)
    np.testing.assert_array_equal(pixels(picture), before)


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_leaves_the_picture(name):
    picture = smooth()
    moved = np.abs(pixels(apply(name, picture, 0.0)) - pixels(picture)).max()
    assert moved <= LOSSY.get(name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_full_strength_changes_it(name):
    for picture in (render(SCENE), draw(SCENE, 336)):
        assert np.abs(pixels(apply(name, picture, 1.0)) - pixels(picture)).mean() > 1


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"flip", "shuffle", "rotate", "hue", "hide"}))
def test_more_strength_changes_more(name):
    picture = draw(SCENE, 96)
    far = [np.abs(pixels(apply(name, picture, s)) - pixels(picture)).mean() for s in (0.0, 0.25, 0.5, 1.0)]
    assert far == sorted(far)
    assert far[0] < far[-1]


# What the sentences say


def test_shuffling_and_flipping_keep_every_pixel():
    picture = draw(SCENE, 90)
    for name in ("shuffle", "flip"):
        changed = pixels(apply(name, picture, 1.0)).reshape(-1, 3)
        np.testing.assert_array_equal(np.sort(changed, axis=0), np.sort(pixels(picture).reshape(-1, 3), axis=0))
    np.testing.assert_array_equal(pixels(apply("flip", picture, 0.5)), pixels(picture)[:, ::-1])
    np.testing.assert_array_equal(pixels(apply("flip", picture, 0.49)), pixels(picture))


def test_a_full_shuffle_leaves_no_tile_in_its_place():
    tiles = np.arange(9).reshape(3, 3).repeat(10, axis=0).repeat(10, axis=1)
    picture = Image.fromarray(np.stack([20 * tiles] * 3, axis=-1).astype(np.uint8))
    for seed in range(5):
        changed = pixels(apply("shuffle", picture, 1.0, seed))[5::10, 5::10, 0] // 20
        assert sorted(changed.ravel()) == list(range(9))
        assert (changed != tiles[5::10, 5::10]).all()


def test_contrast_and_colour_can_be_taken_away_whole():
    plain = pixels(apply("contrast", render(SCENE), 1.0))
    assert plain.reshape(-1, 3).std(axis=0).max() == 0
    grey = pixels(apply("grayscale", render(SCENE), 1.0))
    np.testing.assert_array_equal(grey.min(axis=2), grey.max(axis=2))


def test_brightness_goes_down_to_a_fifth():
    picture = smooth()
    np.testing.assert_allclose(pixels(apply("brightness", picture, 1.0)), pixels(picture) / 5, atol=1)


def test_half_a_circle_of_hue_makes_red_cyan():
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert np.abs(pixels(apply("hue", red, 1.0)) - [0, 255, 255]).max() <= 6


def test_a_quarter_turn_is_one():
    picture = smooth((60, 60))
    turned = pixels(apply("rotate", picture, 1.0))
    assert np.abs(turned - np.rot90(pixels(picture))).mean() < 5


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_hiding_fills_one_square_with_the_mean_colour(strength):
    picture = smooth((64, 48))
    mean = pixels(picture).reshape(-1, 3).mean(axis=0).round()
    changed = pixels(apply("hide", picture, strength, seed=3))
    rows, columns = np.nonzero((changed == mean).all(axis=2))
    side = round(48 * strength)
    box = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    hidden = (changed != pixels(picture)).any(axis=2)
    assert hidden.sum() <= side * side
    assert hidden.sum() >= 0.95 * side * side  # a few pixels have the mean colour already
    assert (box == mean).all(axis=2).sum() >= side * side


def test_downscaling_leaves_as_many_pixels_as_it_says():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    changed = pixels(apply("downscale", noise, 1.0))
    assert len(np.unique(changed.reshape(-1, 3), axis=0)) <= 64  # 8 x 8
    np.testing.assert_array_equal(changed[::8, ::8].repeat(8, axis=0).repeat(8, axis=1), changed)


def test_noise_has_the_spread_it_says():
    grey = Image.new("RGB", (200, 200), (128, 128, 128))
    changed = pixels(apply("noise", grey, 0.2))
    assert changed.std() == pytest.approx(127.5 * 0.2, rel=0.03)
    assert changed.mean() == pytest.approx(128, abs=1)


# What is refused


def test_an_unknown_change_is_refused_with_the_known_ones():
    with pytest.raises(PictureError, match=r"called swirl.*blur.*hide"):
        apply("swirl", smooth())


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf")])
@pytest.mark.parametrize("name", NAMES)
def test_a_strength_outside_zero_to_one_is_refused(name, strength):
    with pytest.raises(PictureError, match="from 0 to 1"):
        apply(name, smooth(), strength)
