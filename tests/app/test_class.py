"""A class on the Learn page, without a browser: a teacher and learners in sessions of their own, one process."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens import classroom
from vlmlens.lessons import Lesson, parse

ROOT = Path(__file__).resolve().parents[2]
TEXT = """---
title: Two switches
question: What does one of them tell?
level: first steps
minutes: 2
---

## pose: A lamp

It has two switches.

## predict: One switch
right: much when image > 0.75; nothing when image < 0.05

How much does one of them tell?

- much: Nearly all of it
- nothing: Nothing at all

## reveal: The gate
figure: gate gate=XOR

THE TRUTH: {image:.2f} bits.

## predict: Both
right: together within 0.1
slider: 0 to 1 step 0.1

How many bits do both tell?

## reveal: Both of them
figure: gate gate=XOR

Both: {together:.2f} bits.

## explain: Both

What both tell and neither does.

## teacher: Notes

Think of stairs.
"""


@pytest.fixture(autouse=True)
def lessons(monkeypatch) -> Lesson:
    """One short lesson on the shelf, whatever ships."""
    from vlmlens.lessons import Shelf
    from vlmlens.ui import learn

    lesson = parse(TEXT, "switches.md", "switches")
    lesson = replace(lesson, steps=lesson.steps[1:-1])  # begin with the prediction
    monkeypatch.setattr(learn, "shelf", lambda: Shelf({"switches": lesson}, {}))
    return lesson


@pytest.fixture
def opened():
    opened = classroom.open_class()
    yield opened
    if len(classroom.HERE) and opened.code in classroom.HERE._classes:
        classroom.end(opened.code, opened.key)


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.run().switch_page(str(ROOT / "app_pages" / "learn.py"))
    at.query_params.update(link)
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return at


def told(at: AppTest) -> str:
    kinds = (at.markdown, at.info, at.caption, at.code)
    return "\n".join(each.value for kind in kinds for each in kind)


def press(at: AppTest, key: str) -> AppTest:
    return clean(at.button(key=key).click().run())


def predict(at: AppTest, choice: str) -> AppTest:
    at.radio(key="predict-switches-0").set_value(choice).run()
    return press(at, "commit-switches-0")


def test_a_teacher_opens_a_class_and_gets_a_code_and_a_link():
    at = start(teacher="1")
    assert "nothing is written to a disk" in told(at)
    press(at, "class-open")
    opened = at.session_state["class-taught"]
    try:
        assert f"/learn?class={opened.code}" in at.code[0].value
        assert opened.key not in told(at)
        assert "Nobody has joined yet" in told(at)
        assert "Only this machine can open it so far" in told(at)  # this server listens to itself alone
    finally:
        classroom.end(opened.code, opened.key)


def test_predictions_come_in_as_bars_and_the_teacher_sees_who_is_where(opened):
    learners = [start(**{"class": opened.code, "lesson": "switches"}) for _ in range(3)]
    for at, choice in zip(learners, ("much", "nothing"), strict=False):
        predict(at, choice)
    press(learners[0], "lesson-next")
    at = start(teacher="1", lesson="switches", **{"class": opened.code, "key": opened.key})
    assert "2 of 3 learners have predicted; as many chose “Nearly all of it” as “Nothing at all”, 1 each." in told(at)
    bars = at.get("vega_lite_chart")[0].proto.alt
    assert "Nearly all of it 1, Nothing at all 1" in bars
    where = at.dataframe[0].value
    assert dict(zip(where["step"], where["learners here"], strict=True)) == {"1 · One switch": 2, "2 · The gate": 1}
    assert list(where["predicted"]) == ["2", ""]
    assert "Think of stairs." in told(at)


def test_a_held_reveal_waits_for_the_teacher(opened):
    classroom.hold(opened.code, opened.key)
    at = predict(start(**{"class": opened.code, "lesson": "switches"}), "nothing")
    press(at, "lesson-next")
    assert "Your teacher opens the reveal" in told(at)
    assert "THE TRUTH" not in told(at)
    teacher = start(teacher="1", lesson="switches", **{"class": opened.code, "key": opened.key})
    assert teacher.toggle(key="class-hold").value
    press(teacher, "class-release")
    assert "The reveal of this prediction is open" in told(teacher)
    assert "THE TRUTH: 0.00 bits" in told(clean(at.run()))
    assert "✓ As predicted" in told(at)


def test_after_the_reveal_a_learner_sees_the_class_and_not_before(opened):
    others = [classroom.join(opened.code) for _ in range(4)]
    for who in others[:3]:
        classroom.commit(opened.code, "switches", 0, who, "much")
    at = start(**{"class": opened.code, "lesson": "switches"})
    assert "Your class" not in told(at)
    predict(at, "nothing")
    assert "Your class" not in told(at)
    press(at, "lesson-next")
    assert "Your class: 4 of 5 learners have predicted; 3 of these 4 chose “Nearly all of it”" in told(at)
    drawn = [each.proto.alt for each in at.get("vega_lite_chart")]
    assert any("Nearly all of it 3, Nothing at all 1; the run found Nothing at all" in alt for alt in drawn)


def test_a_number_from_a_slider_is_counted_in_its_range(opened):
    at = predict(start(**{"class": opened.code, "lesson": "switches"}), "nothing")
    press(press(at, "lesson-next"), "lesson-next")
    at.slider(key="predict-switches-2").set_value(0.9).run()
    press(at, "commit-switches-2")
    teacher = start(teacher="1", lesson="switches", step="3", **{"class": opened.code, "key": opened.key})
    assert "1 of 1 learners have predicted" in told(teacher)
    assert "0.9 to 1 1" in teacher.get("vega_lite_chart")[0].proto.alt


def test_a_browser_that_is_loaded_anew_is_the_same_learner(opened):
    at = predict(start(**{"class": opened.code, "lesson": "switches"}), "nothing")
    me = at.session_state["class-joined"].who
    again = start(**{"class": opened.code, "me": me, "lesson": "switches"})
    assert classroom.where(opened.code, opened.key).learners == 1
    assert "You committed to this" in told(again)
    assert again.radio(key="predict-switches-0").value == "nothing"


def test_when_the_class_ends_learners_go_on_alone(opened):
    classroom.hold(opened.code, opened.key)
    at = predict(start(**{"class": opened.code, "lesson": "switches"}), "nothing")
    press(at, "lesson-next")
    teacher = start(teacher="1", lesson="switches", **{"class": opened.code, "key": opened.key})
    press(teacher, "class-end")
    assert f"Class {opened.code} is over; nothing of it is kept." in told(teacher)
    assert opened.code not in classroom.HERE._classes
    clean(at.run())
    assert f"Class **{opened.code}** is over and nothing of it is kept. You go on alone" in told(at)
    assert "THE TRUTH" in told(at)  # nobody holds it any more
    assert "class" not in at.query_params


@pytest.mark.parametrize("code", ["QQQQ", "x", "<b>", "é" * 400])
def test_a_wrong_code_is_a_sentence(code):
    at = start(**{"class": code})
    assert re.search("There is no class “.{1,12}”: it has ended, or the code was mistyped", told(at))
    assert at.button(key="open-switches")  # the lessons are there all the same


def test_the_key_of_another_class_opens_nothing(opened):
    at = start(teacher="1", **{"class": opened.code, "key": "wrong"})
    assert "Only the teacher of class" in told(at)
    assert at.button(key="class-open")


def test_a_code_is_typed_into_the_form(opened):
    at = start()
    at.text_input(key="class-typed").set_value(f" {opened.code.lower()} ")
    clean(next(button for button in at.button if button.label == "Join").click().run())
    assert f"Class **{opened.code}**" in told(at)
    assert classroom.where(opened.code, opened.key).learners == 1
    press(at, "class-leave")
    assert "You left the class" in told(at)


def test_no_code_is_a_sentence_too():
    at = start()
    clean(next(button for button in at.button if button.label == "Join").click().run())
    assert "Type the code" in told(at)


def test_the_teachers_view_is_found_and_left_on_the_page():
    at = start()
    press(at, "class-teach")
    assert at.button(key="class-open")
    press(at, "class-unteach")
    assert not any(button.key == "class-open" for button in at.button)


def test_a_lesson_without_predictions_says_so(opened, lessons, monkeypatch):
    from vlmlens.lessons import Shelf
    from vlmlens.ui import learn

    only: Lesson = replace(lessons, steps=lessons.steps[1:2])
    monkeypatch.setattr(learn, "shelf", lambda: Shelf({"switches": only}, {}))
    at = start(teacher="1", lesson="switches", **{"class": opened.code, "key": opened.key})
    assert "asks for no prediction" in told(at)
