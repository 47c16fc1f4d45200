"""A lesson's figure on the page: run live, once for all who ask for the same, with a bar and Cancel if it is long."""

import json
from collections.abc import Callable

import pandas as pd
import streamlit as st

from vlmlens.lessons import FIGURES, Amount, Call, Choice, Shown
from vlmlens.progress import Progress
from vlmlens.ui import pool
from vlmlens.ui.jobs import begin, result
from vlmlens.ui.learn.state import kept
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all


def _task(call: Call) -> tuple[tuple[str, object], str, Callable[[Progress], Shown]]:
    """Key, label and work of a figure. Models come from the server's memory."""
    figure = FIGURES[call.figure]
    return (
        ("lesson", call.key),
        f"Running {figure.name.replace('_', ' ')}",
        lambda progress: figure.run(call.settings, pool.get, progress),
    )


def found(call: Call, group: str | None = None) -> Shown:
    """What a run found. Raises Pending while its bar is drawn, and what the run raises."""
    key, label, task = _task(call)
    return result(key, label, task, group=group)


def ahead(call: Call | None) -> None:
    """Run what the next step will show, while the learner still thinks."""
    if call is not None:
        begin(*_task(call))


def draw(call: Call, shown: Shown, name: str) -> None:
    """The picture, the sentence with its `?`, the chart, the table, what can be taken away."""
    figure = FIGURES[call.figure]
    if shown.drawing is not None:
        st.image(shown.drawing.png, alt=shown.drawing.told)
        st.caption(shown.drawing.told)
    titled(shown.sentence, (figure.told[0].upper() + figure.told[1:], figure.help))
    if shown.chart is not None:
        chart(shown.chart)
    table = pd.DataFrame(list(shown.table))
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(table):
            with st.popover("Table", key=f"learn-table-{name}"):
                st.dataframe(table, hide_index=True, width="stretch")
        if shown.chart is not None:
            numbers = {key: None if value != value else value for key, value in shown.numbers.items()}
            settings = dict(call.settings)
            about = f"lesson figure {call.figure} · {json.dumps(settings)}"
            data = {"figure": call.figure, "settings": settings, "numbers": numbers}
            save_all(f"lesson-{name}", {figure.told: shown.chart}, data, table if len(table) else None, about)


def changed(call: Call, names: tuple[str, ...], lesson: str, step: int) -> Call:
    """The widgets of the parameters that a learner may change, and the call with what they are set to."""
    mine = kept().tried
    settings: dict[str, str | float] = {}
    by_name = {parameter.name: parameter for parameter in FIGURES[call.figure].parameters}
    for name in names:
        parameter, where = by_name[name], (lesson, step, name)
        key = f"try-{lesson}-{step}-{name}"
        value = mine.get(where, call.settings[name])
        if isinstance(parameter, Choice):
            if st.session_state.get(key) not in parameter.options:
                st.session_state[key] = value if value in parameter.options else parameter.default
            settings[name] = str(st.selectbox(parameter.label, parameter.options, key=key))
        elif isinstance(parameter, Amount):
            settings[name] = _slider(parameter, key, float(value))
        mine[where] = settings[name]
    return call.changed(settings)


def _slider(parameter: Amount, key: str, value: float) -> float:
    """A number; whole numbers look whole."""
    ends = (parameter.low, parameter.high, parameter.step)
    whole = all(float(end).is_integer() for end in ends)
    kind = int if whole else float
    if key not in st.session_state:
        st.session_state[key] = kind(value)
    low, high, step = (kind(end) for end in ends)
    return float(st.slider(parameter.label, low, high, step=step, key=key))
