"""One lesson, one step at a time: what is said on the left, the figure on the right, Back and Next below."""

import streamlit as st

from vlmlens.lessons import Judged, Lesson, Step
from vlmlens.lessons.rules import Numbers
from vlmlens.ui.learn import figures, join, state
from vlmlens.ui.look import guard

NAMES = {"pose": "Question", "predict": "Predict", "reveal": "Reveal", "explain": "Explain", "try": "Try"}
VERDICTS = {True: ("✓ As predicted", "green"), False: ("✕ Otherwise", "red"), None: ("~ Inconclusive", "gray")}
FIRST = "Commit to a prediction first; what follows would give it away."


def draw(lesson: Lesson, number: int, teaching: bool) -> None:
    """Step `number` (from 0). A teacher may open any step; a learner predicts before anything is revealed."""
    waiting = None if teaching else state.first_open(lesson, number)
    if waiting is not None:
        state.go(lesson.name, waiting)
        number = waiting
        told: str | None = FIRST
    else:
        told = None
    step = lesson.steps[number]
    mine = state.kept()
    mine.farthest[lesson.name] = max(number, mine.farthest.get(lesson.name, 0))
    _head(lesson, number)
    if told:
        st.info(told)
    made = {index: choice for index in range(number + 1) if (choice := _made(lesson, index)) is not None}
    if not teaching:
        join.note(lesson.name, number, made)
    settled = lesson.predictions_of(number) if step.kind == "reveal" else ()
    if settled and not teaching and not join.may_reveal(lesson.name, settled):
        _foot(lesson, number, False)
        return
    with st.container(key="lesson-step"), guard():
        _step(lesson, number, made)
    _foot(lesson, number, step.kind != "predict" or number in made or teaching)
    _ahead(lesson, number)


def _made(lesson: Lesson, index: int) -> str | None:
    return state.prediction(lesson, index) if lesson.steps[index].kind == "predict" else None


def _head(lesson: Lesson, number: int) -> None:
    """The lesson's title and question, and where one is in it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All lessons", key="lesson-list", icon=":material/arrow_back:", on_click=state.go, args=(None,))
        st.markdown(f"**{lesson.title}** &nbsp; {lesson.question}", width="content")
    key = f"lesson-at-{lesson.name}"
    st.session_state[key] = number
    st.segmented_control(
        "Steps of the lesson",
        range(len(lesson.steps)),
        format_func=lambda index: f"{index + 1} {NAMES[lesson.steps[index].kind]}",
        key=key,
        required=True,
        on_change=_picked,
        args=(lesson.name, key),
        label_visibility="collapsed",
    )


def _picked(lesson: str, key: str) -> None:
    state.go(lesson, int(st.session_state[key]))


def _step(lesson: Lesson, number: int, made: dict[int, str]) -> None:
    """What the step says and shows. The words wait for the run that their numbers come from."""
    step = lesson.steps[number]
    call = lesson.spoken_of(number)
    left, right = st.columns([6, 5], gap="large") if call is not None else (st.container(), None)
    with left:
        st.markdown(f"#### {step.title}")
        if step.kind == "try" and call is not None:
            call = figures.changed(call, step.change, lesson.name, number)
    shown = None
    if call is not None:
        with left:
            shown = figures.found(call, "lesson")
    numbers: Numbers = shown.numbers if shown is not None else {}
    with left:
        if step.kind == "reveal":
            for index in lesson.predictions_of(number):
                if index in made:
                    _judged(lesson.steps[index].judge(made[index], numbers))
        st.markdown(step.body.say(numbers))
        if step.kind == "predict":
            _predict(lesson, number, step, made.get(number))
    if right is not None and call is not None and shown is not None:
        with right, guard():
            figures.draw(call, shown, f"{lesson.name}-{number + 1}")
    if step.kind == "reveal":
        for index in lesson.predictions_of(number):
            asked = lesson.steps[index]
            right_one = asked.rule.decide(numbers) if asked.rule is not None and asked.slider is None else None
            with left:
                join.show_class(lesson.name, index, asked, right_one)


def _judged(judged: Judged) -> None:
    word, color = VERDICTS[judged.right]
    st.markdown(f":{color}-badge[{word}] &nbsp; {judged.sentence}")


def _predict(lesson: Lesson, number: int, step: Step, made: str | None) -> None:
    """The options or the slider, and the button that commits; afterwards what was chosen, for good."""
    key = f"predict-{lesson.name}-{number}"
    fixed = made is not None
    if step.slider is not None:
        slider = step.slider
        if key not in st.session_state:
            st.session_state[key] = (
                float(made) if made else round((slider.low + slider.high) / 2 / slider.step) * slider.step
            )
        label = f"Your prediction{f', {slider.unit}' if slider.unit else ''}"
        chosen: float | str | None = st.slider(
            label, slider.low, slider.high, step=slider.step, key=key, disabled=fixed
        )
    else:
        if fixed and key not in st.session_state:
            st.session_state[key] = made
        chosen = st.radio(
            "Your prediction",
            list(step.options),
            index=None,
            format_func=lambda name: step.options[name],
            key=key,
            disabled=fixed,
            label_visibility="collapsed",
        )
    if fixed:
        st.caption("You committed to this. It can no longer be changed; the reveal will judge it.")
        return
    st.button(
        "Commit",
        key=f"commit-{lesson.name}-{number}",
        type="primary",
        disabled=chosen is None,
        on_click=_commit,
        args=(lesson.name, number, key),
        help="Once committed, a prediction stands.",
    )


def _commit(lesson: str, number: int, key: str) -> None:
    chosen = st.session_state.get(key)
    if chosen is not None:
        state.commit(lesson, number, f"{chosen:g}" if isinstance(chosen, float) else str(chosen))


def _foot(lesson: Lesson, number: int, may_go_on: bool) -> None:
    """Back and Next; after the last step the list."""
    last = number == len(lesson.steps) - 1
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-foot"):
        st.button(
            "Back", key="lesson-back", disabled=number == 0, on_click=state.go, args=(lesson.name, max(0, number - 1))
        )
        if last:
            st.button("Finish", key="lesson-finish", type="primary", on_click=state.go, args=(None,))
        else:
            st.button(
                "Next",
                key="lesson-next",
                type="primary",
                disabled=not may_go_on,
                on_click=state.go,
                args=(lesson.name, number + 1),
                help=None if may_go_on else FIRST,
            )
        st.caption(f"Step {number + 1} of {len(lesson.steps)}", width="content")


def _ahead(lesson: Lesson, number: int) -> None:
    """While a learner reads or thinks, run what comes next."""
    if number + 1 < len(lesson.steps):
        figures.ahead(lesson.call_of(number + 1))
