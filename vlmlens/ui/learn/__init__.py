"""The Learn page: the lessons, one of them step by step, and with `?teacher=1` the class and the notes."""

import streamlit as st

from vlmlens.lessons import Lesson, shelf
from vlmlens.ui.learn import join, listing, state, steps, teacher
from vlmlens.ui.look import guard


def show() -> None:
    found = shelf()
    at = state.arrive(found.lessons)
    lesson, number = at if isinstance(at, tuple) else (None, 0)
    teaching = teacher.teaching()
    with guard():
        if teaching:
            teacher.draw(found.lessons, lesson, number)
        else:
            join.draw()
    with guard():
        if lesson is None:
            listing.draw(found, at if isinstance(at, str) else None)
            return
        steps.draw(lesson, number, teaching)
        if teaching:
            _notes(lesson)


def _notes(lesson: Lesson) -> None:
    """For the teacher alone."""
    with st.expander("Notes for the teacher", expanded=True):
        st.markdown(lesson.notes or "This lesson has no notes.")
