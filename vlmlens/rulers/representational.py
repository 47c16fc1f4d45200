"""Of what only one stream's states tell about the answer, how much do only the picture's?"""

from collections.abc import Callable

from vlmlens.errors import NotApplicable
from vlmlens.information.solver import InformationError
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Nature, Reading, Ruler, cannot_tell


def at(point: int) -> Callable[[Bench], Reading]:
    """The reading at one reading point, counted from the first, or back from the last."""

    def measure(bench: Bench) -> Reading:
        try:
            found = bench.estimates[point]
        except (NotApplicable, InformationError) as refusal:
            return cannot_tell(str(refusal))
        share = found.share
        if share.why:
            return cannot_tell(share.why.removeprefix("n/a: "), found.n)
        return Reading(share.value, share.low, share.high, found.n)

    return measure


def _ruler(where: str, point: int, nature: Nature, read: str, cannot: str) -> Ruler:
    return Ruler(
        f"representational PID, {where}",
        nature,
        f"Mean-pooled states of the picture's and of the words' positions, read {read} and each put in one of eight "
        "clusters; of the information that only one of them has about the model's answer, what the picture's has. "
        "Jackknife over independent items, half of which form the clusters.",
        r"$\frac{U_{\text{image}}}{U_{\text{image}} + U_{\text{words}}}$, by BROJA, of clusters",
        "After Amit et al. (arXiv 2511.19470).",
        cannot,
        "samples",
        at(point),
    )


BEFORE = _ruler(
    "before",
    0,
    "use",
    "before they are joined",
    "what eight clusters throw away: the mean of a picture's patches need not hold what was asked about.",
)
AFTER = _ruler(
    "after",
    -1,
    "wiring",
    "after the last layer",
    "where information came from: positions of one side hold the other's by then, and which side that is the wiring "
    "decides.",
)
