"""Do two maps agree? A second map beside the first, under one cursor, and how alike they rank the patches."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from vlmlens.attribution import METHODS
from vlmlens.attribution.faithfulness import Trust, agreement
from vlmlens.ui import results, words
from vlmlens.ui.inspect.choice import Choice, case_of, map_of
from vlmlens.ui.look import titled

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown

LINK = "maps"


def draw(shown: "Shown", _trust: Trust | None) -> None:
    if shown.drawn is None:
        st.info("There is no first map to compare with; choose one above the picture.")
        return
    _, found, place_one = shown.drawn
    names = [name for name, row in METHODS.items() if row.contrasts or not shown.choice.against]
    others = [name for name in names if name != shown.choice.method]
    left, right = st.columns(2, gap="medium")
    with right:
        name = str(st.selectbox("Second map", others, key="second-map", bind="query-params"))
        choice = Choice(name, shown.choice.against)
        other = map_of(shown.request, case_of(shown.request, shown.trace, choice), choice)
        if st.session_state.get("second-slice") not in other.labels:
            st.session_state["second-slice"] = other.labels[other.first]
        chosen = st.selectbox("Its layer", other.labels, key="second-slice", disabled=len(other.labels) == 1)
        place = other.labels.index(str(chosen))
    one, two = found.cells(place_one), other.cells(place)
    rho, p = agreement(one, two, shown.trace.grid.shape)
    with left:
        st.markdown(f"**{shown.choice.method}**, {found.labels[place_one]} · **{name}**, {chosen}")
        titled(_sentence(rho, p), words.AGREEMENT)
    left, right = st.columns(2, gap="medium")
    with left:
        results.picture_with_maps(
            shown.request, shown.trace, "picture-one", found, (), place_one, link=LINK, tools=("hover",)
        )
    with right:
        results.picture_with_maps(
            shown.request, shown.trace, "picture-two", other, (), place, link=LINK, tools=("hover",)
        )


def _sentence(rho: float, p: float) -> str:
    if math.isnan(rho):
        return "One of the maps is the same everywhere: there is no order to compare."
    doubt = "more than random maps as smooth do" if p <= 0.05 else "no more than random maps as smooth do"
    way = "agree" if rho >= 0 else "disagree"
    return f"They {way} in the order of patches by ρ = **{rho:.2f}** (Spearman), {doubt} (p = {p:.3f})."
