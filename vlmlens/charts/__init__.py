"""Results in, Vega-Lite figures out, drawn by the page, a notebook or `export`. A figure computes nothing."""

from vlmlens.charts.ablation import (
    against_truth,
    by_wiring,
    conditions,
    differences_to_published,
    shares,
    text_shares,
)
from vlmlens.charts.allotted import accuracy_by_total, budget_map
from vlmlens.charts.answers import answers
from vlmlens.charts.budget import budget, contributions
from vlmlens.charts.budget_difference import budget_difference
from vlmlens.charts.by_kind import by_kind
from vlmlens.charts.causal import causal
from vlmlens.charts.compression import GROUPS, Compressed, compressed, compression, compression_panels
from vlmlens.charts.contrast import distances
from vlmlens.charts.cost import cost_parts, scaled_accuracy
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
from vlmlens.charts.lessons import Bar, Curve, dial_curves, named_bars
from vlmlens.charts.masks import mask, reached
from vlmlens.charts.overlay import overlay
from vlmlens.charts.paired import paired_answers
from vlmlens.charts.patching import patching
from vlmlens.charts.pitfalls import pitfall, remedy
from vlmlens.charts.pointing import pointing
from vlmlens.charts.positions import allocation, encodings, reach_lines, reach_plane
from vlmlens.charts.predictions import predictions
from vlmlens.charts.pruning import by_share, saved, who_stays
from vlmlens.charts.queries import query_looks, query_use
from vlmlens.charts.rulers import LOOKS, YOURS, Dot, Mark, by_ruler, ruler_against_effect
from vlmlens.charts.survivors import survivors
from vlmlens.charts.sweep import PICKED, sweep
from vlmlens.charts.training import Line, training
from vlmlens.charts.trust import curves
from vlmlens.charts.two_stages import learning, variants
from vlmlens.charts.verdicts import SCALES, SHAPES, Scale, against, differences, labels, scorecard
from vlmlens.charts.wiring_diagram import wiring_diagram

__all__ = [
    "ATOMS",
    "ATOM_COLORS",
    "FORMATS",
    "GROUPS",
    "LOOKS",
    "PICKED",
    "SCALES",
    "SEGMENT_COLORS",
    "SHAPES",
    "YOURS",
    "Bar",
    "Compressed",
    "Curve",
    "Dot",
    "Figure",
    "Line",
    "Mark",
    "Scale",
    "accuracy_by_total",
    "against",
    "against_truth",
    "allocation",
    "answers",
    "axis_end",
    "budget",
    "budget_difference",
    "budget_map",
    "by_kind",
    "by_layer",
    "by_ruler",
    "by_share",
    "by_wiring",
    "caption",
    "causal",
    "compressed",
    "compression",
    "compression_panels",
    "conditions",
    "context_attention",
    "context_use",
    "contributions",
    "controls",
    "cost_parts",
    "curves",
    "dial_curves",
    "differences",
    "differences_to_published",
    "distances",
    "dose",
    "effects",
    "encodings",
    "estimated",
    "exact",
    "export",
    "gauge",
    "labels",
    "learning",
    "mask",
    "mask_dose",
    "named_bars",
    "overlay",
    "paired_answers",
    "patching",
    "pitfall",
    "pointing",
    "predictions",
    "query_looks",
    "query_use",
    "reach",
    "reach_lines",
    "reach_plane",
    "reached",
    "remedy",
    "ruler_against_effect",
    "saved",
    "scaled_accuracy",
    "scorecard",
    "shares",
    "side_by_side",
    "survivors",
    "sweep",
    "text_shares",
    "training",
    "variants",
    "who_stays",
    "wiring_diagram",
]
