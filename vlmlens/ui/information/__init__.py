"""The Information page: six views on bits, one file each, found in `VIEWS`."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from vlmlens.ui.information import gates, probe, published, this_input, trust, wirings
from vlmlens.ui.look import guard
from vlmlens.ui.request import asked


@dataclass(frozen=True)
class View:
    name: str
    question: str  # the one that it answers
    draw: Callable[[], None]


VIEWS = {
    view.name: view
    for view in (
        View("Probe set", "How many bits do the model's own states hold about its answers?", probe.draw),
        View("This input", "What do this picture and this question do to the answer?", this_input.draw),
        View("Wirings", "Does the wiring decide who is listened to?", wirings.draw),
        View("Gates", "What do unique, redundant and synergistic mean?", gates.draw),
        View("Trust", "Can I trust this number?", trust.draw),
        View("As published", "What would a published protocol say, and does it survive its controls?", published.draw),
    )
}


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    if st.session_state.get("view") not in VIEWS:
        linked = st.query_params.get("view")
        st.session_state.view = linked if linked in VIEWS else next(iter(VIEWS))
    chosen = st.segmented_control("View", list(VIEWS), key="view", required=True, label_visibility="collapsed")
    view = VIEWS[chosen or next(iter(VIEWS))]
    if st.query_params.get("view") != view.name:
        st.query_params.view = view.name
    st.markdown(f"**{view.question}**")
    with guard():
        view.draw()
