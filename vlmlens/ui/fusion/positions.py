"""Positions: how the fusion is told where things are, how far each way reaches, and what it is worth."""

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.lab.positions import POSITIONS, Positions, Reach, bands, reach, similarity
from vlmlens.lab.vision import HEADS, SIDE, WIDTH
from vlmlens.lab.weights import LabName, load_wiring
from vlmlens.ui.fusion import positions_measured
from vlmlens.ui.fusion import positions_words as words
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.save import save_all

LAB_PAIRS = WIDTH // HEADS // 2
FARTHEST = SIDE - 1  # patches apart, on the lab's own board


def draw() -> None:
    left, right = st.columns([1, 3], gap="large")
    with left:
        name = str(st.radio("Positions", list(POSITIONS), index=2, key="positions", bind="query-params"))
        positions = POSITIONS[name]
        st.caption(positions.sentence)
        row = st.slider("Rows apart", -FARTHEST, FARTHEST, 1, key="positions-row", bind="query-params")
        column = st.slider("Columns apart", -FARTHEST, FARTHEST, 2, key="positions-column", bind="query-params")
        pairs = LAB_PAIRS
        if positions.rotary:
            sizes = {f"{LAB_PAIRS}, as in this lab": LAB_PAIRS, "64, as in Qwen": 64}
            chosen = st.segmented_control("Pairs of a head", list(sizes), default=next(iter(sizes)), required=True)
            pairs = sizes[str(chosen)]
    with right, guard():
        _reach(positions, pairs, row, column)
    with guard():
        positions_measured.draw(name, row, column)
    _literature()


def _reach(positions: Positions, pairs: int, row: int, column: int) -> None:
    """What distance does to a score, from the encoding itself."""
    found, title, help_ = _scores(positions, pairs)
    mean, least, most = found.at(row, column)
    apart = f"{_many(abs(row), 'row')} and {_many(abs(column), 'column')} apart"
    if positions.rotary:
        said = (
            f"Of the score that a patch gives its like at no distance, **{mean:.2f}** is left {apart} "
            f"(90 % of {words.DRAWS} random vectors: {least:.2f} to {most:.2f})."
        )
    elif positions.learned:
        said = (
            f"The places that lab:concat learned have a cosine of **{mean:+.2f}** on average {apart} "
            f"({least:+.2f} to {most:+.2f} over all such pairs of its {SIDE * SIDE} patches)."
        )
    else:
        said = f"Without positions a score is the same {apart} as at no distance: **1.00**, always."
    titled(said, help_)
    plane, lines = st.columns([1, 1.1], gap="medium")
    surface = charts.reach_plane(found, row, column, title)
    cuts = charts.reach_lines(found, row, column, title)
    with plane:
        st.caption(f"{title[0].upper()}{title[1:]}, by distance")
        chart(surface)
    with lines:
        st.caption("Along one axis: mean and middle 90 %" if positions.rotary else "Along one axis: mean and range")
        chart(cuts)
    figures = {"plane": surface, "along an axis": cuts}
    if positions.rotary:
        titled(_frequencies(positions, pairs), words.FREQUENCIES)
        figures["frequencies"] = charts.allocation(positions.pairs(pairs))
        chart(figures["frequencies"])
    frame = pd.DataFrame(
        [
            {"rows": r, "columns": c, "mean": found.mean[i, j], "low": found.low[i, j], "high": found.high[i, j]}
            for i, r in enumerate(found.offsets)
            for j, c in enumerate(found.offsets)
        ]
    )
    save_all(
        "positions",
        figures,
        {"positions": positions.name, "pairs": pairs, "scores": frame.round(5).to_dict("records")},
        frame,
        f"positions · {positions.name}",
    )


def _scores(positions: Positions, pairs: int) -> tuple[Reach, str, tuple[str, str]]:
    """The scores by distance, what they are called, and their `?`."""
    if positions.learned:
        return _learned(), "cosine of two places", words.LEARNED
    return _rotary(positions.name, pairs), "score, of that at no distance", words.REACH


@st.cache_data(show_spinner=False)
def _rotary(name: str, pairs: int) -> Reach:
    return reach(POSITIONS[name].pairs(pairs), FARTHEST)


@st.cache_data(show_spinner=False)
def _learned() -> Reach:
    places = load_wiring(LabName("concat")).fusion.enter_image.places
    return similarity(places.detach().double().numpy(), SIDE)


def _frequencies(positions: Positions, pairs: int) -> str:
    found = bands(positions, pairs)
    parts = [
        f"{band.axis}s have {band.pairs} pairs, back after {band.shortest:.1f} to {band.longest:.0f} patches"
        if band.axis != "time"
        else f"time has {band.pairs}, {band.shortest:.1f} to {band.longest:.0f}"
        for band in found
    ]
    lacking = [
        f"{band.axis} has no {'fast' if not band.fast else 'slow'} one"
        if band.fast or band.slow
        else f"{band.axis} has neither"
        for band in found
        if not (band.fast and band.slow)
    ]
    verdict = (
        f"Not every axis has a pair among the fastest third and one among the slowest: {'; '.join(lacking)}."
        if lacking
        else "**Every axis has fast pairs, which tell neighbors apart, and slow ones, which span the board.**"
    )
    told = "; ".join(parts)
    return f"{told[0].upper()}{told[1:]}. {verdict}"


def _literature() -> None:
    with st.expander("What the literature says of each"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "positions": name,
                        "used by": positions.known_as,
                        "best for": positions.best_for,
                        "cannot": positions.cannot,
                    }
                    for name, positions in POSITIONS.items()
                ]
            ),
            width="stretch",
            hide_index=True,
        )
        st.markdown(words.LITERATURE)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
