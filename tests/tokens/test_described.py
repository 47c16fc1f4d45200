"""The description's numbers, each computed a second time by counting."""

import numpy as np

from vlmlens.tokens.allocation import allocate
from vlmlens.tokens.described import DESCRIBED, Described, implications


def test_the_described_numbers():
    assert DESCRIBED.mean == 72
    assert DESCRIBED.uniform_mean == 576
    assert DESCRIBED.free == 1600
    assert DESCRIBED.ratio == 8
    assert DESCRIBED.bound == 12_800
    assert int(DESCRIBED.full) == 4


def test_four_patches_and_no_fifth_reach_the_maximum():
    for wanted in range(1, 8):
        relevance = np.zeros(200)
        relevance[:wanted] = 1
        tokens = allocate(relevance, DESCRIBED.total, DESCRIBED.low, DESCRIBED.high)
        assert tokens.sum() == DESCRIBED.total
        assert (tokens == DESCRIBED.high).sum() == (wanted if wanted <= 4 else 0)


def test_the_sentences_carry_the_numbers():
    text = " ".join(implications())
    for number in (
        "200 x 72 = 14,400",
        "200 x 576 = 115,200",
        "12,800",
        "1,600",
        "11.1%",
        "4 of 200",
        "4.76",
        "8 times",
    ):
        assert number in text
    assert "more than the maximum of 400" in text
    within = Described(10, 1, 20, 50, 100)
    assert "no allocation within these bounds" not in " ".join(implications(within))
