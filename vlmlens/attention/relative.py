"""Relative attention: what a question makes the model look at that it would not look at anyway.

Zhang et al. (ICLR 2025, "MLLMs know where to look"), eq. 3: the map of the question over that of a neutral one.
"""

import numpy as np

from vlmlens.attention.maps import image_maps, seen
from vlmlens.errors import NotApplicable
from vlmlens.trace import Trace

LEAST = 1e-8  # of attention: a cell that the neutral question never looks at bounds no ratio


def relative(trace: Trace, neutral: Trace) -> np.ndarray:
    """Head-mean attention over that under the neutral question, [place, cell]; 1 where the question changes nothing.

    Args:
        trace, neutral: of one model and picture; places are those of `image_maps`.

    Raises:
        NotApplicable: the two rows do not see the same of the picture.
    """
    if not np.array_equal(seen(trace), seen(neutral)):
        raise NotApplicable(
            "Under the neutral question the answering row stands farther from the picture or nearer, and a sliding "
            "window lets it see another part of it; the two cannot be compared."
        )
    asked, plain = (image_maps(t)[1][:, :, 0].mean(axis=1) for t in (trace, neutral))
    ratio: np.ndarray = (asked + LEAST) / (plain + LEAST)
    return ratio
