"""Results in, Plotly figures out. A figure computes nothing."""

from vlmlens.charts.answers import answers
from vlmlens.charts.budget import budget, contributions
from vlmlens.charts.causal import causal
from vlmlens.charts.export import FORMATS, export
from vlmlens.charts.overlay import overlay
from vlmlens.charts.style import SEGMENT_COLORS, caption

__all__ = [
    "FORMATS",
    "SEGMENT_COLORS",
    "answers",
    "budget",
    "caption",
    "causal",
    "contributions",
    "export",
    "overlay",
]
