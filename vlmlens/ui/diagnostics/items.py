"""Every item with its word, and how many got which."""

import streamlit as st

from vlmlens import charts
from vlmlens.diagnostics import LABELS
from vlmlens.ui.diagnostics import words
from vlmlens.ui.diagnostics.work import Found
from vlmlens.ui.look import chart, titled

EVERY = "all"


def draw(found: Found) -> None:
    diagnosis, items = found.card.diagnosis, found.items
    if diagnosis is None or items is None:
        return
    most = max(diagnosis.counts, key=lambda name: diagnosis.counts[name])
    share = diagnosis.counts[most] / len(items)
    titled(f"**Item by item**: {share:.0%} of {len(items)} are *{most}*. {LABELS[most].sentence}", words.ITEMS)
    bars, table = st.columns([1, 1.7], gap="large")
    with bars:
        chart(charts.labels(diagnosis.counts))
    with table:
        chosen = st.pills("Only", [EVERY, *diagnosis.counts], key="diag-word", default=EVERY, required=True)
        shown = items if chosen in (None, EVERY) else items[items["word"] == chosen]
        st.dataframe(
            shown,
            width="stretch",
            height=240,
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.3f") for name in ("probability", "moves, bits")
            },
        )
