"""Every registered change keeps its promises: size, seed, nothing at strength 0, much at 1, the region kept to."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from vlmlens.errors import PictureError
from vlmlens.lab.draw import draw, render
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.perturb import FILLS, PERTURBATIONS, Changed, Region, apply, list_perturbations

NAMES = tuple(PERTURBATIONS)
WHOLE = tuple(name for name, row in PERTURBATIONS.items() if row.group == "whole")
SCENE = Scene(
    (
        Thing(0, "red", "star", "large"),
        Thing(4, "blue", "circle", "large"),
        Thing(8, "green", "square", "small"),
    )
)
MIDDLE = Region.box(0.3, 0.3, 0.7, 0.7)
ALL = Region.box(0, 0, 1, 1)
DONOR = Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8))
COARSE = {"flip", "shuffle"}  # a step, not a slope
PLACES = {"move": (0.85, 0.8), "copy": (0.85, 0.8), "swap": (0.85, 0.8)}


def change(name, image, strength=0.5, seed=0, region=None, **options) -> Changed:
    """`apply` with all that the row needs."""
    row = PERTURBATIONS[name]
    if row.needs_region and region is None:
        region = MIDDLE if min(image.size) > 3 else ALL
    to = PLACES.get(name)
    return apply(name, image, strength, seed, region=region, to=to, donor=DONOR if row.needs_donor else None, **options)


def pixels(image: Image.Image | Changed) -> np.ndarray:
    return np.asarray(image.image if isinstance(image, Changed) else image, int)


def smooth(size: tuple[int, int] = (64, 48)) -> Image.Image:
    x, y = np.meshgrid(np.linspace(20, 220, size[0]), np.linspace(40, 200, size[1]))
    return Image.fromarray(np.stack([x, y, (x + 2 * y) / 3], axis=-1).astype(np.uint8))


def rough(size: tuple[int, int] = (57, 41)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8))


def test_a_registered_change_is_found_by_its_name():
    assert [row.name for row in list_perturbations()] == list(NAMES)
    for name, row in PERTURBATIONS.items():
        assert row.name == name
        assert row.sentence.endswith(".")
        assert row.label
        assert (row.group == "region") >= row.needs_region
    streams = [row.stream for row in list_perturbations() if row.random]
    assert len(set(streams)) == len(streams)


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_is_the_picture_pixel_for_pixel(name):
    for picture in (smooth(), rough(), render(SCENE), Image.new("RGB", (1, 1), "red")):
        unchanged = change(name, picture, 0.0, seed=9)
        np.testing.assert_array_equal(pixels(unchanged), pixels(picture))
        assert unchanged.mask.shape == picture.size[::-1]
        assert not unchanged.mask.any()


@pytest.mark.parametrize("strength", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_the_mask_is_where_pixels_differ(name, strength):
    picture = rough()
    found = change(name, picture, strength)
    assert found.image.mode == "RGB"
    assert found.image.size == picture.size
    assert found.mask.dtype == bool
    np.testing.assert_array_equal(found.mask, (pixels(found) != pixels(picture)).any(axis=2))


@pytest.mark.parametrize("name", NAMES)
def test_full_strength_changes_much(name):
    for picture in (draw(SCENE, 96), rough()):
        assert np.abs(pixels(change(name, picture, 1.0)) - pixels(picture)).mean() > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_changes_the_same_and_another_only_what_is_drawn(name):
    picture = render(SCENE)
    results = [pixels(change(name, picture, 0.4, seed)) for seed in (0, 1, 2, 3)]
    np.testing.assert_array_equal(results[0], pixels(change(name, picture, 0.4, 0)))
    assert any((other != results[0]).any() for other in results) == PERTURBATIONS[name].random


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_that_came_in_stays_as_it_was(name):
    picture = rough()
    before = pixels(picture).copy()
    out = change(name, picture, 1.0).image
    out.paste("red", (0, 0, *out.size))
    change(name, picture, 0.0).image.paste("red", (0, 0, *out.size))
    np.testing.assert_array_equal(pixels(picture), before)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16"])
@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_any_mode_are_taken(name, mode):
    size = 31, 18
    picture = Image.new("I;16", size, 40_000) if mode == "I;16" else smooth(size).convert("RGB")
    picture = picture.convert("P").convert(mode) if mode == "PA" else picture
    picture = picture if mode in ("I;16", "PA") else picture.convert(mode)
    for strength in (0.3, 1.0):
        found = change(name, picture, strength)
        assert (found.image.size, found.image.mode, found.mask.shape) == (size, "RGB", size[::-1])


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.sampled_from(NAMES), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_the_smallest_pictures_can_be_changed(name, width, height, strength, seed):
    found = change(name, smooth((width, height)), strength, seed, region=ALL if strength > 0.5 else None)
    assert (found.image.size, found.image.mode, found.mask.shape) == ((width, height), "RGB", (height, width))


@pytest.mark.parametrize(
    "name", sorted(set(NAMES) - {"flip", "shuffle", "rotate", "hue", "hide", "move", "crop", "scale"})
)
def test_more_strength_changes_more(name):
    picture = draw(SCENE, 96)
    far = [np.abs(pixels(change(name, picture, s)) - pixels(picture)).mean() for s in (0.0, 0.25, 0.5, 1.0)]
    assert far == sorted(far)
    assert far[0] < far[-1]


# Regions


@pytest.mark.parametrize(
    "region",
    [MIDDLE, Region("lasso", ((0.2, 0.2), (0.8, 0.4), (0.4, 0.9))), Region("brush", ((0.5, 0.5), (0.9, 0.5)), 0.1)],
)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes_outside_the_region_unless_the_row_says_so(name, region):
    picture = rough((60, 60))
    found = change(name, picture, 1.0, region=region)
    where = region.mask(picture.size)
    assert found.mask.any()
    if not PERTURBATIONS[name].beyond:
        assert not (found.mask & ~where).any()


@pytest.mark.parametrize("name", ["move", "copy", "swap"])
def test_what_moves_touches_its_place_and_its_target_and_nothing_else(name):
    picture = rough((60, 60))
    here = Region.box(0.1, 0.1, 0.3, 0.4)
    there = Region.box(0.6, 0.5, 0.8, 0.8)
    found = apply(name, picture, 1.0, region=here, to=(0.7, 0.65))
    source, target = here.mask(picture.size), there.mask(picture.size)
    assert not (found.mask & ~(source | target)).any()
    np.testing.assert_array_equal(pixels(found)[target], pixels(picture)[source])
    if name == "copy":
        np.testing.assert_array_equal(pixels(found)[source], pixels(picture)[source])
    if name == "swap":
        np.testing.assert_array_equal(pixels(found)[source], pixels(picture)[target])


def two_colors() -> Image.Image:
    """A red 8 x 8 square at (4, 4) on blue, 40 x 40."""
    picture = Image.new("RGB", (40, 40), "blue")
    picture.paste("red", (4, 4, 12, 12))
    return picture


SQUARE = Region.box(0.1, 0.1, 0.3, 0.3)  # exactly the red square


def red_at(found: Changed) -> tuple[int, ...]:
    """Left, top, right, bottom of what is red; everything else must be blue."""
    red = (pixels(found) == (255, 0, 0)).all(axis=2)
    assert ((pixels(found) == (0, 0, 255)).all(axis=2) == ~red).all()
    rows, columns = np.nonzero(red)
    assert red.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_square_on_plain_ground_moves_by_hand():
    assert red_at(apply("move", two_colors(), 1.0, region=SQUARE, to=(0.7, 0.5))) == (24, 16, 32, 24)
    assert red_at(apply("move", two_colors(), 0.5, region=SQUARE, to=(0.7, 0.5))) == (14, 10, 22, 18)
    assert red_at(apply("move", two_colors(), 1.0, region=SQUARE, to=(1.0, 0.2))) == (36, 4, 40, 12)  # half of it left
    assert red_at(apply("scale", two_colors(), 1.0, region=SQUARE, factor=0.5)) == (6, 6, 10, 10)
    assert red_at(apply("scale", two_colors(), 0.5, region=SQUARE, factor=4)) == (0, 0, 16, 16)
    assert red_at(apply("scale", two_colors(), 1.0, region=SQUARE, factor=2)) == (0, 0, 16, 16)
    assert not apply("move", two_colors(), 1.0, region=SQUARE, to=(0.2, 0.2)).mask.any()


def test_a_thing_takes_the_colour_it_is_given_and_its_ground_stays():
    found = apply("recolor", two_colors(), 1.0, region=Region.box(0, 0, 0.5, 0.5), color="#00a020")
    np.testing.assert_array_equal(found.mask, SQUARE.mask((40, 40)))
    assert (pixels(found)[found.mask] == (0, 160, 32)).all()
    half = apply("recolor", two_colors(), 0.5, region=SQUARE, color="black")
    assert np.abs(pixels(half)[8, 8] - (127.5, 0, 0)).max() <= 1
    scene = draw(Scene((Thing(4, "black", "circle", "large"),)), 120)
    turned = pixels(apply("recolor", scene, 1.0, region=MIDDLE, color="red"))
    assert (turned[60, 60] == (255, 0, 0)).all()
    assert (turned[40, 40] == pixels(scene)[40, 40]).all()


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_hues_turn_as_colorsys_says(strength):
    colors = [(220, 40, 40), (200, 180, 20), (30, 160, 70), (60, 80, 210), (120, 120, 120), (250, 250, 250), (0, 0, 0)]
    for color in colors:
        hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in color))
        expected = 255 * np.array(colorsys.hsv_to_rgb((hue + strength / 2) % 1, saturation, value))
        picture = Image.new("RGB", (4, 4), color)
        assert np.abs(pixels(apply("hue", picture, strength)) - expected).max() <= 6
        found = apply("recolor", picture, strength, region=ALL, turn=0.5)
        assert np.abs(pixels(found) - expected).max() <= 6


# Fillings


@pytest.mark.parametrize("name", FILLS)
def test_a_filling_is_as_opaque_as_its_strength(name):
    picture = rough((48, 40))
    full, half = (pixels(change(name, picture, strength, 4)) for strength in (1.0, 0.5))
    assert np.abs(half - (full + pixels(picture)) / 2).max() <= 1


def test_fillings_hold_what_they_say():
    picture = smooth((48, 40))
    where = MIDDLE.mask(picture.size)
    mean = pixels(apply("fill-mean", picture, 1.0, region=MIDDLE))[where]
    assert (mean == pixels(picture).reshape(-1, 3).mean(axis=0).round()).all()
    noise = pixels(apply("fill-noise", picture, 1.0, region=ALL))
    assert noise.mean() == pytest.approx(127.5, abs=4)
    assert noise.std() == pytest.approx(74, abs=3)
    donor = rough(picture.size)
    given = pixels(apply("fill-donor", picture, 1.0, region=MIDDLE, donor=donor))
    np.testing.assert_array_equal(given[where], pixels(donor)[where])
    blurred = pixels(apply("fill-blur", rough((48, 48)), 1.0, region=MIDDLE))[MIDDLE.mask((48, 48))]
    assert blurred.std(axis=0).max() < 15  # of 74


def test_blur_is_gaussian():
    from scipy.ndimage import gaussian_filter

    picture = draw(SCENE, 120)
    expected = gaussian_filter(pixels(picture).astype(float), (3, 3, 0), mode="nearest")
    assert np.abs(pixels(apply("blur", picture, 0.25)) - expected).mean() < 0.5
    np.testing.assert_array_equal(
        pixels(apply("blur", picture, 1.0)), pixels(picture.filter(ImageFilter.GaussianBlur(12)))
    )


def test_a_donor_fades_in_and_keeps_its_shape():
    picture, donor = smooth((40, 40)), rough((40, 40))
    half = pixels(apply("donor", picture, 0.5, donor=donor))
    assert np.abs(half - (pixels(picture) + pixels(donor)) / 2).max() <= 1
    np.testing.assert_array_equal(pixels(apply("donor", picture, 1.0, donor=donor)), pixels(donor))
    wide = Image.new("RGB", (80, 40), "red")
    wide.paste("blue", (20, 0, 60, 40))
    assert (pixels(apply("donor", picture, 1.0, donor=wide)) == (0, 0, 255)).all()  # its middle


# What the sentences say


def test_shuffling_and_flipping_keep_every_pixel():
    picture = draw(SCENE, 90)
    for name, options in (("shuffle", {}), ("shuffle", {"grid": 9}), ("flip", {}), ("flip", {"axis": "up-down"})):
        found = pixels(apply(name, picture, 1.0, **options)).reshape(-1, 3)
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(pixels(picture).reshape(-1, 3), axis=0))
    np.testing.assert_array_equal(pixels(apply("flip", picture, 0.5)), pixels(picture)[:, ::-1])
    np.testing.assert_array_equal(pixels(apply("flip", picture, 1.0, axis="up-down")), pixels(picture)[::-1])
    assert not apply("flip", picture, 0.49).mask.any()


@pytest.mark.parametrize("grid", [2, 3, 5])
def test_a_full_shuffle_leaves_no_tile_in_its_place(grid):
    tiles = np.arange(grid**2).reshape(grid, grid).repeat(10, axis=0).repeat(10, axis=1)
    picture = Image.fromarray(np.stack([10 * tiles] * 3, axis=-1).astype(np.uint8))
    for seed in range(5):
        found = pixels(apply("shuffle", picture, 1.0, seed, grid=grid))[5::10, 5::10, 0] // 10
        assert sorted(found.ravel()) == list(range(grid**2))
        assert (found != tiles[5::10, 5::10]).all()


def test_a_crop_ends_at_its_region_and_keeps_the_shape():
    picture = draw(SCENE, 120)
    for strength, box in ((1.0, (45, 45, 75, 75)), (0.5, (22.5, 22.5, 97.5, 97.5))):
        expected = picture.resize((120, 120), Image.Resampling.BICUBIC, box)
        np.testing.assert_array_equal(pixels(apply("crop", picture, strength)), pixels(expected))
    corner = apply("crop", picture, 1.0, region=Region.box(0, 0, 0.5, 0.25))
    expected = picture.resize((120, 120), Image.Resampling.BICUBIC, (0, 0, 60, 60))
    np.testing.assert_array_equal(pixels(corner), pixels(expected))


def test_contrast_colour_and_light_can_be_taken_away():
    assert pixels(apply("contrast", render(SCENE), 1.0)).reshape(-1, 3).std(axis=0).max() == 0
    grey = pixels(apply("grayscale", render(SCENE), 1.0))
    np.testing.assert_array_equal(grey.min(axis=2), grey.max(axis=2))
    np.testing.assert_allclose(pixels(apply("brightness", smooth(), 1.0)), pixels(smooth()) / 5, atol=1)
    assert (pixels(apply("blank", smooth(), 1.0, color="#102030")) == (16, 32, 48)).all()


def test_a_turn_is_as_many_degrees_as_are_given():
    picture = smooth((60, 60))
    assert np.abs(pixels(apply("rotate", picture, 1.0)) - np.rot90(pixels(picture))).mean() < 5
    found = pixels(apply("rotate", picture, 0.5, degrees=180))
    np.testing.assert_array_equal(found, pixels(apply("rotate", picture, 1.0)))


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_hiding_fills_one_square_with_the_mean_colour(strength):
    picture = smooth((64, 48))
    mean = pixels(picture).reshape(-1, 3).mean(axis=0).round()
    found = apply("hide", picture, strength, seed=3)
    rows, columns = np.nonzero(found.mask)
    side = round(48 * strength)
    assert max(np.ptp(rows), np.ptp(columns)) < side
    assert 0.95 * side * side <= found.mask.sum() <= side * side  # a few pixels have the mean colour already
    assert (pixels(found)[found.mask] == mean).all()


def test_downscaling_leaves_as_many_pixels_as_it_says():
    found = pixels(apply("downscale", rough((64, 64)), 1.0))
    np.testing.assert_array_equal(found[::8, ::8].repeat(8, axis=0).repeat(8, axis=1), found)


def test_noise_has_the_spread_it_says():
    found = pixels(apply("noise", Image.new("RGB", (200, 200), (128, 128, 128)), 0.2))
    assert found.std() == pytest.approx(127.5 * 0.2, rel=0.03)
    assert found.mean() == pytest.approx(128, abs=1)


# What is refused


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf"), "much", None])
@pytest.mark.parametrize("name", NAMES)
def test_a_strength_outside_zero_to_one_is_refused(name, strength):
    with pytest.raises(PictureError, match="from 0 to 1"):
        change(name, smooth(), strength)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("swirl", {}, r"called swirl.*blur.*hide"),
        ("blur", {"seed": -1}, "seed is a whole number"),
        ("blur", {"seed": 1.5}, "seed is a whole number"),
        ("fill-mean", {}, "draw one"),
        ("move", {"region": MIDDLE}, "place to go to"),
        ("move", {"region": MIDDLE, "to": (1.2, 0.5)}, "outside the picture"),
        ("move", {"region": MIDDLE, "to": (float("nan"), 0.5)}, "outside the picture"),
        ("donor", {}, "another picture; give one"),
        ("fill-donor", {"region": MIDDLE}, "another picture; give one"),
        ("blur", {"grid": 3}, "blur has no option grid; it has none"),
        ("shuffle", {"tiles": 3}, "shuffle has no option tiles; it has grid"),
        ("shuffle", {"grid": 1}, "grid is a whole number from 2 to 64, got 1"),
        ("shuffle", {"grid": 3.5}, "grid is a whole number"),
        ("flip", {"axis": "diagonal"}, "left-right, up-down"),
        ("blank", {"color": "reddish"}, "is a colour"),
        ("recolor", {"region": MIDDLE, "color": "#12"}, "is a colour"),
        ("scale", {"region": MIDDLE, "factor": 0}, "factor is a number from 0.1 to 4"),
        ("blur", {"region": Region.box(1.5, 0, 2, 1)}, "outside the picture"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(name, given, told):
    for strength in (0.0, 1.0):
        with pytest.raises(PictureError, match=told) as caught:
            apply(name, smooth(), strength, **given)
        assert str(caught.value).endswith(".")
