"""Shapley values of the picture's regions by permutation sampling (Castro, Gomez and Tejada, 2009)."""

from captum.attr import ShapleyValueSampling

from vlmlens.attribution.case import Case, Map
from vlmlens.attribution.perturbation import MOST_REGIONS, over_regions
from vlmlens.progress import Progress


def shapley(case: Case, progress: Progress) -> Map:
    progress.step(0, "permutations of regions")
    return over_regions(
        case,
        "shapley",
        ShapleyValueSampling(case.of_pixels).attribute,
        MOST_REGIONS,
        lambda regions: max(1, case.passes // regions),
        "{regions} regions, {samples} random orders of them.",
    )
