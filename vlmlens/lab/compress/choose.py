"""Which patches stay, and how does a hard choice learn?"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from vlmlens.lab.compress.compressor import Told


def choose(scores: Tensor, keep: int) -> Tensor:
    """The `keep` patches of the highest score: scores [picture, patch] to shares [picture, token, patch], one-hot.

    Kept patches stand in their own order; of equal scores the earlier patch stays.
    """
    return _one_hot(scores.argsort(dim=-1, descending=True, stable=True)[:, :keep], scores)


def draw(scores: Tensor, keep: int, dice: Generator | None = None) -> tuple[Tensor, Tensor | None]:
    """A choice by chance, to learn from: shares as `choose` gives them, and its log-probability [picture].

    Patches are drawn one after the other without replacement by the softmax of their scores (Plackett-Luce), with
    Gumbel noise (Kool et al., 2019, “Stochastic beams and where to find them”). All patches are no choice: None.
    """
    if keep == scores.shape[-1]:
        return choose(scores, keep), None
    noise = torch.empty_like(scores).exponential_(generator=dice).clamp(min=1e-20).log()
    best = (scores.detach() - noise).argsort(dim=-1, descending=True)
    ranked = scores.gather(1, best)
    left = ranked.flip(1).logcumsumexp(1).flip(1)  # of all that were not drawn before
    return _one_hot(best[:, :keep], scores), (ranked - left)[:, :keep].sum(1)


def mean_over_draws(losses: Tensor, chance: Tensor) -> Tensor:
    """The mean loss; its gradient is also that of the draws' probabilities, unbiased (REINFORCE).

    `losses` and the draws' `chance` are [2 * pictures], the second half another draw for each picture of the first:
    what it lost is the baseline (leave-one-out, Kool et al., 2019, “Buy 4 REINFORCE samples”).
    A straight-through gradient takes the loss for linear in a patch; trained by it, choices were worse than chance.
    """
    found = losses.detach()
    worse = found - found.roll(len(found) // 2)
    return (losses + worse * (chance - chance.detach())).mean()


def keep_patches(image: Tensor, scores: Tensor, keep: int, learn: bool, dice: Generator | None = None) -> Told:
    """The best patches as they are; to `learn`, patches that are drawn."""
    shares, chance = draw(scores, keep, dice) if learn else (choose(scores, keep), None)
    return Told(image.gather(1, shares.argmax(-1)[..., None].expand(-1, -1, image.shape[-1])), shares, chance)


def _one_hot(patches: Tensor, like: Tensor) -> Tensor:
    return F.one_hot(patches.sort(dim=-1).values, like.shape[-1]).to(like.dtype)
