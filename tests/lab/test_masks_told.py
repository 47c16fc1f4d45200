"""What a hover says agrees with the mask, and says why not."""

import numpy as np
import pytest

from vlmlens import charts
from vlmlens.lab.masks import MASKS
from vlmlens.lab.masks_told import MARKER, over

WORDS = ["is", "a", "star", MARKER, "is", MARKER, "red"]


@pytest.mark.parametrize("name", MASKS)
def test_every_pair_is_told_as_the_mask_has_it(name):
    drawn = over(MASKS[name], WORDS, 3)
    assert drawn.seen.shape == (len(drawn.rows), len(drawn.columns))
    for i in range(len(drawn.rows)):
        for j in range(len(drawn.columns)):
            told = drawn.told(i, j)
            assert told.startswith(drawn.rows[i].name)
            assert (" may look at " in told) == drawn.seen[i, j]
            assert drawn.seen[i, j] or not told.endswith(": ")
    assert f"**{drawn.seen.sum()}** may look" in drawn.sentence()
    assert len(drawn.records()) == drawn.seen.size
    assert [row["may look"] for row in drawn.records()] == drawn.seen.ravel().tolist()


@pytest.mark.parametrize("name", MASKS)
def test_the_picture_of_a_mask_fills_exactly_what_may_be_looked_at(name):
    drawn = over(MASKS[name], WORDS, 2)
    for small in (False, True):
        values = charts.mask(drawn, small).spec["data"]["values"]
        filled = np.zeros(drawn.seen.shape, bool)
        for value in values:
            filled[value["row"], value["column"]] = value["may"]
        assert np.array_equal(filled, drawn.seen)
        assert len(charts.export(charts.mask(drawn, small), "svg", "a mask")) > 1000


def test_reasons_name_what_is_in_the_way():
    flamingo = over(MASKS["last picture"], WORDS, 1)
    assert flamingo.told(0, 0) == "the word “is” (word 1) may not look at token 1 of picture 1: no picture has come yet"
    assert flamingo.told(4, 0) == "the word “is” (word 5) may look at token 1 of picture 1"
    assert flamingo.told(4, 1).endswith("picture 2 comes later")
    assert flamingo.told(6, 0).endswith("picture 2 has come since")
    tell = over(MASKS["itg"], ["red", "star"], 2)
    assert tell.told(2, 3) == "the word “red” may not look at the word “star”: it comes later"
    assert "must be in the queries" in tell.told(0, 2)
    assert tell.told(3, 3) == "the word “star” may look at itself"
    assert over(MASKS["causal"], ["red"], 2).told(0, 1).endswith("it comes later")
    assert over(MASKS["prefix"], ["red", "star"], 2).told(0, 3).endswith("it is written later")


def test_a_text_without_pictures_says_so():
    assert over(MASKS["last picture"], ["a", "star"], 4).sentence().startswith("There is nobody to look at")
