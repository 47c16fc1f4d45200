"""The hottest window is the hottest, and the regions it is compared with are its like, elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.attention import hottest_window
from vlmlens.attention.causal import elsewhere

SHAPES = [(6, 6), (1, 1), (1, 9), (9, 1), (3, 7), (24, 24), (5, 11)]


def squares(shape, side):
    for top in range(shape[0] - side + 1):
        for left in range(shape[1] - side + 1):
            yield [(top + r) * shape[1] + left + c for r in range(side) for c in range(side)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 1.0])
def test_no_square_of_its_size_holds_more(shape, share):
    rng = np.random.default_rng(0)
    for _ in range(5):
        values = rng.random(shape[0] * shape[1]) ** 4
        region = list(hottest_window(values, shape, share))
        side = round(len(region) ** 0.5)
        every = list(squares(shape, side))
        assert region in every
        assert values[region].sum() >= max(values[square].sum() for square in every) - 1e-9
        wanted = (share * values.size) ** 0.5
        assert side == 1 or side == min(shape) or abs(side - wanted) <= 0.5
        assert 1 <= side <= min(shape)


def test_one_hot_cell_is_found_wherever_it_is():
    for shape in SHAPES:
        for cell in range(shape[0] * shape[1]):
            values = np.zeros(shape[0] * shape[1])
            values[cell] = 1
            assert cell in hottest_window(values, shape)


@st.composite
def regions(draw):
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    cells = draw(st.sets(st.integers(0, rows * columns - 1), min_size=1))
    return sorted(cells), (rows, columns)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(regions(), st.integers(1, 40), st.integers(0, 3))
def test_other_places_have_the_same_shape_and_touch_nothing(case, most, seed):
    region, shape = case
    found = elsewhere(region, shape, most, seed)
    assert found.shape[1:] == (shape[0] * shape[1],)
    assert len(found) <= most
    assert len({tuple(np.flatnonzero(other)) for other in found}) == len(found)
    place = np.array([divmod(cell, shape[1]) for cell in region])
    for other in found:
        assert not other[region].any()
        moved = np.array([divmod(cell, shape[1]) for cell in np.flatnonzero(other)])
        assert len(moved) == len(place)
        assert len({tuple(step) for step in moved - place}) == 1  # every cell by the same step: nothing wraps around
    np.testing.assert_array_equal(found, elsewhere(region, shape, most, seed))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(regions())
def test_every_place_that_fits_is_found(case):
    region, (rows, columns) = case
    place = [divmod(cell, columns) for cell in region]
    fitting = 0
    for down in range(-rows, rows + 1):
        for right in range(-columns, columns + 1):
            moved = [(r + down, c + right) for r, c in place]
            inside = all(0 <= r < rows and 0 <= c < columns for r, c in moved)
            fitting += inside and not set(moved) & set(place)
    assert len(elsewhere(region, (rows, columns), most=1000)) == fitting


def test_the_whole_picture_has_no_elsewhere():
    assert elsewhere(range(6), (2, 3)).shape == (0, 6)
