"""What traces say: budgets, sinks, and whether a map's hottest region mattered."""

from vlmlens.attention.budget import Budget, budget
from vlmlens.attention.causal import CausalCheck, causal_check, hottest_window
from vlmlens.attention.contrast import Contrast, contrast
from vlmlens.attention.contributions import Contributions, contributions
from vlmlens.attention.distances import head_entropy, head_share, hellinger, image_heads, over_image
from vlmlens.attention.maps import default_place, image_maps
from vlmlens.attention.masking import MODES, ROUTES, masking_sweep, routes, sweeping
from vlmlens.attention.relative import relative
from vlmlens.attention.report import PlaceReport, causal_report
from vlmlens.attention.rollout import rollout, value_norms
from vlmlens.attention.sinks import SinkParts, sink_parts, sinks, without_sinks
from vlmlens.attention.sweep import Mode, Sweep

__all__ = [
    "MODES",
    "ROUTES",
    "Budget",
    "CausalCheck",
    "Contrast",
    "Contributions",
    "Mode",
    "PlaceReport",
    "SinkParts",
    "Sweep",
    "budget",
    "causal_check",
    "causal_report",
    "contrast",
    "contributions",
    "default_place",
    "head_entropy",
    "head_share",
    "hellinger",
    "hottest_window",
    "image_heads",
    "image_maps",
    "masking_sweep",
    "over_image",
    "relative",
    "rollout",
    "routes",
    "sink_parts",
    "sinks",
    "sweeping",
    "value_norms",
    "without_sinks",
]
