"""To first order, how much of the answer's log-odds do the picture's tokens account for?"""

from vlmlens.errors import NotApplicable
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell
from vlmlens.rulers.shares import over_items, share_of


def measure(bench: Bench) -> Reading:
    try:
        found = bench.slopes
    except NotApplicable as refusal:
        return cannot_tell(str(refusal))
    shares = [share_of(float(s.image_product.sum()), float(s.text_product.sum())) for s in found]
    return over_items(bench, shares, "no gradient reaches picture or words")


RULER = Ruler(
    "gradient x input",
    "wiring",
    "Of every token that enters the first layer, the absolute value of its state times the gradient of the answer's "
    "log-odds (summed over the state's width first); summed over the picture's tokens, of the sum over picture and "
    "words. Mean over items.",
    r"$\frac{\sum_{t \in \text{image}} |g_t \cdot x_t|}{\sum_{t \in \text{image}, \text{words}} |g_t \cdot x_t|}$",
    "Shrikumar et al. (2016, arXiv 1605.01713), section 3; summed by side as in the ablation of fusions.",
    "what would happen for another picture. Where a side is read only through layer norms, which no length of a state "
    "gets through, its products are zero whatever it shows (Euler): then this share is the wiring's, and 0 or 1.",
    "items",
    measure,
)
