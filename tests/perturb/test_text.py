"""Changes of words: nothing at strength 0, the same for the same seed, as many words as were asked for."""

import pytest

from vlmlens.errors import QuestionError
from vlmlens.perturb import TEXT, apply_text
from vlmlens.perturb.text import NEUTRAL

QUESTION = "What color is the large circle? Options: red, blue, green"
GIVEN = {"hint": {"hint": "The circle is green."}}


@pytest.mark.parametrize("name", TEXT)
def test_every_row_keeps_its_promises(name):
    row, given = TEXT[name], GIVEN.get(name, {})
    assert row.name == name
    assert row.sentence.endswith(".")
    assert apply_text(name, QUESTION, 0.0, **given) == QUESTION
    found = [apply_text(name, QUESTION, 1.0, seed, **given) for seed in range(6)]
    assert all(text != QUESTION for text in found)
    assert found == [apply_text(name, QUESTION, 1.0, seed, **given) for seed in range(6)]
    if name != "synonym":  # all of the words at strength 1
        assert (len(set(found)) > 1) == row.random
    with pytest.raises(QuestionError, match="from 0 to 1"):
        apply_text(name, QUESTION, 1.5)
    with pytest.raises(QuestionError, match="takes no nonsense"):
        apply_text(name, QUESTION, 1.0, nonsense=1)


def test_an_unknown_row_is_refused_with_the_known_ones():
    with pytest.raises(QuestionError, match=r"called rhyme; there are hint, filler"):
        apply_text("rhyme", QUESTION)


def test_a_hint_stands_before_or_after():
    assert apply_text("hint", "Is it red?", hint=" It is blue. ") == "It is blue. Is it red?"
    assert apply_text("hint", "Is it red?", hint="It is blue.", place="after") == "Is it red? It is blue."
    assert apply_text("hint", "Is it red?", hint="  ") == "Is it red?"
    with pytest.raises(QuestionError, match="before or after"):
        apply_text("hint", "Is it red?", hint="No.", place="inside")


@pytest.mark.parametrize("place", ["before", "after"])
def test_filler_has_exactly_as_many_words_as_are_asked_for(place):
    for words in (0, 1, 2, 3, 5, 8, 9, 17, 40, 200):
        text = apply_text("filler", "Is it red?", seed=words, words=words, place=place)
        assert len(text.split()) == words + 3
        kept = text.split()[-3:] if place == "before" else text.split()[:3]
        assert kept == ["Is", "it", "red?"]
        filling = text.replace("Is it red?", "").strip()
        assert filling == "" or filling.endswith(".")  # whole sentences
    assert len(apply_text("filler", "Is it red?", 0.5, words=40).split()) == 23


def test_filler_takes_the_sentences_it_is_given():
    text = apply_text("filler", "is it red?", words=7, sentences=("there is the object", "the large circle"))
    assert set(text.split()[:7]) <= {"there", "is", "the", "object", "large", "circle"}
    assert len(text.split()) == 10
    for bad in ({"sentences": ()}, {"sentences": (" ",)}, {"words": -1}, {"words": 10_001}):
        with pytest.raises(QuestionError):
            apply_text("filler", "is it red?", **bad)


def test_neutral_sentences_come_in_every_length():
    assert {len(sentence.split()) for sentence in NEUTRAL} == set(range(1, 9))


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("is there a red circle?", "is there no red circle?"),
        ("Are there any dogs?", "Are there no dogs?"),
        ("is the circle left of the square?", "is the circle not left of the square?"),
        ("Is the cat on the table?", "Is the cat not on the table?"),
        ("what color is the circle?", "what color is not the circle?"),
        ("Does it fly?", "Does it not fly?"),
    ],
)
def test_negation(question, negated):
    assert apply_text("negation", question) == negated
    assert apply_text("negation", question, 0.4) == question


def test_what_has_no_verb_cannot_be_negated():
    with pytest.raises(QuestionError, match="rephrase"):
        apply_text("negation", "Color?")


def test_synonyms_replace_a_growing_part_and_keep_capitals():
    assert apply_text("synonym", "Large circle, large square?") == "Big disc, big box?"
    half = {apply_text("synonym", "large circle", 0.5, seed) for seed in range(9)}
    assert half == {"big circle", "large disc"}
    assert apply_text("synonym", "why?") == "why?"
    assert apply_text("synonym", "a dog", synonyms={"dog": "hound"}) == "a hound"
    assert apply_text("synonym", "a dog", synonyms={}) == "a dog"


def test_answers_change_their_order_and_nothing_else_does():
    assert apply_text("options", QUESTION, rotation=1) == "What color is the large circle? Options: blue, green, red"
    assert apply_text("options", QUESTION, rotation=3) == QUESTION
    assert apply_text("options", "Which? Choices: a, b. Answer.", seed=1) == "Which? Choices: b, a. Answer."
    orders = {apply_text("options", QUESTION, seed=seed) for seed in range(40)}
    assert len(orders) == 5  # of 6, without the one that was there
    assert apply_text("options", "Which?", choices=("x", "y"), rotation=1) == "Which? Options: y, x"
    for question in ("Which?", "Which? Options: red"):
        with pytest.raises(QuestionError, match="list them"):
            apply_text("options", question)
