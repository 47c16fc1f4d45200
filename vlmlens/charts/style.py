"""Colours with one meaning on every page (Okabe and Ito), and the look that all figures share."""

import plotly.graph_objects as go

from vlmlens.trace import Segment, Trace

SEGMENT_COLORS = {
    Segment.BOS: "#CCCCCC",
    Segment.INSTRUCTION: "#999999",
    Segment.IMAGE: "#E69F00",
    Segment.QUESTION: "#0072B2",
    Segment.ANSWER: "#009E73",
}
BEFORE, AFTER, NULL = "#56B4E9", "#D55E00", "#999999"


def style(figure: go.Figure, height: int) -> go.Figure:
    """Transparent ground, tight margins, no drag: a chart to read, the same in light and dark."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 12},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        dragmode=False,
        bargap=0.25,
    )
    figure.update_xaxes(automargin=True, fixedrange=True, gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    figure.update_yaxes(automargin=True, fixedrange=True, gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure


def caption(trace: Trace) -> str:
    """The small type under a figure that leaves the app: enough to trace it back."""
    return (
        f"{trace.model} ({trace.revision}) · “{trace.question}” · picture {trace.picture_hash[:12]} · "
        f"vlmlens {trace.version}"
    )
