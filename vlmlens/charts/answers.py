"""The most probable answers as bars."""

import plotly.graph_objects as go

from vlmlens.charts.style import SEGMENT_COLORS, style
from vlmlens.trace import Segment, Trace


def answers(trace: Trace, most: int = 4) -> go.Figure:
    """Answers with their probabilities, the most probable on top; the axis is always 0 to 1."""
    shown = trace.answers[:most]
    figure = go.Figure(
        go.Bar(
            x=[a.probability for a in shown],
            y=[f"{a.text} " for a in shown],
            orientation="h",
            marker={"color": [SEGMENT_COLORS[Segment.ANSWER]] + ["rgba(128,128,128,0.55)"] * (len(shown) - 1)},
            text=[f"{a.probability:.3f}" for a in shown],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: probability %{x:.4f}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 1.12], tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return style(figure, 25 * len(shown) + 34)
