"""Of what only one side tells about the answer, how much does only the picture tell?"""

import numpy as np

from vlmlens.information.interventional import unique_share
from vlmlens.information.solver import decompose
from vlmlens.rulers.bench import CERTIFIED, Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell

BLOCKS = 6  # of pictures; each is left out once
T_95 = 2.571  # Student's t, five degrees of freedom


def measure(bench: Bench) -> Reading:
    found = bench.found
    pairs = found.table.shape[0] * found.table.shape[1]
    share = found.image_share
    if share != share:
        both = float(found.pid.synergistic)
        return cannot_tell(
            f"nothing is unique to picture or question: {both:.2f} of {float(found.pid.total):.2f} bits take both "
            "together",
            pairs,
        )
    pictures = len(found.table)
    if pictures < 2 * BLOCKS:
        return Reading(share, float("nan"), float("nan"), pairs)
    left = []
    for block in range(BLOCKS):
        bench.step(block, BLOCKS, "block of pictures left out")
        kept = np.arange(pictures) % BLOCKS != block
        left.append(unique_share(decompose(found.joint[kept], CERTIFIED)))
    known = np.array([value for value in left if value == value])
    if len(known) < BLOCKS:
        return Reading(share, 0.0, 1.0, pairs)
    half = T_95 * float(np.sqrt((BLOCKS - 1) / BLOCKS * ((known - known.mean()) ** 2).sum()))
    return Reading(share, max(0.0, share - half), min(1.0, share + half), pairs)


RULER = Ruler(
    "interventional PID",
    "use",
    "Information about the answer that only the picture has, of what only one of picture and question has; every pair "
    "asked, so exact for the ensemble. Interval: jackknife over six blocks of pictures.",
    r"$\frac{U_{\text{image}}}{U_{\text{image}} + U_{\text{words}}}$, by BROJA",
    "Bertschinger et al. (2014); the ensemble of interventions is ours.",
    "anything of what takes both together, or of what both say: an answer that is all synergy has no share.",
    "pairs",
    measure,
)
