"""How is a question's look at the picture shared out among the patches, in a lab model?

The question-to-patch attention of `lab.compress.scores.coupling`, for many items at once, from what a recorder keeps
while the model answers. It is one attention of several and no proof of use: the causal check of Inspect asks for that.
"""

import numpy as np
import torch
from torch import Tensor

from vlmlens.lab.compress.scores import coupling
from vlmlens.lab.model import LabModel
from vlmlens.lab.sites import sites_of
from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import Recorder, recording

QUESTION, LATENTS, READOUT = "the question's words", "the learned queries", "the readout"


def look(model: LabModel, image: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, str]:
    """How the model's look is shared out among the patches, float [item, patch], sums to one; and whose look that is.

    image [item, patch, width], words [item, word, width], mask bool [item, word]. It is the mean over heads and layers
    in which words look at patches. In a wiring where words never do, those look that do: the learned queries, or else
    the row that the answer is read from.
    """
    patches, length = image.shape[1], words.shape[1]
    sites = sites_of(model, patches, length)
    who, rows = _looking(list(sites.values()), patches, length)
    segments = np.repeat([Segment.IMAGE, Segment.QUESTION, Segment.LATENT], [patches, length, model.fusion.queries])
    recorder = Recorder(sites, segments.astype(np.int8), rows, contributions=False)
    with torch.no_grad(), recording(recorder):
        model.fuse(image, words, mask)
    seen = {site.name: [i for i, key in enumerate(site.keys) if key < patches] for site in sites.values()}
    kept = [recorder.kept[name].attention.mean(1)[..., seen[name]] for name in rows]  # [item, row, patch] each
    return coupling(torch.stack(kept).mean(0), mask if who == QUESTION else None), who


def _looking(sites: list[Site], patches: int, words: int) -> tuple[str, dict[str, list[int]]]:
    """Whose rows to keep, and which, by the name of each site where they see patches."""
    seeing = [site for site in sites if min(site.keys) < patches]
    kinds = {
        QUESTION: range(patches, patches + words),
        LATENTS: range(patches + words, max(max(site.queries) for site in sites)),
        READOUT: range(max(max(site.queries) for site in sites), max(max(site.queries) for site in sites) + 1),
    }
    for who, span in kinds.items():
        rows = {site.name: [p for p in site.queries if p in span] for site in seeing}
        if found := {name: own for name, own in rows.items() if own}:
            return who, found
    raise AssertionError("every wiring reads its picture somewhere")
