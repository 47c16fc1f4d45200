"""Lesson files: what is right is read, whatever is wrong is told with file and line."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vlmlens.cli import main
from vlmlens.lessons import FIGURES, LessonError, files, parse, read, shelf
from vlmlens.lessons.shelf import OWN

GOOD = """---
title: A title
question: A question?
level: first steps
minutes: 5
---

## pose: First
figure: gate gate=AND noise=0.1

The total is {total:.2f} bits.

## predict: Second
right: largest of image, together by 0.01

Which is larger?

- image: the first
- together: both

## reveal: Third
figure: gate gate=XOR

when together > image: Together, {together:.2f}.

otherwise: The first, {image:.2f}.

## explain: Fourth

It was `{gate}`.

## try: Fifth
figure: gate
change: gate, noise

Now {together:.2f}.

## teacher: Notes

For the **teacher**.
"""


def lines_of(error: LessonError) -> list[int]:
    return [int(line.split("line ")[1].split(":")[0]) for line in str(error).splitlines()]


def line(text: str, within: str = GOOD) -> int:
    return within[: within.index(text)].count("\n") + 1


def test_a_right_file_is_read_whole():
    lesson = parse(GOOD, "x.md", "x")
    assert [step.kind for step in lesson.steps] == ["pose", "predict", "reveal", "explain", "try"]
    assert lesson.minutes == 5
    assert lesson.notes == "For the **teacher**."
    assert lesson.steps[0].call.settings == {"gate": "AND", "noise": 0.1}
    assert lesson.steps[2].call.settings["noise"] == FIGURES["gate"].settings({})["noise"]
    assert lesson.steps[1].options == {"image": "the first", "together": "both"}
    assert lesson.steps[4].change == ("gate", "noise")


def test_a_prediction_is_judged_by_the_next_reveal_and_speaks_of_what_was_shown():
    lesson = parse(GOOD)
    assert lesson.call_of(1) == lesson.steps[2].call
    assert lesson.spoken_of(1) == lesson.steps[0].call
    assert lesson.call_of(3) == lesson.steps[2].call
    assert lesson.predictions_of(2) == (1,)


BROKEN = [
    ("gate gate=AND noise=0.1", "sink2 height=1", "no figure is named “sink2”; there are: attention_and_use"),
    ("gate gate=AND noise=0.1", "gates", "Did you mean “gate”?"),
    ("gate gate=AND noise=0.1", "gate gate=NAND", "there is no “NAND”; there are: AND"),
    ("gate gate=AND noise=0.1", "gate noise=2", "a number from 0 to 1 is needed, got 2"),
    ("gate gate=AND noise=0.1", "gate noise=much", "“much” is no number"),
    ("gate gate=AND noise=0.1", "gate hue=1", "has no parameter “hue”; there are: gate, noise"),
    ("gate gate=AND noise=0.1", 'gate gate="AND', "a quotation mark is left open"),
    ("gate gate=AND noise=0.1", "gate AND", "“AND” is no parameter; write name=value"),
    ("largest of image, together by 0.01", "largest of image, hope", "has no number “hope”"),
    ("largest of image, together by 0.01", "the one I like", "is no rule"),
    ("largest of image, together by 0.01", "image within 0.1", "nearness to a number needs a slider"),
    ("largest of image, together by 0.01", "none when image > 0; otherwise image", "“none”, which is no option"),
    ("largest of image, together by 0.01", "otherwise image", "decided by the lesson, not by the run"),
    ("largest of image, together by 0.01", "image when image >> 1", "is no comparison"),
    ("minutes: 5", "minutes: five", "a whole number from 1 to 120"),
    ("level: first steps", "level: easy", "there is no “easy”; there are: first steps"),
    ("question: A question?", "qestion: A question?", "is no field of the front part"),
    ("The total is {total:.2f} bits.", "The total is {totl:.2f} bits.", "has no number “totl”"),
    ("The total is {total:.2f} bits.", "The total is {total:>9} bits.", "is no placeholder"),
    ("The total is {total:.2f} bits.", "The total is {total.__class__} bits.", "is no placeholder"),
    ("The total is {total:.2f} bits.", "The total is 0.81 bits.", "the number “0.81” is typed"),
    ("The total is {total:.2f} bits.", "It gets 31 % of it.", "the number “31 %” is typed"),
    ("when together > image: Together, {together:.2f}.", "Together.", "“otherwise:” follows no “when"),
    ("when together > image:", "when together is more:", "is no comparison"),
    ("when together > image:", "when hope > image:", "has no number “hope”"),
    ("- image: the first\n", "", "which is no option"),
    ("- together: both", "- image: both", "there are two options “image”"),
    ("## reveal: Third", "## revel: Third", "is no step; write “## kind: title”"),
    ("## explain: Fourth", "## explain", "is no step"),
    ("change: gate, noise", "change: gate, hue", "has no parameter “hue” to change"),
    ("change: gate, noise\n", "", "has no “change:” under its heading"),
    ("figure: gate gate=XOR\n", "", "has no “figure:” under its heading"),
    ("figure: gate gate=XOR\n", "figure: gate gate=XOR\nfigure: gate\n", "figure is said twice"),
    ("figure: gate gate=XOR\n", "figure: gate gate=XOR\nright: image within 1\n", "“right:” means nothing under"),
    ("It was `{gate}`.", "", "says nothing"),
]


@pytest.mark.parametrize(("old", "new", "told"), BROKEN)
def test_whatever_is_wrong_is_told_with_its_file_and_line(old, new, told):
    broken = GOOD.replace(old, new, 1)
    with pytest.raises(LessonError) as found:
        parse(broken, "assets/lessons/x.md")
    assert told in str(found.value)
    assert all(line.startswith("assets/lessons/x.md, line ") for line in str(found.value).splitlines())
    # The line, or the heading of the step that it stands under.
    at = line(old)
    nearest = max((n for n in range(1, at + 1) if GOOD.splitlines()[n - 1].startswith("##")), default=1)
    assert any(nearest - 1 <= number <= at + 2 for number in lines_of(found.value))


def test_the_line_of_an_unknown_figure_is_its_own():
    broken = GOOD.replace("gate gate=XOR", "sonk")
    with pytest.raises(LessonError, match=f"x.md, line {line('figure: gate gate=XOR')}: no figure is named “sonk”"):
        parse(broken, "x.md")


def test_everything_that_is_wrong_is_told_at_once_and_in_order():
    broken = (
        GOOD.replace("minutes: 5", "minutes: x").replace("gate gate=XOR", "sonk").replace("change: gate", "change: x")
    )
    with pytest.raises(LessonError) as found:
        parse(broken)
    numbers = lines_of(found.value)
    assert len(numbers) == 3
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("kind", ["pose", "predict", "reveal", "explain"])
def test_a_lesson_needs_all_four(kind):
    at = GOOD.index(f"## {kind}:")
    end = GOOD.index("## ", at + 3)
    with pytest.raises(LessonError):
        parse(GOOD[:at] + GOOD[end:])


@pytest.mark.parametrize("text", ["", "\n", "---", "---\n---", "## pose: x", "{", "\x00"])
def test_no_lesson_at_all_is_told_too(text):
    with pytest.raises(LessonError, match="lesson, line"):
        parse(text)


def outcome(text: str) -> str:
    """Either “a lesson” or what is wrong."""
    try:
        return "a lesson" if parse(text, "x.md").steps else ""
    except LessonError as error:
        return str(error)


@settings(max_examples=60, deadline=None)
@example(GOOD.index("image: Together") + 2, 0, "\n")  # a line that ends within a comparison
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 30), st.text("{}:#-= \nabwhen.0%\"'>", max_size=12))
def test_whatever_is_done_to_a_file_it_is_a_lesson_or_an_error_with_a_line(at, long, put):
    text = GOOD[:at] + put + GOOD[at + long :]
    found = outcome(text)
    assert found == "a lesson" or all(told.startswith("x.md, line ") for told in found.splitlines())


def test_a_file_that_is_no_text_names_its_line(tmp_path):
    path = tmp_path / "x.md"
    path.write_bytes(b"---\ntitle: \xff\n")
    with pytest.raises(LessonError, match=r"x\.md, line 2: this is no text in UTF-8"):
        read(path)
    with pytest.raises(LessonError, match="cannot be read"):
        read(tmp_path / "none.md")
    path.write_text("---\n" + 300_000 * "x")
    with pytest.raises(LessonError, match="too large"):
        read(path)


def test_every_shipped_lesson_is_right():
    found = shelf()
    assert not found.broken
    assert len(found.lessons) >= 10
    assert set(found.lessons) == {path.stem for path in files()}


def test_a_folder_of_ones_own_joins_and_a_broken_file_takes_nothing_with_it(tmp_path, monkeypatch):
    (tmp_path / "mine.md").write_text(GOOD)
    (tmp_path / "broken.md").write_text(GOOD.replace("gate gate=XOR", "sonk"))
    monkeypatch.setenv(OWN, str(tmp_path))
    found = shelf()
    assert found.lessons["mine"].title == "A title"
    assert "broken.md, line 22: no figure is named “sonk”" in found.broken["broken"]
    assert "xor" in found.lessons
    (tmp_path / "broken.md").write_text(GOOD)
    os.utime(tmp_path / "broken.md", ns=(1, 1))  # another time, however fast this was
    assert "broken" in shelf().lessons


def test_the_command_line_checks_files(tmp_path, capsys):
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("gate gate=XOR", "sonk"))
    assert main(["lessons", "--check", str(good)]) == 0
    assert main(["lessons", "--check", str(good), str(bad)]) == 2
    assert f"{bad}, line {line('figure: gate gate=XOR')}: no figure is named “sonk”" in capsys.readouterr().err
    assert main(["lessons", "--check", str(good), "--run"]) == 0
    assert main(["lessons"]) == 0
    assert "xor: What synergy is" in capsys.readouterr().out
