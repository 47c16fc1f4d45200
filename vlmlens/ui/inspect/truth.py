"""Which maps find the object? Measured on lab scenes, where it is known."""

from typing import TYPE_CHECKING

import streamlit as st

from vlmlens.attribution.faithfulness import Trust

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown


def draw(shown: "Shown", _trust: Trust | None) -> None:
    st.info(shown.trace.model)
