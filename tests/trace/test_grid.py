"""The picture's geometry where it is read twice: in tiles, and once as a whole."""

from dataclasses import replace

import numpy as np
import pytest

from vlmlens.errors import TraceError
from vlmlens.trace import Grid, Segment, open_trace, trace_bytes
from vlmlens.trace.segments import lattice


@pytest.fixture
def grid():
    """Six by four cells on a picture of 60 by 40, and two wide tokens: the left half and the right."""
    fine = Grid.regular((4, 6), np.arange(10, 34), (60, 40))
    halves = lattice(np.array([0, 40]), np.array([0, 30, 60]))
    return Grid(fine.boxes, fine.positions, fine.size, fine.shape, halves, np.array([3, 4]))


def test_attention_to_the_whole_is_spread_by_area_and_none_is_lost(grid):
    rng = np.random.default_rng(0)
    values = rng.random((2, 5, 40))
    found = grid.spread(values)
    assert found.shape == (2, 5, 24)
    np.testing.assert_allclose(found.sum(axis=-1), values[..., grid.placed].sum(axis=-1))
    left = np.tile(np.repeat([True, False], 3), 4)
    np.testing.assert_allclose(found[..., left], values[..., grid.positions[left]] + values[..., [3]] / 12)


def test_hiding_a_cell_hides_every_token_that_shows_it(grid):
    cells = np.zeros((3, 24), bool)
    cells[1, 0] = True
    cells[2, [c for c in range(24) if c % 6 < 3]] = True  # the left half
    hidden = grid.tokens(cells, 40)
    assert [np.flatnonzero(row).tolist() for row in hidden[:2]] == [[], [3, 10]]
    assert set(np.flatnonzero(hidden[2])) == {3, *grid.positions[cells[2]]}
    within = grid.tokens(cells, 40, whole=True)
    assert [np.flatnonzero(row).tolist() for row in within[:2]] == [[], [10]]
    np.testing.assert_array_equal(within[2], hidden[2])


def test_tokens_show_cells(grid):
    shown = grid.shown()
    assert shown[10] == (0,)
    assert shown[4] == tuple(c for c in range(24) if c % 6 >= 3)
    assert set(shown) == set(grid.placed.tolist())


def test_every_token_needs_one_place(grid):
    image = np.zeros(40, bool)
    image[grid.placed] = True
    assert grid.places(image)
    image[34:38] = True  # a separator after each row
    assert grid.places(image)
    image[38] = True
    assert not grid.places(image)
    assert not grid.places(image & (np.arange(40) != 3))


@pytest.fixture
def trace(make_trace):
    """With one wide token, at position 1, over all six cells."""
    plain = make_trace()
    segments = plain.segments.copy()
    segments[1] = Segment.IMAGE
    whole = lattice(np.array([0, plain.grid.size[1]]), np.array([0, plain.grid.size[0]]))
    return replace(plain, segments=segments, grid=replace(plain.grid, wide_boxes=whole, wide_positions=np.array([1])))


def test_a_trace_file_keeps_them(trace, assert_same, use):
    again = open_trace(trace_bytes(trace))
    assert_same(again, trace)
    use(again)


@pytest.fixture
def resampled(grid):
    """The wide tokens are queries over the whole picture: the first reads three cells alike, the second all but one."""
    through = np.zeros((2, 24), np.float32)
    through[0, [1, 5, 9]] = 1 / 3
    through[1, 1:] = 1 / 23
    everywhere = np.tile(np.array([0, 0, 60, 40], np.float32), (2, 1))
    return replace(grid, wide_boxes=everywhere, through=through)


def test_attention_to_queries_is_spread_as_they_read(resampled):
    values = np.random.default_rng(0).random((2, 5, 40))
    found = resampled.spread(values)
    wanted = values[..., resampled.positions] + values[..., [3, 4]] @ resampled.through
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(found.sum(axis=-1), values[..., resampled.placed].sum(axis=-1), rtol=1e-6)
    assert resampled.read.tolist() == [3, 4]


def test_queries_show_what_they_read_most_of_and_are_hidden_with_no_cell(resampled):
    shown = resampled.shown()
    assert shown[3] == (1, 5, 9)
    assert shown[4] == tuple(range(1, 24))
    cells = np.zeros((2, 24), bool)
    cells[0, 1] = cells[1] = True
    for whole in (False, True):
        hidden = resampled.tokens(cells, 40, whole)
        assert [set(np.flatnonzero(row)) for row in hidden] == [{11}, set(resampled.positions)]


@pytest.fixture
def through(trace):
    """The trace with a query in place of the wide token."""
    shares = np.array([[0.5, 0.25, 0.25, 0, 0, 0]], np.float32)
    return replace(trace, grid=replace(trace.grid, through=shares))


def test_a_trace_file_keeps_what_queries_read(through, assert_same, use):
    again = open_trace(trace_bytes(through))
    assert_same(again, through)
    use(again)


FORGED = {
    "more than there is": lambda a: a * 2,
    "less than nothing": lambda a: a - np.array([[0.6, -0.6, 0, 0, 0, 0]], np.float32),
    "no number": lambda a: a * np.nan,
    "cells that are not there": lambda a: np.pad(a, ((0, 0), (0, 1))),
    "a query that is not there": lambda a: np.repeat(a, 2, axis=0),
    "other numbers": lambda a: a.astype(np.float64),
    "no query": lambda a: a[:0],
    "one row": lambda a: a[0],
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_nonsense_of_what_queries_read_is_refused(through, resign, change):
    def forge(header, tensors):
        tensors["through"] = change(tensors["through"])

    with pytest.raises(TraceError):
        open_trace(resign(trace_bytes(through), forge))


def test_what_queries_read_without_queries_is_refused(through, resign):
    def forge(header, tensors):
        del tensors["wide_positions"], tensors["wide_boxes"]

    with pytest.raises(TraceError):
        open_trace(resign(trace_bytes(through), forge))


def test_a_wide_token_that_is_none_of_the_pictures_is_refused(trace, resign):
    def move(header, tensors):
        tensors["wide_positions"] = np.array([0])

    with pytest.raises(TraceError):
        open_trace(resign(trace_bytes(trace), move))
