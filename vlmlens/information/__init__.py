"""How many bits each modality brings, alone and together."""

from vlmlens.information.contributions import Pointwise, Shap, mm_shap, pointwise, ranked
from vlmlens.information.estimate import Estimate, Share, Term, estimate
from vlmlens.information.gates import GATES, Gate, gate, mixture
from vlmlens.information.gaussian import gaussian, sample_gaussian
from vlmlens.information.interventional import Interventional, interventional
from vlmlens.information.published import Published, published
from vlmlens.information.representational import Running
from vlmlens.information.solver import PID, InformationError, decompose, optimum
from vlmlens.information.truths import TRUTHS, Truth

__all__ = [
    "GATES",
    "PID",
    "TRUTHS",
    "Estimate",
    "Gate",
    "InformationError",
    "Interventional",
    "Pointwise",
    "Published",
    "Running",
    "Shap",
    "Share",
    "Term",
    "Truth",
    "decompose",
    "estimate",
    "gate",
    "gaussian",
    "interventional",
    "mixture",
    "mm_shap",
    "optimum",
    "pointwise",
    "published",
    "ranked",
    "sample_gaussian",
]
