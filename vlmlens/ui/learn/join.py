"""In which class is this learner? The code that joins one, what the lesson tells it, and what it holds back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from vlmlens import charts, classroom
from vlmlens.classroom import ClassError, plain
from vlmlens.lessons.lesson import Step
from vlmlens.ui.learn import class_words as words
from vlmlens.ui.look import chart, titled

JOINED, SAID = "class-joined", "class-said"  # in the session's state
CODE, ME, TEACHER = "class", "me", "teacher"  # in the address
ASK_AGAIN = 2.0  # seconds between two looks at whether the teacher has opened the reveal

T = TypeVar("T")


@dataclass(frozen=True)
class Member:
    """A learner in a class: a random id, no name."""

    code: str
    who: str


def draw() -> None:
    """One line: the class that this learner is in, or a way to join one. Reads the address, so it stands first."""
    found = _arrive()
    with st.container(horizontal=True, vertical_alignment="center", key="class-line"):
        if found is not None:
            st.markdown(f"Class **{found.code}**", help=words.IN_CLASS, width="content")
            st.button("Leave", key="class-leave", type="tertiary", on_click=_leave)
            return
        with (
            st.popover("Join a class", key="class-popover"),
            st.form("class-form", border=False),
        ):
            st.text_input("Code", key="class-typed", placeholder="four letters", max_chars=12)
            st.form_submit_button("Join", on_click=_typed)
        st.button("Teach a class", key="class-teach", type="tertiary", help=words.TEACH, on_click=_teach)
        if said := st.session_state.get(SAID):
            st.markdown(said, width="content")


def member() -> Member | None:
    """The learner of this session, None for who learns alone."""
    found: Member | None = st.session_state.get(JOINED)
    return found


def note(lesson: str, step: int, choices: Mapping[int, str]) -> None:
    """Tell the class where this learner is and what they predicted in this lesson (by step), once and again: the
    first prediction stands."""

    def tell(found: Member) -> None:
        classroom.at(found.code, lesson, step, found.who)
        for where, choice in choices.items():
            classroom.commit(found.code, lesson, where, found.who, choice)

    _asked(tell, None)


def prediction(lesson: str, step: int) -> str | None:
    """What this learner predicted at a step, as the class knows it: a browser that was loaded anew finds it there."""
    return _asked(lambda found: classroom.committed(found.code, lesson, step, found.who), None)


def may_reveal(lesson: str, steps: Sequence[int]) -> bool:
    """Whether what settles the predictions at `steps` may be shown; where the teacher holds it, says so and waits."""
    if _open(lesson, steps):
        return True

    @st.fragment(run_every=ASK_AGAIN)
    def wait() -> None:
        if _open(lesson, steps):
            st.rerun()
        st.info(words.HELD)

    wait()
    return False


def show_class(lesson: str, number: int, step: Step, right: str | None = None) -> None:
    """What the others predicted, for who has predicted: below the reveal. `right`: the option that the run decided."""

    def ask(found: Member) -> classroom.Tally | None:
        try:
            return classroom.tally(found.code, lesson, number, who=found.who)
        except ClassError:  # who has not predicted, or has to wait
            if not classroom.belongs(found.code, found.who):
                raise
            return None

    tally = _asked(ask, None)
    if tally is None or tally.committed < 2:  # one's own alone says nothing of a class
        return
    counts = offered(tally.counts, step)
    titled(sentence(tally, counts, "Your class"), words.PREDICTIONS)
    chart(charts.predictions(counts, tally.learners, step.options.get(right or "")))


def offered(counts: Mapping[str, int], step: Step) -> dict[str, int]:
    """Learners by what was offered to them, in its order and its words, nobody for what nobody chose."""
    if step.slider is not None:
        return classroom.binned(counts, step.slider.low, step.slider.high)
    return {label: counts.get(name, 0) for name, label in step.options.items()}


def sentence(tally: classroom.Tally, counts: Mapping[str, int], who: str, choices: bool = True) -> str:
    """How many have predicted and what most of them did; `choices=False` keeps the second to itself."""
    if not tally.learners:
        return "Nobody has joined yet."
    some = f"{who}: {tally.committed} of {tally.learners} learners have predicted"
    most = max(counts.values(), default=0)
    if not choices or not most:
        return f"{some}."
    leading = [f"“{choice}”" for choice, count in counts.items() if count == most]
    if len(leading) == 1:
        return f"{some}; {most} of these {tally.committed} chose {leading[0]}, more than anything else."
    if len(leading) == 2:
        return f"{some}; as many chose {leading[0]} as {leading[1]}, {most} each."
    return f"{some}; no choice leads."


def _open(lesson: str, steps: Sequence[int]) -> bool:
    return _asked(lambda found: all(classroom.is_open(found.code, lesson, s, found.who) for s in steps), True)


def _asked(ask: Callable[[Member], T], alone: T) -> T:
    """What the class says; `alone` for who is in none, or in one that is over, which is noted."""
    found = member()
    if found is None:
        return alone
    try:
        return ask(found)
    except ClassError as error:
        if classroom.belongs(found.code, found.who):  # full, or too long: the class goes on
            st.session_state[SAID] = str(error)
        else:
            _over(found)
        return alone


def _arrive() -> Member | None:
    """The learner of this session, joined by the address if it has a code. The address then carries the id, so that a
    browser that is loaded anew is the same learner."""
    found = member()
    if found is not None and not classroom.belongs(found.code, found.who):
        _over(found)
        found = None
    code = st.query_params.get(CODE)
    if code and (found is None or found.code != plain(code)):
        who = st.query_params.get(ME, "")
        found = _keep(Member(plain(code), who)) if classroom.belongs(code, who) else _join(code)
    if found is not None:
        for name, value in ((CODE, found.code), (ME, found.who)):
            if st.query_params.get(name) != value:
                st.query_params[name] = value
    return found


def _join(code: str) -> Member | None:
    try:
        return _keep(Member(plain(code), classroom.join(code)))
    except ClassError as error:
        st.session_state[SAID] = str(error)
        _forget()
        return None


def _keep(found: Member) -> Member:
    st.session_state[JOINED] = found
    st.session_state.pop(SAID, None)
    return found


def _typed() -> None:
    """The form was sent."""
    code = str(st.session_state.get("class-typed", ""))
    if plain(code):
        _join(code)
    else:
        st.session_state[SAID] = "Type the code that your teacher shows, four letters."


def _teach() -> None:
    st.session_state.pop(SAID, None)
    st.query_params[TEACHER] = "1"


def _leave() -> None:
    st.session_state[SAID] = "You left the class; you go on alone. What you predicted stays counted until it ends."
    _forget()


def _over(found: Member) -> None:
    st.session_state[SAID] = words.over(found.code)
    _forget()


def _forget() -> None:
    st.session_state.pop(JOINED, None)
    for name in (CODE, ME):
        if name in st.query_params:
            del st.query_params[name]
