"""Budgets by layer: one bar a layer, one colour a segment."""

import json
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vlmlens.attention import Budget, Contributions
from vlmlens.charts.figure import QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

HEIGHT = 212


def budget(result: Budget, ruler: Literal["share", "rate"] = "share") -> Figure:
    """Attention by segment and layer. Layers where nothing competes carry the words "n/a" in place of a bar."""
    if ruler == "share":
        return _stacked(result.labels, result.segments, result.share, "share of attention")
    lines = _layers(result.labels, result.segments, result.rate, "share / share of tokens", ".2f")
    lines["encoding"]["y"]["scale"] = {"zero": True}
    body = {
        "layer": [
            lines | {"mark": {"type": "line", "point": True}},
            {"data": {"values": [{}]}, "mark": {"type": "rule", "strokeDash": [2, 2], "color": QUIET}}
            | {"encoding": {"y": {"datum": 1}}},
        ]
    }
    return figure(body, "Rate of attention by layer and segment; 1 is what a segment's size would give it", HEIGHT)


def contributions(result: Contributions) -> Figure:
    """Share of the update that came from each segment, by layer; comparable between all wirings."""
    return _stacked(result.labels, result.segments, result.share, "share of the update")


def _stacked(labels: Sequence[str], segments: Sequence[Segment], share: np.ndarray, title: str) -> Figure:
    bars = _layers(labels, segments, share, title, ".3f")
    bars["encoding"]["y"] |= {"stack": "zero", "scale": {"domain": [0, 1]}}
    bars["encoding"]["order"] = {"field": "order", "type": "quantitative"}
    # BOS is told from the other greys by an outline too.
    outline = {"condition": {"test": f"datum.segment == '{Segment.BOS.word}'", "value": "#666666"}, "value": None}
    bars["encoding"]["stroke"] = outline
    empty = np.flatnonzero(np.isnan(share).all(axis=1))
    words = {
        "data": rows(place=empty.tolist()),
        "mark": {"type": "text", "text": "n/a", "fontSize": 12},
        "encoding": {"x": bars["encoding"]["x"], "y": {"datum": 0.5}},
    }
    body = {"layer": [bars | {"mark": {"type": "bar", "strokeDash": [2, 2]}}, *([words] if len(empty) else [])]}
    return figure(body, f"{title.capitalize()} by layer and segment", HEIGHT)


def _layers(labels: Sequence[str], segments: Sequence[Segment], values: np.ndarray, title: str, format: str) -> Spec:
    """Data and encoding of `values` [layer, segment]; the axis has a layer's number, its tooltip the whole label."""
    words = [segment.word for segment in segments]
    across = range(len(labels))
    return {
        "data": rows(
            place=[place for place in across for _ in words],
            layer=[label for label in labels for _ in words],
            segment=words * len(labels),
            order=list(range(len(words))) * len(labels),
            value=values.ravel().tolist(),
        ),
        "encoding": {
            "x": {
                "field": "place",
                "type": "ordinal",
                "title": "layer",
                "scale": {"domain": list(across)},
                "axis": {
                    "labelAngle": 0,
                    "labelOverlap": True,
                    "labelExpr": f"{json.dumps(_short(labels))}[datum.value]",
                },
            },
            "y": {"field": "value", "type": "quantitative", "title": title},
            "color": {
                "field": "segment",
                "type": "nominal",
                "scale": {"domain": words, "range": [SEGMENT_COLORS[segment] for segment in segments]},
            },
            "tooltip": [
                {"field": "layer", "type": "nominal"},
                {"field": "segment", "type": "nominal"},
                {"field": "value", "type": "quantitative", "title": title, "format": format},
            ],
        },
    }


def _short(labels: Sequence[str]) -> list[str]:
    return [label.split(":")[0].removeprefix("layer ") for label in labels]
