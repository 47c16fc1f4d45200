"""Accuracy on held-out questions by the share kept, as the benchmark measured it."""

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.charts.pruning import Point
from vlmlens.tokens.prune_measured import COMMAND, Accuracy, Measured, read
from vlmlens.tokens.rank import RANKERS
from vlmlens.ui.look import chart, titled
from vlmlens.ui.tokens import pruning_words as words

MEASURED_FIRST = "lab:llava"


def accuracy(model: str, layer: int, share: float) -> tuple[dict[str, charts.Figure], pd.DataFrame | None]:
    """Draws what was measured of this model, or of lab:llava; what can be saved of it."""
    st.markdown("**And over many questions?**")
    found = read()
    if found is None:
        st.info(f"n/a: not measured yet. `{COMMAND}` measures it, in about three minutes.")
        return {}, None
    own = found.of(model, layer)
    if not own:
        model, layer = MEASURED_FIRST, 1
        own = found.of(model, layer)
        st.caption(f"Measured of {model} only, after layer {layer}.")
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        titled(sentence(own, model, layer, share), words.ACCURACY)
        figure = charts.by_share(_points(own), f"accuracy of {model}, K = {layer}", "95 %", share)
        chart(figure)
    frame = _table(found)
    with right:
        st.dataframe(frame[frame["model"] == model].drop(columns="model"), width="stretch", hide_index=True, height=260)
        about = found.about
        st.caption(
            f"{about['items']['n']} held-out questions · `{about['command']}` · {about['date']}, torch "
            f"{about['versions']['torch']} · all seeds and times: docs/pruning.md"
        )
    return {"accuracy": figure}, frame


def sentence(own: tuple[Accuracy, ...], model: str, layer: int, share: float) -> str:
    """The accuracy at the measured share nearest to this one, against all tokens and against chance."""
    rows = {(row.share, row.by): row for row in own}
    full = rows[1.0, "all"]
    nearest = min({row.share for row in own}, key=lambda each: (abs(each - share), each))
    start = f"With all image tokens {model} answers **{full.accuracy:.3f}** of {full.n} held-out questions"
    if nearest == 1:
        return f"{start} ({full.interval[0]:.3f} to {full.interval[1]:.3f})."
    chosen, chance = rows[nearest, "attention"], rows[nearest, "random"]
    low, high = chosen.above_interval
    word = "more than chance" if low > 0 else "less than chance" if high < 0 else "inconclusive against chance"
    return (
        f"{start}; with {nearest:.0%} of them after layer {layer}, chosen by attention, **{chosen.accuracy:.3f}** "
        f"({chosen.interval[0]:.3f} to {chosen.interval[1]:.3f}), by chance {chance.accuracy:.3f}: "
        f"{chosen.above:+.3f} ({low:+.3f} to {high:+.3f}), **{word}**."
    )


def _points(own: tuple[Accuracy, ...]) -> dict[str, list[Point]]:
    full = next(row for row in own if row.by == "all")
    start = (1.0, full.accuracy, *full.interval)
    return {
        name: [start, *((row.share, row.accuracy, *row.interval) for row in own if row.by == name)] for name in RANKERS
    }


def _table(found: Measured) -> pd.DataFrame:
    lines = [
        {
            "model": row.model,
            "K": row.layer,
            "kept": f"{row.share:.0%}",
            "ranked by": row.by,
            "accuracy": f"{row.accuracy:.3f} ({row.interval[0]:.3f} to {row.interval[1]:.3f})",
            "above chance": "n/a"
            if row.above != row.above
            else f"{row.above:+.3f} ({row.above_interval[0]:+.3f} to {row.above_interval[1]:+.3f})",
        }
        for row in found.accuracy
    ]
    return pd.DataFrame(lines)
