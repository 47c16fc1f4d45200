"""To first order, how much do the single numbers of the picture's states account for?"""

from vlmlens.errors import NotApplicable
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell
from vlmlens.rulers.shares import over_items, share_of


def measure(bench: Bench) -> Reading:
    try:
        found = bench.slopes
    except NotApplicable as refusal:
        return cannot_tell(str(refusal))
    shares = [share_of(float(s.image_elements.sum()), float(s.text_elements.sum())) for s in found]
    return over_items(bench, shares, "no gradient reaches picture or words")


RULER = Ruler(
    "gradient x input, by element",
    "both",
    "As gradient x input, with the absolute value taken of every number of a state before anything is summed, so that "
    "nothing cancels inside a token.",
    r"$\frac{\sum_{t \in \text{image}} \sum_d |g_{td} x_{td}|}{\sum_{t \in \text{image}, \text{words}} \sum_d |g_{td} "
    r"x_{td}|}$",
    "Shrikumar et al. (2016, arXiv 1605.01713), section 3, without the sum inside a token.",
    "what would happen for another picture, nor anything that does not depend on how the states' axes happen to lie; "
    "a side with more tokens gets more.",
    "items",
    measure,
)
