"""Figures that leave the app, as bytes of a file."""

import plotly.graph_objects as go

from vlmlens.errors import UserError

FORMATS = ("html", "png", "svg")


def export(figure: go.Figure, kind: str, caption: str) -> bytes:
    """The figure on white with `caption` in small type below; PNG and SVG need a Chromium or Chrome on this machine.

    Raises:
        UserError: no browser to draw a PNG or SVG with.
    """
    figure = go.Figure(figure)
    figure.update_layout(
        paper_bgcolor="white",
        plot_bgcolor="white",
        template="plotly_white",
        margin={"b": 90, "t": 40, "l": 70, "r": 30},
    )
    figure.add_annotation(
        text=caption,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-80,
        showarrow=False,
        xanchor="left",
        font={"size": 9, "color": "#666666"},
    )
    if kind == "html":
        return str(figure.to_html(include_plotlyjs=True)).encode()
    try:
        return bytes(figure.to_image(kind, width=900, height=int(figure.layout.height or 300) + 120, scale=2))
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(
            "PNG and SVG are drawn by Chromium or Chrome, and none was found here; save HTML instead, or install one."
        ) from error
