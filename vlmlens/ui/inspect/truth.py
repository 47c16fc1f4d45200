"""Which maps find the object? Measured on lab scenes, where what a question asks about is known."""

from typing import TYPE_CHECKING

import streamlit as st

from vlmlens import charts
from vlmlens.attribution.faithfulness import Trust
from vlmlens.attribution.ground_truth import published
from vlmlens.ui import words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown


def draw(shown: "Shown", _trust: Trust | None) -> None:
    table = published()
    model = shown.trace.model if shown.trace.model in table.models else table.models[0]
    chosen = st.selectbox("On", table.models, table.models.index(model), key=f"truth-{model}")
    told = table.sentence(str(chosen), shown.choice.method)
    titled(told or f"“{shown.choice.method}” was not measured on {chosen}.", words.TRUTH)
    figure = charts.pointing(table, str(chosen))
    chart(figure)
    contrast = table.sentence(str(chosen), "contrastive")
    if shown.choice.method != "contrastive" and contrast:
        st.caption(contrast)
    for refused in table.refused:
        if refused.model == chosen:
            st.caption(f"{refused.method}: {refused.reason}")
    st.caption(f"`{table.command}`, {table.date}. To mark the thing is not to be faithful: see the verdict above.")
    save_all("maps", {"pointing": figure}, table.to_dict(), table.to_frame(), f"{chosen}, {table.questions} questions")
