"""Which image cells of any loaded model are relevant to a question, and how would the described budget fall on them?

The three scores over the model's own image tokens: information and salience of their states as they enter the decoder,
coupling from the attention of the question's words. A map: the model reads one token a cell whatever the budget says.
"""

import numpy as np
import torch

from vlmlens.attention import image_maps
from vlmlens.errors import NotApplicable
from vlmlens.lab.compress.scores import coupling, information
from vlmlens.models.base import VLM, Picture
from vlmlens.tokens.relevance import Scores, around
from vlmlens.trace import Segment, Trace


def scores_of(vlm: VLM, picture: Picture, trace: Trace) -> Scores:
    """Scores [cell] of what a trace has seen. `picture` is the one it was asked about.

    Raises NotApplicable where the cells are no tokens of the decoder's sequence, or no row looks at them.
    """
    grid = trace.grid
    image = np.flatnonzero(trace.segments == Segment.IMAGE)
    states, _, _ = vlm.token_states(picture, trace.question)
    if grid.through is not None or not np.isin(grid.positions, image).all() or len(states) != len(image):
        raise NotApplicable(
            f"In {vlm.name} the cells of the picture are no tokens of the sequence, so they have no features there."
        )
    features = torch.from_numpy(states[np.searchsorted(image, grid.positions)]).double()  # [cell, width]
    asks = "question" in trace.rows and bool(image_maps(trace, "question")[1].any())
    looks = image_maps(trace, "question" if asks else "last")[1]  # [place, head, row, cell]
    if not looks.size:
        raise NotApplicable(f"In {vlm.name} nothing that was watched looks at the picture.")
    mean = torch.from_numpy(looks.mean((0, 1)).astype(np.float64))
    apart = features - around(features.T, grid.shape).T
    spread = (features - features.mean(0)).square().sum(-1).mean().sqrt()
    scale = features.square().sum(-1).mean().sqrt()
    stands = apart.norm(dim=-1) / spread if spread > 1e-6 * max(float(scale), 1.0) else torch.zeros(len(features))
    return Scores(
        information(features).numpy(),
        stands.double().numpy(),
        coupling(mean).numpy(),
        "the question's words" if asks else "the answering row",
    )
