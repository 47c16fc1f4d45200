"""Which patches stay, and how does a hard choice learn?"""

import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.lab.compress.compressor import Told


def choose(scores: Tensor, keep: int, explore: bool = False) -> Tensor:
    """The `keep` patches of the highest score: scores [picture, patch] to shares [picture, token, patch], one-hot.

    Kept patches stand in their own order; of equal scores the earlier patch stays. Backwards, the k-th choice is the
    softmax of the scores over what the choices before it have left (straight-through; the law of a draw without
    replacement, Plackett-Luce). Multiplying kept tokens by their score would teach nothing here: the norm that they
    meet at the entrance of the fusion takes every factor out. With `explore` the scores get Gumbel noise, so that the
    kept patches are such a draw (Kool et al., 2019, “Stochastic beams and where to find them”).
    """
    patches = scores.shape[-1]
    if keep == patches:
        return torch.eye(patches, dtype=scores.dtype, device=scores.device).expand(len(scores), -1, -1)
    if explore:
        scores = scores - torch.empty_like(scores).exponential_().clamp(min=1e-20).log()
    best = scores.argsort(dim=-1, descending=True, stable=True)[:, :keep]
    hard = F.one_hot(best, patches).to(scores.dtype)  # [picture, token, patch], best first
    in_order = best.argsort(dim=-1)[:, :, None].expand(-1, -1, patches)
    if not scores.requires_grad:
        return hard.gather(1, in_order)
    taken = hard.cumsum(1) - hard > 0
    soft = scores[:, None].expand_as(hard).masked_fill(taken, -torch.inf).softmax(-1)
    return (hard + (soft - soft.detach())).gather(1, in_order)


def kept(image: Tensor, shares: Tensor) -> Told:
    """The patches that were chosen, as they are."""
    if shares.requires_grad:
        return Told(shares @ image, shares)
    return Told(image.gather(1, shares.argmax(-1)[..., None].expand(-1, -1, image.shape[-1])), shares)
