"""Every mask equals its definition, element by element, for random lengths and places of pictures."""

import numpy as np
import pytest

from vlmlens.lab.masks import MASKS, Layout


def is_word(layout, place):
    return place >= layout.queries


def last_marker(layout, word):
    """Which picture, from 1, came last up to a word; 0 before the first."""
    return sum(marker <= word for marker in layout.markers)


def may(name, layout, asker, other):
    """The definitions, for one pair of positions, as the papers say them."""
    words = is_word(layout, asker), is_word(layout, other)
    if name == "itc":
        return words in ((False, False), (True, True))
    if name in ("itm", "full"):
        return True
    if name == "itg":
        if not words[0]:
            return not words[1]
        return not words[1] or other <= asker
    if name == "causal":
        return other <= asker
    if name == "prefix":
        answer_from = layout.queries + layout.words - layout.answers
        if other < answer_from:
            return True
        return asker >= answer_from and other <= asker
    picture = other // layout.queries + 1
    if name == "last picture":
        return picture == last_marker(layout, asker)
    assert name == "all pictures"
    return picture <= last_marker(layout, asker)


def random_layout(rng):
    words = int(rng.integers(1, 12))
    markers = np.flatnonzero(rng.random(words) < rng.random())
    return Layout(int(rng.integers(1, 7)), words, tuple(int(m) for m in markers), int(rng.integers(words + 1)))


@pytest.mark.parametrize("name", MASKS)
def test_equals_the_definition_element_by_element(name):
    rng = np.random.default_rng(len(name))
    for _ in range(60):
        layout = random_layout(rng)
        seen = MASKS[name].see(layout)
        across = MASKS[name].across
        rows = layout.words if across else layout.queries + layout.words
        columns = layout.queries * len(layout.markers) if across else rows
        assert seen.shape == (rows, columns)
        assert seen.dtype == bool
        wanted = [[may(name, layout, asker, other) for other in range(columns)] for asker in range(rows)]
        assert np.array_equal(seen, np.array(wanted, bool).reshape(rows, columns))


@pytest.mark.parametrize("name", [name for name, mask in MASKS.items() if not mask.across])
def test_everyone_sees_itself_so_that_no_row_is_empty(name):
    assert MASKS[name].see(Layout(3, 5)).diagonal().all()


def test_a_word_of_flamingo_sees_one_picture_or_none():
    seen = MASKS["last picture"].see(Layout(4, 9, (2, 6))).reshape(9, 2, 4)
    assert (seen.all(-1) == seen.any(-1)).all()  # a picture whole or not at all
    assert seen.any(-1).sum(1).tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_what_all_see_includes_what_the_last_shows():
    rng = np.random.default_rng(7)
    for _ in range(20):
        layout = random_layout(rng)
        assert (MASKS["last picture"].see(layout) <= MASKS["all pictures"].see(layout)).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"queries": -1, "words": 3},
        {"queries": 2, "words": 3, "markers": (3,)},
        {"queries": 2, "words": 3, "markers": (2, 1)},
        {"queries": 2, "words": 3, "answers": 4},
    ],
)
def test_an_impossible_layout_is_refused(bad):
    with pytest.raises(ValueError, match=r"below 0|ascending|at most all"):
        Layout(**bad)
