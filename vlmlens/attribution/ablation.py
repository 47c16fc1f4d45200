"""Feature ablation: each patch in turn filled with the picture's mean colour; how much does the score fall?"""

from captum.attr import FeatureAblation

from vlmlens.attribution.case import Case, Map
from vlmlens.attribution.perturbation import over_regions
from vlmlens.progress import Progress


def ablation(case: Case, progress: Progress) -> Map:
    progress.step(0, "patches filled")
    return over_regions(
        case,
        "ablation",
        FeatureAblation(case.of_pixels).attribute,
        max(1, case.passes - 1),
        None,
        "{regions} regions, one pass each.",
    )
