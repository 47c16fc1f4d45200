"""What the picture component sends, read back as the browser reads it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vlmlens.ui import picture as module
from vlmlens.ui.browser import picture_id
from vlmlens.ui.picture import Maps, Selection, Token, picture
from vlmlens.ui.picture.blocks import MOST_WORDS, block, pack, pack_words

BOXES = np.array([[0, 0, 8, 8], [8, 0, 16, 8], [0, 8, 8, 16]], dtype=float)


def unpack(codes: bytes, scales: np.ndarray) -> np.ndarray:
    return np.frombuffer(codes, "<f2").astype(np.float64).reshape(*scales.shape, -1) * scales[..., None]


def test_every_value_above_a_millionth_of_its_rows_largest_keeps_one_percent():
    rng = np.random.default_rng(0)
    values = 10.0 ** rng.uniform(-8, -2, (3, 4, 50))
    values[..., 0] = 10.0 ** rng.uniform(-2, 0, (3, 4))
    back = unpack(*pack(values))
    largest = values.max(axis=-1, keepdims=True)
    telling = values > 5e-6 * largest
    np.testing.assert_allclose(back[telling], values[telling], rtol=0.01)
    assert (np.abs(back - values) <= 0.01 * values + 1e-7 * largest).all()


def test_sign_zero_and_not_recorded_survive():
    values = np.array([[-0.5, 0.0, 0.25], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(unpack(*pack(values)), values, rtol=1e-3)


def test_the_scale_is_each_rows_largest_magnitude():
    values = np.array([[[0.1, -0.4], [0.0, 0.0]]])
    np.testing.assert_allclose(pack(values)[1], [[0.4, 0.0]])


@pytest.mark.parametrize("kind", [str, object])
def test_words_come_back_each_in_its_cell_and_are_sent_once(kind):
    rng = np.random.default_rng(0)
    words = np.array(["", "red", " red", "Straße", "光", "two words", "\n"], dtype=kind)[rng.integers(0, 7, (4, 60))]
    vocabulary, places = pack_words(words)
    assert len(set(vocabulary)) == len(vocabulary) == 7
    assert len(places) == 2 * words.size
    back = np.array(json.loads(json.dumps(vocabulary)), dtype=object)[np.frombuffer(places, "<u2")]
    assert back.reshape(words.shape).tolist() == words.tolist()


def test_the_last_word_that_fits_two_bytes_fits_and_one_more_is_refused():
    words = np.array([[str(i) for i in range(MOST_WORDS)]])
    vocabulary, places = pack_words(words)
    assert [vocabulary[i] for i in np.frombuffer(places, "<u2")[[0, -1]]] == ["0", str(MOST_WORDS - 1)]
    with pytest.raises(ValueError, match=r"^maps\.words: at most 65536"):
        pack_words(np.append(words, [["one more"]], axis=1))


def test_a_block_lists_where_its_sections_lie():
    sections = {"one": b"abc", "two": b"", "three": b"defgh"}
    sent = block({"size": [1, 2]}, sections)
    length = int.from_bytes(sent[:4], "little")
    header = json.loads(sent[4 : 4 + length])
    body = sent[4 + length :]
    assert header["size"] == [1, 2]
    for name, content in sections.items():
        place = header["sections"][name]
        assert body[place["start"] : place["start"] + place["length"]] == content


def test_a_region_counts_only_on_the_picture_it_was_drawn_on():
    drawn = {"picture": picture_id(b"one"), "cells": [5, 2, 9]}
    assert module._selection(drawn, picture_id(b"one"), 6) == Selection((2, 5))
    assert module._selection(drawn, picture_id(b"two"), 6) == Selection()
    assert module._selection(None, picture_id(b"one"), 6) == Selection()


GOOD = Maps(("layer 0", "layer 1"), np.full((2, 1, 3), 0.1), 1)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("boxes", {"boxes": BOXES[:, [2, 1, 0, 3]]}),
        ("region", {"region": (3,)}),
        ("default_slice", {"default_slice": 2}),
        ("tools", {"tools": ("lasso",)}),
        ("tokens", {"tokens": (Token("a", "image", (3,)),)}),
        ("tokens", {"tokens": (Token("a", "title"),)}),  # type: ignore[arg-type]
        ("maps.values", {"maps": Maps(("layer 0",), np.zeros((2, 1, 3)), 1)}),
        ("maps.values", {"maps": Maps(("layer 0",), np.full((1, 1, 3), -0.1), 1)}),
        ("maps.tokens", {"maps": Maps(("layer 0",), np.zeros((1, 1, 3)), 1, None, (0,))}),
        ("maps.words", {"maps": replace(GOOD, words=np.full((2, 1, 3), "red"))}),
        ("maps.words", {"maps": replace(GOOD, words=np.array([["red", "blue", None]] * 2))}),
        ("maps.token_rows", {"maps": Maps(("layer 0",), np.zeros((1, 1, 3)), 1, np.zeros((1, 1, 3)), (7,))}),
    ],
)
def test_an_argument_that_does_not_fit_is_named(name, changed):
    arguments = {"boxes": BOXES, "maps": GOOD, "tokens": (Token("a", "question"),)} | changed
    with pytest.raises(ValueError, match=f"^{name}"):
        picture(b"", **arguments, size=(16, 16), key="k")
