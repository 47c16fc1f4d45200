"""Results in, Vega-Lite figures out, drawn by the page, a notebook or `export`. A figure computes nothing."""

from vlmlens.charts.ablation import against_truth, conditions, shares, text_shares
from vlmlens.charts.answers import answers
from vlmlens.charts.budget import budget, contributions
from vlmlens.charts.budget_difference import budget_difference
from vlmlens.charts.causal import causal
from vlmlens.charts.contrast import distances
from vlmlens.charts.dose import dose
from vlmlens.charts.effects import effects
from vlmlens.charts.export import FORMATS, export
from vlmlens.charts.figure import SEGMENT_COLORS, Figure, caption
from vlmlens.charts.growth import context_attention, context_use, mask_dose
from vlmlens.charts.information import (
    ATOM_COLORS,
    ATOMS,
    axis_end,
    by_layer,
    controls,
    estimated,
    exact,
    gauge,
    reach,
    side_by_side,
)
from vlmlens.charts.overlay import overlay
from vlmlens.charts.paired import paired_answers
from vlmlens.charts.patching import patching
from vlmlens.charts.pitfalls import pitfall, remedy
from vlmlens.charts.pointing import pointing
from vlmlens.charts.sweep import PICKED, sweep
from vlmlens.charts.training import Line, training
from vlmlens.charts.trust import curves
from vlmlens.charts.verdicts import SCALES, SHAPES, Scale, against, differences, labels, scorecard

__all__ = [
    "ATOMS",
    "ATOM_COLORS",
    "FORMATS",
    "PICKED",
    "SCALES",
    "SEGMENT_COLORS",
    "SHAPES",
    "Figure",
    "Line",
    "Scale",
    "against",
    "against_truth",
    "answers",
    "axis_end",
    "budget",
    "budget_difference",
    "by_layer",
    "caption",
    "causal",
    "conditions",
    "context_attention",
    "context_use",
    "contributions",
    "controls",
    "curves",
    "differences",
    "distances",
    "dose",
    "effects",
    "estimated",
    "exact",
    "export",
    "gauge",
    "labels",
    "mask_dose",
    "overlay",
    "paired_answers",
    "patching",
    "pitfall",
    "pointing",
    "reach",
    "remedy",
    "scorecard",
    "shares",
    "side_by_side",
    "sweep",
    "text_shares",
    "training",
]
