"""What every chart returns: a Vega-Lite specification, and the colours and look that all of them share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlmlens.trace import Segment, Trace

Spec = dict[str, Any]

# One meaning on every page (Okabe and Ito, safe for colour-blind eyes).
SEGMENT_COLORS = {
    Segment.BOS: "#CCCCCC",
    Segment.INSTRUCTION: "#999999",
    Segment.IMAGE: "#E69F00",
    Segment.QUESTION: "#0072B2",
    Segment.ANSWER: "#009E73",
    Segment.LATENT: "#F0E442",
}
BEFORE, AFTER, NULL = "#56B4E9", "#D55E00", "#999999"
QUIET = "#808080"  # lines that only help to read: seen on white and on the dark ground

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is fetched from it
_FIT = {"type": "fit", "contains": "padding"}
_CONFIG = {
    "axis": {"gridColor": "#80808040", "domain": False, "ticks": False, "labelPadding": 4, "titleFontWeight": "normal"},
    "legend": {"orient": "top", "title": None, "symbolStrokeWidth": 2},
    "view": {"stroke": None},
}


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite specification with its data inside. Jupyter draws it; `altair.Chart.from_dict(figure.spec)` edits it.

    `told` is the figure in a sentence, for who cannot see it.
    """

    spec: Spec
    told: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"application/vnd.vegalite.v6+json": self.spec, "text/plain": self.told}


def figure(body: Spec, told: str, height: int) -> Figure:
    """`body` (marks and encodings) in the common look; `height` in pixels, axes and legend included."""
    return Figure({"$schema": _SCHEMA, "height": height, "autosize": _FIT, "config": _CONFIG} | body, told)


def rows(**columns: Sequence[Any]) -> Spec:
    """Columns as inline data. Not-a-number becomes null, which Vega-Lite leaves out."""
    names = list(columns)
    return {
        "values": [
            {name: None if value != value else value for name, value in zip(names, row, strict=True)}
            for row in zip(*columns.values(), strict=True)
        ]
    }


def named_rows(names: Sequence[str] | Sequence[list[str]], **axis: Any) -> Spec:
    """A row for each name (or its lines), in their order: the vertical channel of data whose `place` is the row."""
    return {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(range(len(names)))},
        "axis": {"labelExpr": f"{json.dumps(list(names))}[datum.value]", "grid": True, **axis},
    }


def caption(trace: Trace) -> str:
    """The small type under a figure that leaves the app: enough to trace it back."""
    return (
        f"{trace.model} ({trace.revision}) · “{trace.question}” · picture {trace.picture_hash[:12]} · "
        f"vlmlens {trace.version}"
    )
