"""Figures that leave the app, as bytes of a file. Drawn in this process: no browser, no network."""

import copy

import vl_convert

from vlmlens.charts.figure import Figure

FORMATS = ("html", "png", "svg", "pdf")
CAPTION = 70  # pixels that the caption and the white around the figure add to its height
WIDTH = 800  # pixels, axes and legend included; twice as many in a PNG


def export(figure: Figure, kind: str, caption: str) -> bytes:
    """The figure on white with `caption` in small type below. `kind` is one of `FORMATS`; HTML works without a network.

    Raises:
        ValueError: another `kind`.
    """
    spec = copy.deepcopy(figure.spec)
    spec |= {
        "width": WIDTH,
        "height": spec["height"] + CAPTION,
        "background": "white",
        "padding": 16,
        "title": {
            "text": caption,
            "orient": "bottom",
            "anchor": "start",
            "fontSize": 9,
            "fontWeight": "normal",
            "color": "#666666",
            "offset": 12,
            "limit": WIDTH - 32,
        },
    }
    if kind == "html":
        return vl_convert.vegalite_to_html(spec, bundle=True).encode()
    if kind == "svg":
        return vl_convert.vegalite_to_svg(spec).encode()
    if kind == "png":
        return vl_convert.vegalite_to_png(spec, scale=2)
    if kind == "pdf":
        return vl_convert.vegalite_to_pdf(spec)
    raise ValueError(f"{kind!r} is not a format for a figure; one of {FORMATS}")
