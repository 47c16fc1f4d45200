"""How far an encoding reaches, against cosines worked out one by one; what was measured, read back as written."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import UserError
from vlmlens.lab.positions import POSITIONS, bands, reach, similarity
from vlmlens.lab.positions.measured import chance, read

ROTARY = [name for name, positions in POSITIONS.items() if positions.rotary]


@pytest.mark.parametrize("name", ROTARY)
def test_scores_of_like_tokens_are_the_mean_cosine_of_their_pairs(name):
    """In expectation every pair weighs alike; each draw lies between the smallest and the largest cosine."""
    pairs = POSITIONS[name].pairs(8)
    found = reach(pairs, 4, draws=3000)
    for row, column in itertools.product((-3, 0, 1, 4), (-4, 0, 2)):
        apart = {"time": 0, "row": row, "column": column}
        cosines = [math.cos(apart[pair.axis] * pair.frequency) for pair in pairs]
        mean, low, high = found.at(row, column)
        assert mean == pytest.approx(np.mean(cosines), abs=0.02)
        assert min(cosines) - 1e-9 <= low <= mean + 1e-12
        assert mean - 1e-12 <= high <= max(cosines) + 1e-9


@pytest.mark.parametrize("name", ROTARY)
def test_a_score_is_the_same_there_and_back_and_whole_at_no_distance(name):
    found = reach(POSITIONS[name].pairs(8), 3)
    np.testing.assert_allclose(found.mean, found.mean[::-1, ::-1])
    assert found.at(0, 0) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("name", ["none", "learned"])
def test_without_rotation_distance_means_nothing(name):
    found = reach(POSITIONS[name].pairs(8), 3)
    assert (found.mean == 1).all()
    assert not bands(POSITIONS[name], 8)


@settings(max_examples=20, deadline=None)
@given(side=st.integers(2, 6), seed=st.integers(0, 999))
def test_similarity_is_the_mean_cosine_of_all_such_pairs(side, seed):
    places = np.random.default_rng(seed).normal(size=(side * side, 5))
    found = similarity(places, side)
    for row, column in itertools.product(range(1 - side, side), repeat=2):
        cosines = []
        for r, c in itertools.product(range(side), repeat=2):
            if 0 <= r + row < side and 0 <= c + column < side:
                one, other = places[r * side + c], places[(r + row) * side + c + column]
                cosines.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        assert found.at(row, column) == pytest.approx((np.mean(cosines), min(cosines), max(cosines)))


@settings(max_examples=30, deadline=None)
@given(count=st.integers(8, 64))
def test_bands_say_which_axes_have_fast_and_slow_pairs(count):
    assert all(band.fast and band.slow for band in bands(POSITIONS["interleaved"], count))
    assert all(band.fast and band.slow for band in bands(POSITIONS["rotary2d"], count))
    chunked = {band.axis: band for band in bands(POSITIONS["chunked"], count)}
    assert not chunked["time"].slow
    assert not chunked["column"].fast
    assert sum(band.pairs for band in chunked.values()) == count


def written(path, **change):
    found = [
        {"side": side, "fitted": False, "kind": kind, "axis": axis, "n": n, "accuracy": accuracy}
        for side, kind in itertools.product((3, 5), ("where", "relation"))
        for axis, n, accuracy in (("row", 30, 0.5), ("column", 10, 0.9))
    ]
    rows = [
        {"positions": "rotary2d", "seed": seed, "found": found, "attention": np.full((2, 5, 5), seed).tolist()}
        for seed in (0, 1)
    ]
    path.write_text(json.dumps({"board": 3, "rows": rows} | change))
    return path


def test_what_was_measured_is_read_back(tmp_path):
    found = read(written(tmp_path / "accuracy.json"))
    assert found.find("rotary2d", 5, "where", axis="row") == (0.5, 0.5)
    assert found.find("rotary2d", 3, "relation") == pytest.approx((0.6, 0.6))  # weighed by how many were asked
    assert found.find("rotary2d", 5, "where", fitted=True) == ()
    assert found.find("chunked", 3, "where") == ()
    assert (found.attention["rotary2d"] == 0.5).all()
    assert found.about == {"board": 3}
    assert (chance("where"), chance("relation")) == (1 / 3, 1 / 2)


def test_nothing_measured_is_none_and_a_damaged_file_a_sentence(tmp_path):
    assert read(tmp_path / "missing.json") is None
    for change in ({"rows": [{}]}, {"rows": 3}):
        with pytest.raises(UserError, match="is damaged; measure again"):
            read(written(tmp_path / "accuracy.json", **change))
    (tmp_path / "accuracy.json").write_text("{")
    with pytest.raises(UserError, match="is damaged; measure again"):
        read(tmp_path / "accuracy.json")
