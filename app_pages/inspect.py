"""Inspect: did it look, where, at which layer, and did looking matter?"""

import streamlit as st

from vlmlens import ui

ui.page("Inspect", "Did the model look at the picture, where, at which layer, and did looking change the answer?")
left, middle, right = st.columns([1.15, 2, 1.75], gap="medium")
request = ui.asked()
shown = None

# The picture and the answer are drawn first, the widgets beside them and the verdict after: what a person came for is
# seen earlier.
with ui.guard():
    if (trace := ui.opened_trace()) is not None:
        ui.show_saved(trace, middle, right)
    else:
        shown = ui.show(request, middle, right)
        ui.show_beside(request)

with left, ui.guard():
    ui.ask(request)

with ui.guard():
    ui.show_more(shown, ui.judge(shown))
