"""The causal check on one probability axis: before, hidden, and the same shape hidden elsewhere."""

import plotly.graph_objects as go

from vlmlens.attention import CausalCheck
from vlmlens.charts.style import AFTER, BEFORE, NULL, style


def causal(check: CausalCheck) -> go.Figure:
    """Grey: the answer's probability with each other place hidden, and the interval of their mean."""
    figure = go.Figure()
    low, high = check.interval
    if check.elsewhere:
        figure.add_shape(
            type="rect",
            x0=low,
            x1=high,
            y0=-0.32,
            y1=0.32,
            fillcolor=NULL,
            opacity=0.3,
            line={"width": 0},
            layer="below",
        )
        # Dots are spread in height so that equal values stay visible.
        spread = [0.24 * ((i % 5) - 2) / 2 for i in range(len(check.elsewhere))]
        figure.add_scatter(
            x=check.elsewhere,
            y=spread,
            mode="markers",
            name="hidden elsewhere",
            marker={"color": NULL, "size": 7, "opacity": 0.75},
            hovertemplate="same shape elsewhere: %{x:.3f}<extra></extra>",
        )
    for name, value, color, symbol in (
        ("before", check.before, BEFORE, "line-ns-open"),
        ("region hidden", check.after, AFTER, "diamond"),
    ):
        figure.add_scatter(
            x=[value],
            y=[0],
            mode="markers",
            name=name,
            marker={
                "color": color,
                "size": 16 if symbol == "diamond" else 30,
                "symbol": symbol,
                "line": {"width": 3, "color": color},
            },
            hovertemplate=name + ": %{x:.3f}<extra></extra>",
        )
    figure.update_xaxes(range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], title=f"probability of “{check.answer}”")
    figure.update_yaxes(visible=False, range=[-0.5, 0.5])
    return style(figure, 150)
