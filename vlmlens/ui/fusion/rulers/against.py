"""One ruler against what knocking the picture out really does, model by model and item by item."""

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.rulers import RULERS, Measured
from vlmlens.rulers.effect import WORDS as EFFECTS
from vlmlens.rulers.nature import Agreement, agreement, rank_correlation
from vlmlens.rulers.subjects import Group
from vlmlens.rulers.table import Table
from vlmlens.ui.fusion.rulers import words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

LEAST_ITEMS = 8  # for a rank correlation inside one model
GROUPS: tuple[tuple[Group, ...], ...] = (("wiring", "planted", "graded"), ("wiring",))


def against(table: Table, yours: Measured | None) -> None:
    """One ruler against what really happens, model by model."""
    st.markdown("#### Does it go along with what knocking the picture out really does?")
    pick, which = st.columns(2)
    ruler = str(
        pick.selectbox(
            "Ruler", list(RULERS), index=list(RULERS).index("donor behavior"), key="rulers-one", bind="query-params"
        )
    )
    effect = str(
        which.selectbox("What really happens", list(EFFECTS), format_func=EFFECTS.__getitem__, key="rulers-effect")
    )
    every, trained = (agreement(ruler, table.of(*groups), effect) for groups in GROUPS)
    titled(
        f"**{ruler}** and what really happens rank {every.models} models alike with r = {_ranked(every)}, and the "
        f"{trained.models} trained wirings alone with r = {_ranked(trained)}.",
        words.AGAINST,
    )
    dots = [charts.Dot(row.key, row.family, row.effect[effect], row.share(ruler)) for row in table.rows]
    if yours is not None and ruler in yours.readings:
        share = yours.readings[ruler].share
        st.markdown(item_by_item(yours, ruler))
        dots.append(charts.Dot(yours.model, charts.YOURS, float(getattr(yours.effect, effect)), share))
    drawn = charts.ruler_against_effect(dots, ruler, EFFECTS[effect])
    chart(drawn)
    gone = [dot.name for dot in dots if dot.share != dot.share]
    if gone:
        st.caption(f"n/a by {ruler}, and so not drawn: {', '.join(gone)}.")
    frame = pd.DataFrame([vars(dot) for dot in dots])
    data = {"ruler": ruler, "effect": EFFECTS[effect], "models": [vars(dot) for dot in dots]}
    save_all("ruler-against-effect", {"scatter": drawn}, data, frame, f"{ruler} · {EFFECTS[effect]}")


def item_by_item(found: Measured, ruler: str) -> str:
    """Whether, inside one model, the items with the larger share are those that a knock-out changes more."""
    share, effect = found.readings[ruler].by_item, found.effect.by_item
    told = np.isfinite(share) if len(share) else np.zeros(len(effect), bool)
    if told.sum() < LEAST_ITEMS:
        return f"Item by item in {found.model}: n/a, {ruler} has no shares of single items here."
    r = rank_correlation(effect[told], share[told])
    error = 1.96 / np.sqrt(told.sum() - 3)  # Fisher's transformation
    low, high = (np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + side * error) for side in (-1, 1))
    return f"Item by item in {found.model}, r = **{r:+.2f}** ({low:+.2f} to {high:+.2f}) over {told.sum()} items."


def _ranked(found: Agreement) -> str:
    if found.correlation != found.correlation:
        return "n/a"
    return f"{found.correlation:+.2f} ({found.low:+.2f} to {found.high:+.2f} over seeds)"
