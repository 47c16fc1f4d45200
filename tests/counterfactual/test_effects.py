"""Effects of words and parts of the picture, against one knock-out at a time, and where we know what did it."""

import numpy as np
import pytest

from vlmlens.counterfactual import Effects, effects, effects_before_and_after, paired
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.trace import Knockout, Segment

QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
GREEN = RED.edit(4, color="green")
MIDDLE = 4  # of nine parts


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava", "a folder"])
def test_each_effect_is_a_pass_of_its_own(model, name):
    vlm = model(name)
    found = effects(vlm, RED, QUESTION)
    ready = vlm.prepare(vlm.image(RED), QUESTION)
    asked = np.flatnonzero(ready.segments == Segment.QUESTION)
    with vlm.lock:
        plain = vlm.run(ready, None)[0][0].double()
        best = int(plain.argmax())

        def odds(keys):
            p = vlm.run(ready, None, [Knockout(keys)])[0][0].double().softmax(-1)
            return float(p[best].log() - (1 - p[best]).log())

        hidden = [np.isin(np.arange(ready.length), [position]) for position in asked]
        hidden += [np.isin(np.arange(ready.length), ready.grid.positions[list(cells)]) for cells in found.regions]
        np.testing.assert_allclose(found.hidden, [odds(keys) for keys in hidden], atol=2e-3)
    assert found.answer == vlm.answer_text(best)
    assert sorted(cell for cells in found.regions for cell in cells) == list(range(ready.grid.cells))


def test_the_part_where_the_thing_stands_did_it(knows):
    change = effects_before_and_after(knows, (RED, QUESTION), (GREEN, QUESTION))
    assert (change.answer, change.against) == ("red", "green")
    parts = [pair for pair in change.pairs if pair.name.startswith("picture")]
    before, after = ([getattr(pair, run) for pair in parts] for run in ("before", "after"))
    assert int(np.argmax(before)) == MIDDLE
    assert int(np.argmin(after)) == MIDDLE
    assert parts[MIDDLE].name == "picture, middle center"
    assert before[MIDDLE] > 0 > after[MIDDLE]


def test_the_word_that_was_replaced_did_it(llava):
    change = effects_before_and_after(llava, (RED, QUESTION), (RED, QUESTION.replace("circle", "square")))
    assert (change.answer, change.against) == ("red", "blue")
    assert "circle → square changed the most" in change.sentence()
    assert len(change.to_frame()) == len(change.pairs)


def made(words, effects_of_words, parts=(1, 1)):
    count = parts[0] * parts[1]
    hidden = -np.array([*effects_of_words, *[0.0] * count])
    return Effects("red", None, tuple(words), parts, tuple((i,) for i in range(count)), 0.0, hidden)


def test_words_are_paired_by_what_the_questions_share():
    before = made(("what", "color", "is", "the", "circle"), (1, 2, 3, 4, 5))
    after = made(("what", "color", "is", "the", "red", "square", "now"), (10, 20, 30, 40, 50, 60, 70), (1, 2))
    told = [(pair.name, pair.before, pair.after) for pair in paired(before, after).pairs]
    assert told[:4] == [("what", 1, 10), ("color", 2, 20), ("is", 3, 30), ("the", 4, 40)]
    assert told[4:7] == [("circle → red", 5, 50), ("square", None, 60), ("now", None, 70)]
    assert told[7:] == [("picture", 0, None), ("picture, left", None, 0), ("picture, right", None, 0)]  # no pair


def test_for_a_blind_model_no_part_of_the_picture_did_anything(model):
    change = effects_before_and_after(model("planted:blind"), (RED, QUESTION), (GREEN, QUESTION))
    assert change.sentence() == f"For “{change.answer}”, the effect of no word and no part changed by 0.1 nats."
    parts = [pair for pair in change.pairs if pair.name.startswith("picture")]
    np.testing.assert_allclose([(pair.before, pair.after) for pair in parts], 0, atol=1e-4)
