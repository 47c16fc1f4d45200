"""What does the class think? The teacher's view: its code, its predictions as they come in, who is where, the end."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from vlmlens import charts, classroom
from vlmlens.classroom import ClassError, Opened, Roll, plain
from vlmlens.lessons.lesson import Lesson
from vlmlens.ui.learn import class_words as words
from vlmlens.ui.learn.join import TEACHER, offered, sentence
from vlmlens.ui.look import chart, titled
from vlmlens.ui.network import is_local, shared

CODE, KEY = "class", "key"  # in the address
TAUGHT, SAID, TEACHING = "class-taught", "class-teacher-said", "class-teaching"  # in the session's state
LOOK_AGAIN = 1.0  # seconds


def teaching() -> bool:
    """Whether the address asks for the teacher's view; once it has, this session stays the teacher's on every page."""
    if TEACHER in st.query_params:
        st.session_state[TEACHING] = st.query_params[TEACHER] == "1"
    elif st.session_state.get(TEACHING):
        st.query_params[TEACHER] = "1"
    return bool(st.session_state.get(TEACHING))


def draw(lessons: Mapping[str, Lesson], lesson: Lesson | None, number: int) -> None:
    """The class above the lesson that the teacher has opened; `number` is its step, from 0."""
    opened = _restored()
    if said := st.session_state.get(SAID):
        st.info(said)
    if opened is None:
        with st.container(border=True, key="class-panel"):
            st.markdown(words.INVITE)
            with st.container(horizontal=True):
                st.button("Open a class", type="primary", key="class-open", on_click=_open)
                st.button("Leave the teacher's view", key="class-unteach", type="tertiary", on_click=_unteach)
        return
    with st.container(border=True, key="class-panel"):
        left, right = st.columns([2, 5], gap="large")
        with left:
            _invitation(opened)
        with right:
            _watched(opened, lessons, lesson, number)


def _invitation(opened: Opened) -> None:
    """What goes on the board, and the end."""
    url = st.context.url or f"http://localhost:{st.get_option('server.port')}/learn"
    link = f"{shared(url, str(st.get_option('server.address') or ''))}?{CODE}={opened.code}"
    st.html(f'<p class="lens-answer" style="letter-spacing: 0.2em; font-size: 2.6rem">{opened.code}</p>')
    st.code(link, language=None, wrap_lines=True)
    st.caption("Learners open this link, or choose “Join a class” on the Learn page and type the code.")
    if is_local(link):
        st.caption("Only this machine can open it so far.", help=words.LOCAL_ONLY)
    with st.popover("End the class", key="class-end-popover"):
        st.markdown("All of it is gone then: who joined, where they are, what they predicted. Learners go on alone.")
        st.button("End it now", type="primary", key="class-end", on_click=_end)
    st.caption("This page's own address is yours alone.", help=words.YOURS)


def _watched(opened: Opened, lessons: Mapping[str, Lesson], lesson: Lesson | None, number: int) -> None:
    @st.fragment(run_every=LOOK_AGAIN)
    def look() -> None:
        try:
            roll = classroom.where(opened.code, opened.key)
            st.session_state["class-hold"] = roll.holding  # the class knows; another tab may have changed it
            _steered(opened, lesson, number, roll)
            _who_is_where(opened, lessons, roll)
        except ClassError:
            st.rerun()

    look()


def _steered(opened: Opened, lesson: Lesson | None, number: int, roll: Roll) -> None:
    """The predictions of the step that the teacher is at, and what may follow them."""
    step = None if lesson is None else asked_at(lesson, number)
    tally = None
    if lesson is not None and step is not None:
        tally = classroom.tally(opened.code, lesson.name, step, opened.key)
        counts = offered(tally.counts, lesson.steps[step])
        counted = bool(st.session_state.get("class-count-only"))
        titled(
            sentence(tally, counts, f"Step {step + 1}, “{lesson.steps[step].title}”", not counted), words.PREDICTIONS
        )
        if not counted:
            chart(charts.predictions(counts, tally.learners))
    elif lesson is not None:
        st.markdown("This lesson asks for no prediction.")
    else:
        joined = "Nobody has joined yet" if not roll.learners else f"{_learners(roll.learners)} joined"
        st.markdown(f"{joined}. Open a lesson below: what the class predicts at your step comes in here.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle("Hold the reveal", key="class-hold", help=words.HOLD, on_change=_hold, args=(opened,))
        st.toggle("Count only", key="class-count-only", help=words.COUNT_ONLY)
        if tally is not None and roll.holding and not tally.open:
            where = (opened, tally.lesson, tally.step)
            st.button("Open the reveal for all", type="primary", key="class-release", on_click=_release, args=where)
        elif tally is not None and roll.holding:
            st.caption("The reveal of this prediction is open.")


def _who_is_where(opened: Opened, lessons: Mapping[str, Lesson], roll: Roll) -> None:
    if not roll.places:
        return
    away = f"; {roll.away} did nothing for half an hour" if roll.away else ""
    with st.expander("Who is where?", key="class-where-open"):
        st.markdown(f"{_learners(roll.learners)} joined{away}. Where {'the others' if away else 'they'} are:")
        st.dataframe(table(opened, lessons, roll), hide_index=True, width="stretch", key="class-where")


def table(opened: Opened, lessons: Mapping[str, Lesson], roll: Roll) -> pd.DataFrame:
    """A row for each step that somebody is at: lesson, step, how many are there, how many predicted there."""
    lines = []
    for place in roll.places:
        lesson = lessons.get(place.lesson)
        known = lesson is not None and 0 <= place.step < len(lesson.steps)
        step = lesson.steps[place.step] if lesson is not None and known else None
        asks = step is not None and step.kind == "predict"
        predicted = classroom.tally(opened.code, place.lesson, place.step, opened.key).committed if asks else None
        lines.append(
            {
                "lesson": lesson.title if lesson is not None else place.lesson,
                "step": f"{place.step + 1}" + (f" · {step.title or step.kind}" if step is not None else ""),
                "learners here": place.learners,
                "predicted": "" if predicted is None else str(predicted),
            }
        )
    return pd.DataFrame(lines, columns=["lesson", "step", "learners here", "predicted"])


def asked_at(lesson: Lesson, number: int) -> int | None:
    """The prediction that a teacher at step `number` means: the one there, the last before, else the first to come."""
    asked = [index for index, step in enumerate(lesson.steps) if step.kind == "predict"]
    before = [index for index in asked if index <= number]
    return before[-1] if before else asked[0] if asked else None


def _restored() -> Opened | None:
    """The class of this session, or of the address: a teacher who loads the page anew keeps the class."""
    opened: Opened | None = st.session_state.get(TAUGHT)
    code, key = st.query_params.get(CODE), st.query_params.get(KEY)
    if code and key:
        opened = Opened(plain(code), key)
    if opened is None:
        return None
    try:
        classroom.where(opened.code, opened.key)
    except ClassError as error:
        _forget()
        st.session_state[SAID] = str(error)
        return None
    st.session_state[TAUGHT] = opened
    for name, value in ((CODE, opened.code), (KEY, opened.key)):
        if st.query_params.get(name) != value:
            st.query_params[name] = value
    return opened


def _open() -> None:
    try:
        st.session_state[TAUGHT] = classroom.open_class()
        st.session_state.pop(SAID, None)
    except ClassError as error:
        st.session_state[SAID] = str(error)


def _unteach() -> None:
    st.session_state.pop(TEACHING, None)
    st.session_state.pop(SAID, None)
    if TEACHER in st.query_params:
        del st.query_params[TEACHER]


def _end() -> None:
    opened: Opened | None = st.session_state.get(TAUGHT)
    _forget()
    if opened is None:
        return
    try:
        classroom.end(opened.code, opened.key)
        st.session_state[SAID] = f"Class {opened.code} is over; nothing of it is kept."
    except ClassError as error:
        st.session_state[SAID] = str(error)


def _forget() -> None:
    st.session_state.pop(TAUGHT, None)
    for name in (CODE, KEY):
        if name in st.query_params:
            del st.query_params[name]


def _hold(opened: Opened) -> None:
    try:
        classroom.hold(opened.code, opened.key, bool(st.session_state["class-hold"]))
    except ClassError as error:
        st.session_state[SAID] = str(error)


def _release(opened: Opened, lesson: str, step: int) -> None:
    try:
        classroom.release(opened.code, opened.key, lesson, step)
    except ClassError as error:
        st.session_state[SAID] = str(error)


def _learners(count: int) -> str:
    return f"{count} learner" if count == 1 else f"{count} learners"
