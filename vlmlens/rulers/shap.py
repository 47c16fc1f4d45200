"""How much of the answer's probability do regions of the picture carry, averaged over orders of adding them?"""

import numpy as np

from vlmlens.errors import NotApplicable
from vlmlens.information.contributions import mm_shap
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell
from vlmlens.rulers.shares import over_items

MOST_ITEMS = 24
PERMUTATIONS = 6  # each also walked backwards


def measure(bench: Bench) -> Reading:
    shares: list[float] = []
    count = min(MOST_ITEMS, len(bench))
    for index, trace in enumerate(bench.traces[:count]):
        bench.step(index, count)
        picture, question = bench.ensemble.item(index)
        try:
            found = mm_shap(
                bench.vlm, picture, question, trace.answers[0].candidate, PERMUTATIONS, index, text=bench.text
            )
        except NotApplicable as refusal:
            return cannot_tell(str(refusal))
        shares.append(1 - found.text_share)
    return over_items(bench, np.array(shares).tolist(), "hiding any part of picture or words changes nothing")


RULER = Ruler(
    "MM-SHAP",
    "both",
    f"Shapley values of up to nine regions of the picture and of every word, for the answer's probability, with hidden "
    f"tokens read by nobody; the regions' part of the sum of absolute values. Estimated from {PERMUTATIONS} random "
    "orders and their reverses; mean over items.",
    r"$\frac{\sum_{i \in \text{regions}} |\phi_i|}{\sum_{i \in \text{regions}, \text{words}} |\phi_i|}$",
    "Parcalabescu and Frank (ACL 2023); sampling by Castro et al. (2009).",
    "what other inputs of the kind the model was made for would do: half-hidden pictures and questions are none. Noise "
    "of the sampling adds to every absolute value, and regions and words are not equally many.",
    "items",
    measure,
)
