"""Q-Former: what its queries look at, what it is trained on, and what aligning it first is worth."""

import streamlit as st

from vlmlens.ui.fusion import queries, two_stages

PARTS = {"What its queries look at": queries.draw, "Its losses and its two stages": two_stages.draw}


def draw() -> None:
    parts = list(PARTS)
    chosen = st.segmented_control(
        "Part",
        parts,
        key="qformer-part",
        default=parts[0],
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    PARTS[str(chosen)]()
