"""Flamingo's layer proves its mask: a picture's change reaches the words that may see it, and no other."""

import numpy as np
import pytest
import torch

from vlmlens.errors import QuestionError
from vlmlens.lab.interleaved import MARKER, MOST_WORDS, Interleaved, change, markers_of, words_of
from vlmlens.lab.text import WORDS

FEATURES = tuple(torch.randn(3, 36, 64, generator=torch.Generator().manual_seed(1)).unbind())


def random_text(rng, pictures):
    words = list(rng.choice(WORDS[1:], int(rng.integers(3, 12))))
    for _ in range(pictures):
        words.insert(int(rng.integers(len(words) + 1)), MARKER)
    return words


@pytest.mark.parametrize("mask", ["last picture", "all pictures"])
@pytest.mark.parametrize("which", [0, 1])
def test_exactly_the_words_that_may_see_a_picture_change_with_it(mask, which):
    rng = np.random.default_rng(which)
    for _ in range(8):
        words = random_text(rng, 2)
        reached = np.cumsum([word == MARKER for word in words])
        wanted = reached == which + 1 if mask == "last picture" else reached >= which + 1
        moved = change(Interleaved(0.7, mask), FEATURES[:2], words, which, FEATURES[2])
        assert (moved > 0).tolist() == wanted.tolist()


def test_through_the_words_own_attention_an_older_picture_reaches_all_that_follow():
    words = words_of("is there a <image> red circle <image> in the row", 2)
    moved = change(Interleaved(0.7, itself=True), FEATURES[:2], words, 0, FEATURES[2])
    assert (moved > 0).tolist() == [place >= markers_of(words)[0] for place in range(len(words))]


@pytest.mark.parametrize("itself", [False, True])
def test_a_gate_at_zero_shows_no_picture_bit_for_bit(itself):
    words = words_of("a <image> red <image> circle", 2)
    assert not change(Interleaved(0.0, itself=itself), FEATURES[:2], words, 0, FEATURES[2]).any()


def test_no_text_is_read_that_cannot_be():
    assert words_of("A red circle. <image> <IMAGE> What colour", 2) == (
        "a", "red", "circle", MARKER, MARKER, "what", "color",
    )  # fmt: skip
    with pytest.raises(QuestionError, match="write it 2 times"):
        words_of("a <image> circle", 2)
    with pytest.raises(QuestionError, match="“zebra”"):
        words_of("a zebra <image>", 1)
    with pytest.raises(QuestionError, match=f"at most {MOST_WORDS}"):
        words_of("<image> a a a a a a a a a a a a <image> a a a a a a a a a a a a", 2)
    with pytest.raises(ValueError, match="1 markers"):
        Interleaved(1.0)(FEATURES[:2], ("a", MARKER))
