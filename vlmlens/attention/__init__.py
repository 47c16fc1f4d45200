"""What traces say: budgets, sinks, and whether a map's hottest region mattered."""

from vlmlens.attention.budget import Budget, budget
from vlmlens.attention.causal import CausalCheck, causal_check, hottest_window
from vlmlens.attention.contrast import Contrast, contrast
from vlmlens.attention.contributions import Contributions, contributions
from vlmlens.attention.distances import head_entropy, head_share, hellinger, image_heads, over_image
from vlmlens.attention.every_row import EveryRow, every_row
from vlmlens.attention.maps import default_place, image_maps, seen
from vlmlens.attention.masking import MODES, ROUTES, masking_sweep, routes, sweeping
from vlmlens.attention.patching import Patching, patch
from vlmlens.attention.refine import FORMS, Form, Refined, crop_again, hot_box, suppress
from vlmlens.attention.refine_many import Change, RefineStudy, mcnemar, measured, refine_many, refining
from vlmlens.attention.relative import relative
from vlmlens.attention.report import PlaceReport, causal_report
from vlmlens.attention.rollout import rollout, value_norms
from vlmlens.attention.sinks import SinkParts, sink_parts, sinks
from vlmlens.attention.sweep import Mode, Sweep

__all__ = [
    "FORMS",
    "MODES",
    "ROUTES",
    "Budget",
    "CausalCheck",
    "Change",
    "Contrast",
    "Contributions",
    "EveryRow",
    "Form",
    "Mode",
    "Patching",
    "PlaceReport",
    "RefineStudy",
    "Refined",
    "SinkParts",
    "Sweep",
    "budget",
    "causal_check",
    "causal_report",
    "contrast",
    "contributions",
    "crop_again",
    "default_place",
    "every_row",
    "head_entropy",
    "head_share",
    "hellinger",
    "hot_box",
    "hottest_window",
    "image_heads",
    "image_maps",
    "masking_sweep",
    "mcnemar",
    "measured",
    "over_image",
    "patch",
    "refine_many",
    "refining",
    "relative",
    "rollout",
    "routes",
    "seen",
    "sink_parts",
    "sinks",
    "suppress",
    "sweeping",
    "value_norms",
]
