"""Questions: what each means on any scene, how people may spell them, and which can be suggested."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import ANSWERS, KINDS, SYNONYMS, all_questions, by_text, normalise, suggestions
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.lab.text import IDS, MOST_WORDS, encode, known_words


def test_answers_follow_from_the_words(any_scene, answer_by_reading):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(any_scene)
    def check(scene):
        for question in all_questions():
            assert question.answer(scene) == answer_by_reading(question.text, scene)

    check()


def test_answers_are_candidates(any_scene):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(any_scene)
    def check(scene):
        for question in all_questions():
            assert question.answer(scene) in (None, *question.candidates)

    check()
    assert set(ANSWERS) == {answer for question in all_questions() for answer in question.candidates}
    assert len(ANSWERS) == len(set(ANSWERS))


def test_what_is_not_spoken_of_does_not_matter(any_scene):
    """Take away every thing outside the relevant cells: the answer stays, except to what counts all."""

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(any_scene)
    def check(scene):
        for question in all_questions():
            relevant = question.relevant(scene)
            for cell in relevant:
                assert any(pattern.matches(scene.at(cell)) for pattern in question.about)
            bare = scene
            for thing in scene.things:
                if thing.cell not in relevant:
                    bare = bare.without(thing.cell)
            assert question.answer(bare) == question.answer(scene)

    check()


def test_a_question_without_its_thing_or_with_two_has_no_answer():
    question = by_text()["what color is the circle"]
    one = Scene((Thing(4, "red", "circle", "large"),))
    assert question.answer(one) == "red"
    assert question.answer(one.without(4)) is None
    assert question.answer(one.add(Thing(0, "blue", "circle", "small"))) is None


def test_texts_are_all_different_and_lab_words():
    texts = [question.text for question in all_questions()]
    assert len(set(texts)) == len(texts) == len(by_text())
    for text in texts:
        assert normalise(text) == text
        assert known_words(text + "?") == text.split()
        assert len(text.split()) <= MOST_WORDS
    assert {question.kind for question in all_questions()} == set(KINDS)


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("What COLOUR is the disc?", "what color is the circle"),
        ("Is there an orange star", "is there a orange star"),
        ("how many  things are there?!", "how many objects are there"),
        ("what size is the violet one?", "what size is the purple object"),
        ("\tWhich column is the\nred thing in …", "which column is the red object in"),
    ],
)
def test_people_may_spell_as_they_like(spelling, text):
    assert normalise(spelling) == text


def test_synonyms_lead_to_words_that_the_lab_knows_or_answers():
    for word, known in SYNONYMS.items():
        assert known in IDS or known in ANSWERS
        assert word not in IDS


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text_is_spelt_out_or_refused(text):
    try:
        spelt = normalise(text)
    except QuestionError:
        return
    assert spelt.split() == spelt.split(" ")
    assert normalise(spelt) == spelt


@pytest.mark.parametrize("text", ["", "   ", "?!…", "x" * 501])
def test_nothing_and_too_much_are_refused(text):
    with pytest.raises(QuestionError):
        normalise(text)


def test_words_are_padded_and_never_guessed():
    ids = encode(["is there a red star", "what color is the circle?", "how many objects are there"])
    assert ids.shape == (3, 5)
    assert (ids > 0).all()
    assert encode(["is there a red star", "is the circle left of the star"])[0].tolist()[5:] == [0, 0]
    with pytest.raises(QuestionError, match="zebra"):
        known_words("is there a zebra")
    with pytest.raises(QuestionError, match="12 words"):
        known_words("is " * 13)


def test_suggestions_can_be_asked(any_scene):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(any_scene)
    def check(scene):
        found = suggestions(scene)
        assert 0 < len(found) <= 8
        assert len(set(found)) == len(found)
        for text in found:
            assert by_text()[normalise(text)].answer(scene) is not None
        assert len(suggestions(scene, most=3)) <= 3

    check()
