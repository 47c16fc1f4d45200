"""Changes of a picture and of a question, one row each, found by name.

apply("blur", image, strength=0.5).image                      # the same size, the same for the same seed
apply("fill-mean", image, 1.0, region=Region.box(0, 0, 0.5, 0.5)).mask
run(image, [Step("noise", 0.3), Step("flip", 1.0)])           # in order; to_json, from_json
apply_text("filler", question, words=20, seed=1)
"""

from vlmlens.perturb.changes import PERTURBATIONS, Changed, apply, list_perturbations
from vlmlens.perturb.region import Region
from vlmlens.perturb.row import Option, Perturbation
from vlmlens.perturb.stack import Step, from_json, run, to_json
from vlmlens.perturb.text import TEXT, TextChange, apply_text

FILLS = tuple(name for name in PERTURBATIONS if name.startswith("fill-"))

__all__ = [
    "FILLS",
    "PERTURBATIONS",
    "TEXT",
    "Changed",
    "Option",
    "Perturbation",
    "Region",
    "Step",
    "TextChange",
    "apply",
    "apply_text",
    "from_json",
    "list_perturbations",
    "run",
    "to_json",
]
