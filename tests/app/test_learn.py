"""The Learn page without a browser: predictions are kept, judged by the run, and come before what they are about."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens import classroom
from vlmlens.lessons import OWN, run, shelf

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.run()
    for name, value in link.items():
        at.query_params[name] = value
    return settled(at.switch_page(str(ROOT / "app_pages" / "learn.py")).run())


def settled(at: AppTest) -> AppTest:
    """Until no bar is drawn."""
    for _ in range(200):
        if not any(button.label == "Cancel" for button in at.button):
            return at
        time.sleep(0.2)
        at.run()
    raise AssertionError("still busy")


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


def step_of(at: AppTest) -> str:
    return next(caption.value for caption in at.caption if caption.value.startswith("Step "))


def test_every_lesson_is_on_the_list_with_its_question():
    text = told(start())
    for lesson in shelf().lessons.values():
        assert lesson.title in text
        assert lesson.question in text


def test_a_prediction_is_committed_once_and_judged_by_the_run():
    at = start(lesson="xor")
    assert step_of(at) == "Step 1 of 7"
    settled(at.button(key="lesson-next").click().run())
    assert at.button(key="lesson-next").disabled
    assert at.button(key="commit-xor-1").disabled  # nothing chosen yet
    at.radio(key="predict-xor-1").set_value("much").run()
    settled(at.button(key="commit-xor-1").click().run())
    assert at.radio(key="predict-xor-1").disabled
    assert not any(button.label == "Commit" for button in at.button)
    settled(at.button(key="lesson-next").click().run())
    lesson = shelf().lessons["xor"]
    judged = lesson.steps[1].judge("much", run(lesson.steps[2].call).numbers)
    assert judged.right is False
    assert judged.sentence in told(at)
    assert "✕ Otherwise" in told(at)
    settled(at.button(key="lesson-back").click().run())
    assert at.radio(key="predict-xor-1").value == "much"


def test_what_follows_a_prediction_is_not_opened_before_it():
    at = start(lesson="xor", step="6")
    assert step_of(at) == "Step 2 of 7"
    assert any("Commit to a prediction first" in info.value for info in at.info)


def test_nothing_is_lost_when_the_page_changes():
    at = start(lesson="xor", step="2")
    at.radio(key="predict-xor-1").set_value("nothing").run()
    settled(at.button(key="commit-xor-1").click().run())
    settled(at.button(key="lesson-next").click().run())
    at.switch_page(str(ROOT / "app_pages" / "tokens.py"))
    settled(at.switch_page(str(ROOT / "app_pages" / "learn.py")).run())
    assert step_of(at) == "Step 3 of 7"
    assert "✓ As predicted" in told(at)


def test_a_slider_is_judged_by_its_distance_and_a_try_follows_its_parameters():
    at = start(lesson="small-samples", step="2")
    at.slider(key="predict-small-samples-1").set_value(1.0).run()
    settled(at.button(key="commit-small-samples-1").click().run())
    settled(at.button(key="lesson-next").click().run())
    assert "you said **1.00**" in told(at)
    at.query_params["step"] = "5"
    settled(at.run())
    before = told(at)
    at.selectbox(key="try-small-samples-4-truth").set_value("independent").run()
    assert told(settled(at)) != before
    assert "True: 0.00 bits" in told(at)


def test_notes_are_for_the_teacher_alone_who_may_open_any_step():
    assert "stairway" not in told(start(lesson="xor"))
    at = start(lesson="xor", step="6", teacher="1")
    assert "stairway" in told(at)
    assert step_of(at) == "Step 6 of 7"


def test_an_unknown_lesson_and_an_odd_step_are_told_or_mended():
    assert any("There is no lesson “zebra”" in info.value for info in start(lesson="zebra").info)
    assert step_of(start(lesson="xor", step="0")) == "Step 1 of 7"
    assert step_of(start(lesson="xor", step="-9e9")) == "Step 1 of 7"


def test_a_broken_lesson_is_named_with_its_line_and_the_others_stay(tmp_path, monkeypatch):
    whole = next(iter(ROOT.glob("assets/lessons/xor.md"))).read_text()
    (tmp_path / "broken.md").write_text(whole.replace("gate gate=XOR", "sonk"))
    monkeypatch.setenv(OWN, str(tmp_path))
    at = start()
    assert not at.exception
    assert any("broken.md, line" in error.value and "no figure is named “sonk”" in error.value for error in at.error)
    assert any("What synergy is" in markdown.value for markdown in at.markdown)


@pytest.fixture
def opened():
    found = classroom.open_class()
    yield found
    classroom.end(found.code, found.key)


def test_in_a_class_a_prediction_is_counted_and_the_reveal_may_wait(opened):
    classroom.hold(opened.code, opened.key, True)
    at = start(**{"lesson": "xor", "step": "2", "class": opened.code})
    at.radio(key="predict-xor-1").set_value("much").run()
    settled(at.button(key="commit-xor-1").click().run())
    assert dict(classroom.tally(opened.code, "xor", 1, opened.key).counts) == {"much": 1}
    settled(at.button(key="lesson-next").click().run())
    assert any("Your teacher opens the reveal" in info.value for info in at.info)
    assert "Otherwise" not in told(at)
    classroom.release(opened.code, opened.key, "xor", 1)
    assert "✕ Otherwise" in told(settled(at.run()))
