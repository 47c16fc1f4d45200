"""What traces say: budgets, sinks, and whether a map's hottest region mattered."""

from vlmlens.attention.budget import Budget, budget
from vlmlens.attention.causal import CausalCheck, causal_check, hottest_window
from vlmlens.attention.contributions import Contributions, contributions
from vlmlens.attention.maps import default_place, image_maps
from vlmlens.attention.report import PlaceReport, causal_report
from vlmlens.attention.sinks import sinks

__all__ = [
    "Budget",
    "CausalCheck",
    "Contributions",
    "PlaceReport",
    "budget",
    "causal_check",
    "causal_report",
    "contributions",
    "default_place",
    "hottest_window",
    "image_maps",
    "sinks",
]
