"""Results in, Vega-Lite figures out, drawn by the page, a notebook or `export`. A figure computes nothing."""

from vlmlens.charts.answers import answers
from vlmlens.charts.budget import budget, contributions
from vlmlens.charts.causal import causal
from vlmlens.charts.export import FORMATS, export
from vlmlens.charts.figure import SEGMENT_COLORS, Figure, caption
from vlmlens.charts.overlay import overlay

__all__ = [
    "FORMATS",
    "SEGMENT_COLORS",
    "Figure",
    "answers",
    "budget",
    "caption",
    "causal",
    "contributions",
    "export",
    "overlay",
]
