"""Gallery: every wiring by family."""

import streamlit as st

from vlmlens.lab.fusion import WIRINGS


def draw() -> None:
    for wiring in WIRINGS.values():
        st.markdown(f"**{wiring.name}** · {wiring.family}. {wiring.sentence}")
