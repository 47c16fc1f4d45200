"""Strength sweeps: every point is one question asked alone, and flips lie where they were planted."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from vlmlens.counterfactual import dose, swept
from vlmlens.counterfactual.dose import levels
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models import as_image
from vlmlens.perturb import Region, Step, run
from vlmlens.progress import Cancelled, Progress

QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"),))
GREEN = RED.edit(4, color="green")


def fade(strength):
    return Image.blend(as_image(RED), as_image(GREEN), strength)


@pytest.mark.parametrize("points", [2, 3, 4, 7, 21, 40])
def test_points_come_coarse_to_fine_and_each_once(points):
    order = levels(points)
    assert {0, points - 1} <= set(order[0])
    assert sorted(i for level in order for i in level) == list(range(points))
    gaps = []
    known = []
    for level in order:
        known += level
        gaps.append(max(np.diff(sorted(known))))
    assert all(after <= (before + 1) // 2 for before, after in pairwise(gaps))


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_the_curve_fills_in_and_every_point_is_a_question_of_its_own(model, name):
    vlm = model(name)
    growing = list(dose(vlm, fade, QUESTION, points=9))
    assert [len(curve.strengths) for curve in growing] == [3, 5, 9]
    assert [curve.complete for curve in growing] == [False, False, True]
    last = growing[-1]
    np.testing.assert_array_equal(last.strengths, np.linspace(0, 1, 9))
    for curve in growing:
        for strength, p, best, best_p in zip(
            curve.strengths, curve.probability, curve.best, curve.best_probability, strict=True
        ):
            (alone,) = vlm.probabilities([fade(strength)], [QUESTION])
            trace = vlm.inspect(fade(strength), QUESTION, new_tokens=0)
            assert best_p == pytest.approx(alone.max(), abs=1e-5)
            assert best == vlm.answer_text(int(alone.argmax()))
            assert p == pytest.approx(alone[int(vlm.probabilities([RED], [QUESTION]).argmax())], abs=1e-5)
            assert trace.answers[0].probability == pytest.approx(best_p, abs=1e-5)


def test_flips_lie_between_the_points_around_the_planted_one(concat):
    planted = 0.33
    *_, curve = dose(concat, lambda strength: GREEN if strength > planted else RED, QUESTION)
    (flip,) = curve.flips
    assert (flip.before, flip.after) == ("red", "green")
    assert (flip.low, flip.high) == (pytest.approx(0.3), pytest.approx(0.35))
    assert curve.sentence() == "“red” becomes “green” between strength 0.3 and 0.35."
    assert json.loads(json.dumps(curve.to_dict()))["flips"][0]["after"] == "green"


def test_a_change_that_does_nothing_has_no_flip(concat):
    *_, curve = dose(concat, lambda strength: RED, QUESTION, points=5)
    assert curve.flips == ()
    assert curve.sentence().startswith("“red” stays from strength 0 to 1")


def test_it_stops_when_asked_and_refuses_one_point(concat):
    progress = Progress()
    curve = dose(concat, fade, QUESTION, progress=progress)
    next(curve)
    progress.cancel()
    with pytest.raises(Cancelled):
        next(curve)
    with pytest.raises(ValueError, match="2 or more"):
        next(dose(concat, fade, QUESTION, points=1))


def test_one_change_of_a_stack_is_swept_and_the_others_stay(concat):
    steps = [Step("contrast", 0.2), Step("hue", 0.5, region=Region.box(0.3, 0.3, 0.7, 0.7)), Step("noise", 0.1, seed=3)]
    picture_at = swept(as_image(RED), steps, which=1)
    for strength in (0.0, 0.3, 1.0):
        whole = run(as_image(RED), [steps[0], replace(steps[1], strength=strength), steps[2]]).image
        np.testing.assert_array_equal(picture_at(strength), whole)
    *_, curve = dose(concat, picture_at, QUESTION, points=5)
    assert curve.complete
