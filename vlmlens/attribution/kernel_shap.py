"""KernelSHAP (Lundberg and Lee, NeurIPS 2017): Shapley values by a weighted regression on random subsets of regions."""

from captum.attr import KernelShap

from vlmlens.attribution.case import Case, Map
from vlmlens.attribution.perturbation import MOST_REGIONS, over_regions
from vlmlens.progress import Progress


def kernel_shap(case: Case, progress: Progress) -> Map:
    progress.step(0, "subsets of regions")
    return over_regions(
        case,
        "kernel shap",
        KernelShap(case.of_pixels).attribute,
        MOST_REGIONS,
        lambda _regions: case.passes,
        "{regions} regions, {samples} random subsets of them.",
    )
