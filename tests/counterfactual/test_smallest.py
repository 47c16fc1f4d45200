"""The smallest flip, on models that answer as we say and on the lab's: minimal, where the thing is, honest in words."""

import json

import numpy as np
import pytest
from PIL import Image

from vlmlens.counterfactual import blurred, mean_colour, smallest
from vlmlens.counterfactual.smallest import patch_mask
from vlmlens.errors import NotApplicable
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.progress import Cancelled, Progress

QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
MIDDLE = {14, 15, 20, 21}  # patches of the board's middle cell, of 6 x 6


class Rule:
    """Answers from which of 6 x 6 patches of a white picture are black; counts what it is asked."""

    items_at_once = 10

    def __init__(self, score):
        self.score, self.asked = score, 0

    def probabilities(self, pictures, questions):
        self.asked += len(pictures)
        scores = []
        for picture in pictures:
            pixels = np.asarray(picture)
            pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
            scores.append(self.score({int(i) for i in np.flatnonzero(pixels[5::10, 5::10] < 100)}))
        p = 1 / (1 + np.exp(-np.array(scores)))
        return np.stack([1 - p, p], axis=1)

    def image(self, picture):
        return picture

    def answer_text(self, candidate):
        return ("old", "new")[candidate]


WHITE = Image.new("RGB", (60, 60), "white")


def black(image, mask):
    return Image.fromarray(np.where(mask[..., None], 0, np.asarray(image)).astype(np.uint8))


def last(*args, **options):
    *_, found = smallest(*args, **options)
    return found


def test_exactly_the_planted_patches_are_found():
    rule = Rule(lambda gone: 4.0 * len(gone & {3, 17, 30}) - 10)
    found = last(rule, WHITE, QUESTION, black)
    assert set(found.patches) == {3, 17, 30}
    assert (found.answer, found.new_answer, found.stage) == ("old", "new", "done")
    assert found.margin == pytest.approx(2, abs=1e-6)
    np.testing.assert_array_equal(np.asarray(found.picture)[..., 0] == 0, found.mask((60, 60)))


def test_what_can_be_put_back_is_put_back():
    """Patch 0 looks best at first and turns out to be needless."""
    rule = Rule(lambda gone: -5.0 + 2 * (0 in gone) + (1.5 + (len(gone & {7, 8}) == 2) * 3.5) * len(gone & {7, 8}))
    stages = list(smallest(rule, WHITE, QUESTION, black, orders=0))
    assert 0 in next(state for state in stages if state.flipped).patches
    assert set(stages[-1].patches) == {7, 8}
    assert any(state.stage == "putting back" for state in stages)


def test_the_control_is_each_orders_first_flip():
    """Five patches of any kind flip the answer, seven flip it back: nothing is assumed of what comes after."""
    rule = Rule(lambda gone: 1.0 if len(gone) in (5, 6) else len(gone) / 10 - 2)
    found = last(rule, WHITE, QUESTION, black, orders=4)
    assert found.random == (5, 5, 5, 5)
    assert found.random_median == 5
    wanted = {2, 9}
    rule = Rule(lambda gone: 1.0 if wanted <= gone else -1.0 + 0.1 * len(gone & wanted))
    found = last(rule, WHITE, QUESTION, black, orders=9, seed=3)
    rng = np.random.default_rng(3)
    expected = [
        max(list(order).index(patch) for patch in wanted) + 1 for order in (rng.permutation(36) for _ in range(9))
    ]
    assert list(found.random) == expected
    assert found.sentence() == (
        f"Filling 2 of 36 patches turns “old” into “new”; in random order it takes {np.median(expected):g} "
        f"(median of 9 orders, {min(expected)} to {max(expected)})."
    )


def test_an_answer_that_never_flips_is_a_result():
    rule = Rule(lambda gone: -3.0 + 0.01 * len(gone))
    found = last(rule, WHITE, QUESTION, black, shape=(2, 3), orders=3)
    assert not found.flipped
    assert len(found.patches) == found.count == 6
    assert found.random == (None, None, None)
    assert found.sentence() == "“old” stays however many patches the search fills, up to all 6."
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["new_answer"] is None


def test_a_flip_by_noise_alone_is_told():
    rule = Rule(lambda gone: 1e-9 if gone else -1e-9)
    assert last(rule, WHITE, QUESTION, black).within_noise
    assert "noise that nobody sees" in last(rule, WHITE, QUESTION, black).sentence()


def test_no_set_is_asked_twice():
    rule = Rule(lambda gone: 4.0 * len(gone & {3, 17}) - 6)
    last(rule, WHITE, QUESTION, black, orders=0)
    once = 1 + 36 + 35 + 2  # the picture, each patch, each second one; the pair without either is known
    assert once - 2 <= rule.asked - 6 <= once  # and six for the noise floor


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_the_things_patches_are_in_it_and_none_can_be_spared(model, name):
    vlm = model(name)
    found = last(vlm, RED, QUESTION)
    assert set(found.patches) & MIDDLE
    assert vlm.answer_many([found.picture], [QUESTION]) == [found.new_answer]
    image = vlm.image(RED)
    for spared in found.patches:
        fewer = [patch for patch in found.patches if patch != spared]
        shown = mean_colour(image, patch_mask(fewer, found.shape, image.size)) if fewer else image
        assert vlm.answer_many([shown], [QUESTION]) == ["red"]
    assert found.random_median > len(found.patches)


def test_fills_touch_the_masked_pixels_only():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    mask = rng.random((20, 30)) < 0.3
    for fill in (mean_colour, blurred):
        after = np.asarray(fill(image, mask))
        np.testing.assert_array_equal(after[~mask], np.asarray(image)[~mask])
        assert (after[mask] != np.asarray(image)[mask]).any()
    assert len(np.unique(np.asarray(mean_colour(image, mask))[mask], axis=0)) == 1


def test_it_can_be_cancelled_and_refuses_more_patches_than_pixels():
    progress = Progress()
    search = smallest(Rule(lambda gone: -1.0), WHITE, QUESTION, black, progress=progress)
    next(search)
    progress.cancel()
    with pytest.raises(Cancelled):
        next(search)
    with pytest.raises(NotApplicable, match="1 x 1 pixels has no 6 x 6 patches"):
        last(Rule(lambda gone: -1.0), Image.new("RGB", (1, 1)), QUESTION, black)
