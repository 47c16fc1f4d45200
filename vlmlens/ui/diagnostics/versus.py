"""A second model on the same probe set: differences with intervals, side by side."""

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.charts import SCALES, SHAPES
from vlmlens.diagnostics import Change, Scorecard, compare
from vlmlens.ui.diagnostics import words
from vlmlens.ui.look import chart, titled


def draw(first: Scorecard, second: Scorecard) -> None:
    changes = compare(first, second)
    titled(f"**{second.model} beside {first.model}**: {sentence(changes)}", words.VERSUS)
    told = [card.diagnosis.name if card.diagnosis else "not known yet" for card in (first, second)]
    st.markdown(f"Diagnosis: *{told[0]}* and *{told[1]}*.")
    table, drawn = st.columns([2, 1], gap="medium")
    with table:
        st.dataframe(frame(changes, first, second), hide_index=True, width="stretch")
    with drawn:
        if any(change.interval[0] == change.interval[0] for change in changes):
            chart(charts.differences(changes))
    if changes and not changes[0].paired:
        st.caption("The two cards are not of the same probe set, so the intervals are wider than they need be.")


def sentence(changes: tuple[Change, ...]) -> str:
    """Which tests tell the two apart."""
    apart = [change.name for change in changes if change.differs]
    verdicts = [change.name for change in changes if change.verdicts[0] != change.verdicts[1]]
    told = f"their effects differ in {', '.join(apart)}" if apart else "no effect is shown to differ"
    return f"{told}; their verdicts differ in {', '.join(verdicts)}." if verdicts else f"{told}; all verdicts agree."


def frame(changes: tuple[Change, ...], first: Scorecard, second: Scorecard) -> pd.DataFrame:
    """One row a test, as a person reads it."""

    def said(card: Scorecard, name: str) -> str:
        row = card.row(name)
        return f"{SHAPES[row.verdict]} {row.verdict} {SCALES[name].write(row.effect)}"

    def difference(change: Change) -> str:
        if change.difference != change.difference:
            return "n/a"
        spec = "+" + SCALES[change.name].spec.removeprefix("+")
        low, high = change.interval
        bounds = f" ({low:{spec}} to {high:{spec}})" if low == low else ""
        return f"{change.difference:{spec}}{SCALES[change.name].unit}{bounds}".replace("-", "−")

    return pd.DataFrame(
        [
            {
                "test": change.name,
                first.model: said(first, change.name),
                second.model: said(second, change.name),
                "difference (95 %)": difference(change),
                "differs": "yes" if change.differs else "not shown",
            }
            for change in changes
        ]
    )
