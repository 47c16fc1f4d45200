"""Rulers: the picture's share of the same answers by every ruler, and which of them tell what a model uses."""

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.rulers import RULERS
from vlmlens.ui.fusion.rulers import kept, live
from vlmlens.ui.fusion.rulers.against import against
from vlmlens.ui.fusion.rulers.side import side_by_side
from vlmlens.ui.fusion.rulers.tables import truth, which


def draw() -> None:
    left, rest = st.columns([1, 3], gap="large")
    with left:
        here = live.choose()
    with rest:
        measured = None
        if here:
            measured = live.measure(here, side_by_side)
        else:
            side_by_side(None)
        with st.expander("What is each ruler? Definition, formula, paper, what it cannot tell"):
            for name, ruler in RULERS.items():
                st.markdown(f"**{name}**, made for {ruler.nature}. {ruler.help}")
    try:
        table = kept.table()
    except UserError:
        return
    natures = kept.natures(kept.written())
    which(table, natures)
    truth(table)
    against(table, measured)
    st.caption(f"Measured by `{table.command}` on {table.date}, over {table.ensemble}, {table.items} items.")
