"""Boards of any size: with three cells a side they are scenes, with more the same truths hold; local eyes."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import PictureError
from vlmlens.lab.boards import KINDS, Board, Placed, answer_on, board_items, render_board
from vlmlens.lab.draw import render_array
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.model import averaged
from vlmlens.lab.questions import all_questions
from vlmlens.lab.scenes import Thing
from vlmlens.lab.train_eyes import EYES, cells, train_eyes
from vlmlens.lab.vision import PATCH, WIDTH
from vlmlens.lab.weights import LabName, load_eyes

OF_PLACE = [question for question in all_questions() if question.kind in KINDS]


def test_three_cells_a_side_are_a_scene(any_scene):
    @settings(max_examples=20, deadline=None)
    @given(scene=any_scene, index=st.integers(0, len(OF_PLACE) - 1))
    def check(scene, index):
        board = Board.of(scene)
        assert np.array_equal(render_board(board), render_array(scene))
        assert answer_on(OF_PLACE[index], board) == OF_PLACE[index].answer(scene)

    check()


@pytest.mark.parametrize("side", [3, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_items_are_true_balanced_and_the_same_for_the_same_seed(side, kind):
    items = board_items(side, kind, 300)
    assert list(items) == list(board_items(side, kind, 300))
    assert all(answer_on(item.question, item.scene) == item.answer for item in items)
    shown = {placed.row for item in items for placed in item.scene.things}
    assert shown == set(range(side))
    for axis in ("row", "column"):
        own = [item.question.candidates.index(item.answer) for item in items if item.question.axis == axis]
        shares = np.bincount(own) / len(own)
        assert np.abs(shares - 1 / len(shares)).max() < 0.13


def test_edges_are_edges_and_the_rest_is_between():
    question = next(q for q in OF_PLACE if q.text == "which column is the red object in")
    columns = [Board(5, (Placed(Thing(0, "red", "star", "small"), 2, column),)) for column in range(5)]
    assert [answer_on(question, board) for board in columns] == ["left", "center", "center", "center", "right"]


@pytest.mark.parametrize(("side", "things"), [(2, ()), (9, ()), (4, ((4, 0),)), (4, ((0, 0), (0, 0))), (4, ((-1, 0),))])
def test_what_is_no_board_is_refused(side, things):
    with pytest.raises(PictureError):
        Board(side, tuple(Placed(Thing(0, "red", "star", "small"), *where) for where in things))


def test_other_questions_are_refused():
    question = next(q for q in all_questions() if q.kind == "count")
    with pytest.raises(ValueError, match="not one of place"):
        answer_on(question, Board(4))


class TestLocalEyes:
    def test_a_patch_is_seen_alone_wherever_it_stands(self):
        eyes = load_eyes()
        patch = torch.randint(0, 256, (PATCH, PATCH, 3), dtype=torch.uint8)
        for side in (6, 10):
            pixels = torch.zeros(side * side, side * PATCH, side * PATCH, 3, dtype=torch.uint8)
            for index in range(side * side):
                top, left = index // side * PATCH, index % side * PATCH
                pixels[index, top : top + PATCH, left : left + PATCH] = patch
            found = eyes(pixels)
            assert found.shape == (side * side, side * side, WIDTH)
            own = found[range(side * side), range(side * side)]
            torch.testing.assert_close(own, eyes(patch[None])[0].expand_as(own))

    def test_a_cell_is_the_mean_of_its_four_patches(self):
        features = torch.randn(2, 64, WIDTH)
        found = averaged(features, 3)  # as many patches a token as give the trained board three a side
        for row, column in ((0, 0), (1, 3), (3, 2)):
            four = [(2 * row + dy) * 8 + 2 * column + dx for dy in (0, 1) for dx in (0, 1)]
            torch.testing.assert_close(found[:, row * 4 + column], features[:, four].mean(1))

    def test_the_shipped_eyes_have_a_card_and_see(self):
        card = json.loads(LabName("local_eyes").card.read_text())
        assert card["cells_named_rightly"]["unseen"] > 0.99
        assert not any(value.requires_grad for value in load_eyes().parameters())

    def test_training_is_the_same_for_the_same_seed_and_learns(self):
        from dataclasses import replace

        recipe = replace(EYES, pool=2000, steps=12, batch=128)
        told: list[str] = []
        one, other = (train_eyes(3, recipe, told.append)[0].state_dict() for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)
        fresh = LocalEyes().state_dict()
        assert any(not torch.equal(one[name], fresh[name]) for name in one)

    def test_held_out_pairs_stay_out(self):
        from vlmlens.lab.scenes import COLORS, HELD_OUT_PAIRS, SHAPES

        def pairs(shown):
            return {(COLORS[c - 1], SHAPES[s - 1]) for c, s, _ in shown.tolist() if c}

        assert not pairs(cells(2000, 0)[1]) & HELD_OUT_PAIRS
        assert pairs(cells(500, 0, novel_pairs=True)[1]) == HELD_OUT_PAIRS
