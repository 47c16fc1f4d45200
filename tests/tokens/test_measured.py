"""What the benchmark writes is read back, and its intervals say what they should."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from vlmlens.errors import UserError
from vlmlens.tokens.measured import OVERALL, Difference, Finding, area, compare, interval, read, weights_of


def test_the_interval_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(0).random(800) < 0.3
    low, high = interval(values.astype(float), weights_of(800))
    half = 1.96 * values.std() / np.sqrt(800)
    assert low == pytest.approx(values.mean() - half, abs=0.004)
    assert high == pytest.approx(values.mean() + half, abs=0.004)


def test_pairing_sees_what_two_accuracies_cannot():
    rng = np.random.default_rng(1)
    other = rng.random((1, 1000)) < 0.5
    one = other | (rng.random((1, 1000)) < 0.03)
    assert compare(0, "a", "b", one, other, False).word == "better"
    assert compare(0, "b", "a", other, one, False).word == "worse"
    assert compare(0, "a", "a", one, one, False).word == "cannot say"
    unrelated = rng.random((1, 1000)) < 0.5
    assert compare(0, "a", "b", unrelated, other, False).word == "cannot say"


def test_seeds_that_disagree_leave_it_open():
    other = np.zeros((1, 2000), bool)
    agree = np.zeros((3, 2000), bool)
    agree[:, :200] = True
    assert compare(0, "a", "b", agree, other, True).word == "better"
    disagree = np.zeros((3, 2000), bool)
    disagree[0, :600] = True
    found = compare(0, "a", "b", disagree, other, True)
    assert found.seeds == (0.3, 0.0, 0.0)
    assert found.seeds_interval[0] < 0
    assert found.word == "cannot say"


def test_the_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(2)
    scores, wanted = rng.integers(0, 5, 36).astype(float), rng.random(36) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[wanted] for b in scores[~wanted]]
    assert area(scores, wanted) == pytest.approx(np.mean(pairs))
    assert area(np.ones(36), wanted) == 0.5


def test_it_is_read_back_and_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "allocation.json"
    assert read(path) is None
    row = Difference(OVERALL, "sliders", "uniform", 0.1, (0.05, 0.15), (), None)
    finding = Finding("coupling", 0.8, (0.7, 0.9))
    path.write_text(json.dumps({"accuracies": [], "differences": [asdict(row)], "scores": [asdict(finding)]}))
    found = read(path)
    assert found.difference("sliders", "uniform") == row
    assert found.findings == (finding,)
    assert found.difference("adapter", "uniform") is None
    path.write_text("{")
    with pytest.raises(UserError, match="measure again with"):
        read(path)
