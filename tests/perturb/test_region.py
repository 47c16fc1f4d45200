"""A region holds the pixels whose centres it holds, at any size, and says in words why it holds none."""

import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import PictureError
from vlmlens.perturb import Region

SIZE = 40, 24  # width, height
CENTRES = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(24) + 0.5), axis=-1)  # [height, width, (x, y)]


def in_polygon(point: np.ndarray, corners: np.ndarray) -> bool:
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        if (y0 > point[1]) != (y1 > point[1]) and point[0] < x0 + (point[1] - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def test_a_box_is_cut_at_the_edge_and_may_be_drawn_from_any_corner():
    expected = np.zeros((24, 40), bool)
    expected[6:18, 0:20] = True
    for corners in ((-0.5, 0.25, 0.5, 0.75), (0.5, 0.75, -0.5, 0.25), (-0.5, 0.75, 0.5, 0.25)):
        np.testing.assert_array_equal(Region.box(*corners).mask(SIZE), expected)


def test_a_lasso_holds_what_the_even_odd_rule_says():
    rng = np.random.default_rng(0)
    for corners in (3, 5, 9):
        points = rng.uniform(-0.1, 1.1, (corners, 2))
        found = Region("lasso", tuple(map(tuple, points))).mask(SIZE)
        expected = [[in_polygon(point, points * SIZE) for point in row] for row in CENTRES]
        assert (found != expected).mean() < 0.005  # coordinates are rounded


def test_a_brush_holds_what_is_within_its_radius_of_the_stroke():
    path = np.array([(0.2, 0.3), (0.7, 0.3), (0.7, 0.9)])
    found = Region("brush", tuple(map(tuple, path)), 0.125).mask(SIZE)  # 3 pixels
    along = np.concatenate([np.linspace(a, b, 400) for a, b in pairwise(path)]) * SIZE
    far = np.sqrt(((CENTRES[:, :, None] - along) ** 2).sum(axis=-1)).min(axis=2)
    np.testing.assert_array_equal(found[np.abs(far - 3) > 0.01], (far <= 3)[np.abs(far - 3) > 0.01])


def test_a_dot_of_the_thinnest_brush_is_a_pixel_wherever_it_falls():
    for x, y in np.random.default_rng(1).uniform(0, 1, (50, 2)):
        assert Region("brush", ((x, y),), 0.001).mask(SIZE)[int(y * 24), int(x * 40)]


@pytest.mark.parametrize("size", [(6, 6), (48, 48), (336, 336), (100, 75)])
def test_cells_cover_the_picture_and_each_pixel_once(size):
    masks = np.stack([Region.cells((5, 6), [cell]).mask(size) for cell in range(30)])
    np.testing.assert_array_equal(masks.sum(axis=0), np.ones(size[::-1]))
    some = Region.cells((5, 6), [0, 7, 29])
    np.testing.assert_array_equal(some.mask(size), masks[[0, 7, 29]].any(axis=0))


coordinates = st.floats(-1, 2, allow_nan=False)
points = st.tuples(coordinates, coordinates)
regions = st.one_of(
    st.tuples(points, points).map(lambda p: Region("box", p)),
    st.lists(points, min_size=3, max_size=9).map(lambda p: Region("lasso", tuple(p))),
    st.tuples(st.lists(points, min_size=1, max_size=9), st.floats(0.001, 1)).map(
        lambda p: Region("brush", tuple(p[0]), p[1])
    ),
    st.lists(st.tuples(points, points), min_size=1, max_size=4).map(lambda p: Region("cells", sum(p, ()))),
)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(regions, st.integers(1, 30), st.integers(1, 30))
def test_a_region_comes_back_from_json_and_holds_pixels_or_says_why_not(region, width, height):
    assert Region.from_json(region.to_json()) == region
    with contextlib.suppress(PictureError):
        found = region.mask((width, height))
        assert found.shape == (height, width)
        assert found.any()


def test_a_region_can_be_typed():
    assert Region.parse("box:0.1,0.2,0.5,0.75") == Region.box(0.1, 0.2, 0.5, 0.75)
    assert Region.parse("brush:0.1:0.5,0.5,0.6,0.6") == Region("brush", ((0.5, 0.5), (0.6, 0.6)), 0.1)
    for text in ("box", "box:", "box:1,2,3", "box:a,b,c,d", "ball:0,0,1,1", "brush:0.5,0.5"):
        with pytest.raises(PictureError):
            Region.parse(text)


@pytest.mark.parametrize(
    ("kind", "points", "radius", "told"),
    [
        ("circle", ((0, 0),), 0, "no region of kind circle"),
        ("box", (), 0, "two corners"),
        ("box", ((0, 0),), 0, "two corners"),
        ("lasso", ((0, 0), (1, 1)), 0, "three points"),
        ("brush", (), 0.1, "a point or more"),
        ("brush", ((0.5, 0.5),), 0, "radius above 0"),
        ("brush", ((0.5, 0.5),), float("nan"), "finite"),
        ("cells", (), 0, "pairs of corners"),
        ("cells", ((0, 0),) * 3, 0, "pairs of corners"),
        ("box", ((0, 0), (float("nan"), 1)), 0, "finite"),
        ("box", ((0, 0), (float("inf"), 1)), 0, "finite"),
        ("box", ((0, 0), ("x", 1)), 0, "pairs of numbers"),
        ("box", (0, 1), 0, "pairs of numbers"),
        ("lasso", ((0.5, 0.5),) * 2001, 0, "at most 2000 points"),
    ],
)
def test_what_is_no_region_is_refused(kind, points, radius, told):
    with pytest.raises(PictureError, match=told):
        Region(kind, points, radius)


@pytest.mark.parametrize(
    ("region", "told"),
    [
        (Region.box(1.2, 0, 1.5, 1), "outside the picture"),
        (Region.box(0, -1, 1, -0.1), "outside the picture"),
        (Region("brush", ((-0.5, 0.5),), 0.1), "outside the picture"),
        (Region.box(0.5, 0.5, 0.5, 0.9), "holds no pixel of the 40 x 24 picture; draw a larger one"),
        (Region("lasso", ((0.1, 0.1), (0.2, 0.1), (0.3, 0.1))), "holds no pixel"),
    ],
)
def test_a_region_without_pixels_says_which_kind_of_nothing_it_is(region, told):
    with pytest.raises(PictureError, match=told):
        region.mask(SIZE)


@pytest.mark.parametrize(
    "content", [None, [], {}, {"box": 3}, {"box": [1, 2, 3]}, {"box": [0, 0, 1, 1], "x": 1}, {"lasso": ["a", "b"] * 3}]
)
def test_json_that_is_no_region_is_refused(content):
    with pytest.raises(PictureError):
        Region.from_json(content)
