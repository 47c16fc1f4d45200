"""Which lessons are there? Cards by level, with their question, how long they take, and how far one has come."""

import streamlit as st

from vlmlens.lessons import LEVELS, OWN, Lesson, Shelf
from vlmlens.ui.learn import state

COLUMNS = 3
OPENING = (
    "Each lesson poses a question, lets you predict, and then runs the models in front of you. Every number comes from "
    "that run; so does the verdict on your prediction, which may also be that nothing can be said."
)


def draw(shelf: Shelf, missing: str | None) -> None:
    """`missing`: a lesson that the address asked for and that there is not."""
    if missing is not None:
        st.info(f"There is no lesson “{missing[:60]}”; it may have been renamed. Choose one below.")
    st.markdown(OPENING)
    for level in LEVELS:
        of_level = [lesson for lesson in shelf.lessons.values() if lesson.level == level]
        if not of_level:
            continue
        st.markdown(f"##### {level.capitalize()}")
        for start in range(0, len(of_level), COLUMNS):
            for place, lesson in zip(st.columns(COLUMNS), of_level[start : start + COLUMNS], strict=False):
                with place.container(border=True, height="stretch"):
                    _card(lesson)
    for told in shelf.broken.values():
        st.error(told.replace("\n", "  \n"))
    if not shelf.lessons and not shelf.broken:
        st.info("There are no lessons here; they are text files under assets/lessons.")
    st.caption(f"Lessons are text files (docs/lessons.md). A folder of your own: set {OWN} to its path.")


def _card(lesson: Lesson) -> None:
    st.markdown(f"**{lesson.title}**")
    st.markdown(lesson.question)
    mine, count = state.kept(), len(lesson.steps)
    seen = mine.farthest.get(lesson.name)
    told = "" if seen is None else " · done" if seen == count - 1 else f" · at step {seen + 1} of {count}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{lesson.minutes} minutes{told}", width="content")
        st.button(
            "Open" if seen is None else "Go on" if seen < count - 1 else "Again",
            key=f"open-{lesson.name}",
            on_click=state.go,
            args=(lesson.name, 0 if seen is None or seen == count - 1 else seen),
            help=lesson.question,
        )
