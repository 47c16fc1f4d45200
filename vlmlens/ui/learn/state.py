"""Where is a learner, what have they predicted? In the session, so that nothing is lost when the page changes.

The address names lesson and step (`/learn?lesson=xor&step=2`, counted from 1); a link restores them. In a class the
class knows the predictions, too, and a browser that was loaded anew finds them there.
"""

from dataclasses import dataclass, field

import streamlit as st

from vlmlens.lessons import Lesson
from vlmlens.ui.learn import join

LESSON, STEP = "lesson", "step"  # in the address
KEPT = "learn"  # in the session's state


@dataclass
class Kept:
    """What a session keeps of the Learn page."""

    at: tuple[str, int] | None = None  # lesson, step from 0; None: the list
    predicted: dict[tuple[str, int], str] = field(default_factory=dict)
    farthest: dict[str, int] = field(default_factory=dict)  # lesson: the farthest step seen
    tried: dict[tuple[str, int, str], str | float] = field(default_factory=dict)  # what a learner has set


def kept() -> Kept:
    found: Kept = st.session_state.setdefault(KEPT, Kept())
    return found


def arrive(lessons: dict[str, Lesson]) -> tuple[Lesson, int] | str | None:
    """The lesson and its step (from 0); None for the list; the name of a lesson in the address that there is not."""
    mine = kept()
    name, step = st.query_params.get(LESSON), st.query_params.get(STEP, "")
    if name is None and mine.at is not None:
        name, step = mine.at[0], str(mine.at[1] + 1)
    if name is None:
        return None
    lesson = lessons.get(name)
    if lesson is None:
        mine.at = None
        return name
    number = int(step) - 1 if step.isdecimal() and len(step) < 4 else 0
    number = max(0, min(number, len(lesson.steps) - 1))
    mine.at = (name, number)
    _write(mine.at)
    return lesson, number


def go(lesson: str | None, step: int = 0) -> None:
    """Open a step, or with None the list; for a button's `on_click`."""
    mine = kept()
    mine.at = None if lesson is None else (lesson, step)
    _write(mine.at)


def _write(at: tuple[str, int] | None) -> None:
    wanted = {} if at is None else {LESSON: at[0], STEP: str(at[1] + 1)}
    for name in (LESSON, STEP):
        if name not in wanted and name in st.query_params:
            del st.query_params[name]
        elif name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]


def commit(lesson: str, step: int, choice: str) -> None:
    """Keep a prediction; the first one stands."""
    kept().predicted.setdefault((lesson, step), choice)


def prediction(lesson: Lesson, step: int) -> str | None:
    """What was predicted at a step, None before. What the class keeps of another form of the lesson is none."""
    mine = kept().predicted
    found = mine.get((lesson.name, step)) or join.prediction(lesson.name, step)
    if found is None or not _fits(lesson, step, found):
        return None
    mine[lesson.name, step] = found
    return found


def _fits(lesson: Lesson, step: int, choice: str) -> bool:
    asked = lesson.steps[step]
    if asked.slider is None:
        return choice in asked.options
    try:
        return asked.slider.low <= float(choice) <= asked.slider.high
    except ValueError:
        return False


def first_open(lesson: Lesson, before: int) -> int | None:
    """The first prediction before this step that has not been made."""
    asked = (index for index, step in enumerate(lesson.steps[:before]) if step.kind == "predict")
    return next((index for index in asked if prediction(lesson, index) is None), None)
