"""How steeply does the answer follow the picture's tokens?"""

from vlmlens.errors import NotApplicable
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell
from vlmlens.rulers.shares import over_items, share_of


def measure(bench: Bench) -> Reading:
    try:
        found = bench.slopes
    except NotApplicable as refusal:
        return cannot_tell(str(refusal))
    shares = [share_of(float(s.image_norm.sum()), float(s.text_norm.sum())) for s in found]
    return over_items(bench, shares, "no gradient reaches picture or words")


RULER = Ruler(
    "gradient norm",
    "both",
    "The length of the gradient of the answer's log-odds by each token that enters the first layer; summed over the "
    "picture's tokens, of the sum over picture and words. Mean over items.",
    r"$\frac{\sum_{t \in \text{image}} \lVert g_t\rVert}{\sum_{t \in \text{image}, \text{words}} \lVert g_t\rVert}$",
    "Simonyan et al. (ICLR 2014 workshop); L2 over a token as in Atanasova et al. (EMNLP 2020).",
    "how far tokens really differ between pictures: a steep slope along which nothing ever varies counts in full. It "
    "has a unit, that of a state: a side whose states are small (word embeddings, often) has the steeper slopes.",
    "items",
    measure,
)
