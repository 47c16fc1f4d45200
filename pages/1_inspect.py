"""Inspect: did it look, where, at which layer, and did looking matter?"""

import streamlit as st

from vlmlens import ui

ui.page("Inspect", "Did the model look at the picture, where, at which layer, and did looking change the answer?")
asked, seen, found = st.columns([1.15, 2, 1.75], gap="medium")

with asked, ui.guard():
    request = ui.ask()
    opened = ui.opened_trace()

with ui.guard():
    if opened is not None:
        ui.show_saved(opened, seen, found)
    else:
        ui.show(request, seen, found)
        ui.show_beside(request)
