"""Budgets by layer: one bar a layer, one colour a segment."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from vlmlens.attention import Budget, Contributions
from vlmlens.charts.style import SEGMENT_COLORS, style
from vlmlens.trace import Segment


def budget(result: Budget, ruler: Literal["share", "rate"] = "share") -> go.Figure:
    """Attention by segment and layer. Layers where nothing competes carry the words "n/a" in place of a bar."""
    if ruler == "share":
        return _stacked(result.labels, result.segments, result.share, "share of attention")
    figure = go.Figure()
    for index, segment in enumerate(result.segments):
        figure.add_scatter(
            x=list(range(len(result.labels))),
            y=result.rate[:, index],
            mode="lines+markers",
            name=segment.word,
            line={"color": SEGMENT_COLORS[segment]},
            customdata=result.labels,
            hovertemplate="%{customdata}: " + segment.word + " gets %{y:.2f} times its size<extra></extra>",
        )
    figure.add_hline(y=1, line={"color": "rgba(128,128,128,0.8)", "dash": "dot"})
    figure.update_yaxes(title="share / share of tokens", rangemode="tozero")
    return style(_layer_axis(figure, result.labels), 240)


def contributions(result: Contributions) -> go.Figure:
    """Share of the update that came from each segment, by layer; comparable between all wirings."""
    return _stacked(result.labels, result.segments, result.share, "share of the update")


def _stacked(labels: Sequence[str], segments: Sequence[Segment], share: np.ndarray, title: str) -> go.Figure:
    figure = go.Figure()
    for index, segment in enumerate(segments):
        figure.add_bar(
            x=list(range(len(labels))),
            y=share[:, index],
            name=segment.word,
            marker={
                "color": SEGMENT_COLORS[segment],
                "pattern": {"shape": "/" if segment is Segment.BOS else "", "fgcolor": "#888888"},
            },
            customdata=labels,
            hovertemplate="%{customdata}: " + segment.word + " %{y:.3f}<extra></extra>",
        )
    for number in np.flatnonzero(np.isnan(share).all(axis=1)):
        figure.add_annotation(x=int(number), y=0.5, text="n/a", showarrow=False)
    figure.update_layout(barmode="stack")
    figure.update_yaxes(range=[0, 1], title=title)
    return style(_layer_axis(figure, labels), 240)


def _layer_axis(figure: go.Figure, labels: Sequence[str]) -> go.Figure:
    """One tick a layer: its number, and every few where there are many."""
    short = [label.split(":")[0].removeprefix("layer ") for label in labels]
    every = max(1, len(labels) // 12)
    ticks = list(range(0, len(labels), every))
    figure.update_xaxes(
        title="layer", tickvals=ticks, ticktext=[short[i] for i in ticks], range=[-0.6, len(labels) - 0.4]
    )
    return figure
