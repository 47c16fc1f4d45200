"""Every ensemble begins with the person's own picture or question, varies, and is the same for the same seed."""

import numpy as np
import pytest

from vlmlens.information.ensembles import MOST_QUESTIONS, PICTURE_SETS, QUESTION_SETS
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.sample import crossed
from vlmlens.models import as_image

SCENE = crossed(7, 1)[0][0]
QUESTION = "what color is the star?"


@pytest.mark.parametrize("name", PICTURE_SETS)
@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_pictures_begin_with_the_own_one_and_vary(name, strength):
    made = PICTURE_SETS[name].make(SCENE, strength, 3)
    assert made[0] == SCENE
    own, others = np.asarray(as_image(SCENE)), [np.asarray(as_image(picture)) for picture in made[1:]]
    assert len(others) >= 8
    assert sum(not np.array_equal(own, other) for other in others) >= len(others) - 2  # a weak flip changes nothing
    again = [np.asarray(as_image(picture)) for picture in PICTURE_SETS[name].make(SCENE, strength, 3)[1:]]
    assert all(np.array_equal(a, b) for a, b in zip(others, again, strict=True))


@pytest.mark.parametrize("name", [name for name, row in PICTURE_SETS.items() if not row.lab])
def test_any_picture_will_do(name):
    image = as_image(SCENE).resize((150, 90))
    assert {as_image(picture).size for picture in PICTURE_SETS[name].make(image, 0.5, 0)} >= {(150, 90)}


@pytest.mark.parametrize("name", QUESTION_SETS)
def test_questions_begin_with_the_own_one_and_differ(name):
    made = QUESTION_SETS[name].make(QUESTION, SCENE)
    assert made[0] == QUESTION
    assert 2 <= len(set(made)) == len(made) <= MOST_QUESTIONS


def test_questions_of_the_same_kind_are_of_the_same_kind():
    made = QUESTION_SETS["same kind"].make(QUESTION, SCENE)
    assert {by_text()[normalise(text)].kind for text in made} == {"color"}
    assert len({by_text()[normalise(text)].kind for text in QUESTION_SETS["any kind"].make(QUESTION, SCENE)}) > 4
