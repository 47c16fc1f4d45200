"""How relevant is a patch: how much is in it, how it stands out, how the question is drawn to it?

Three scores of patch features, differentiable, over the last two axes [patch, width], patches row by row:

    information(features)             # bits: entropy of what the patch's features say
    salience(features, side)          # spreads: how far it is from its surround
    coupling(attention)               # share of the question's attention to the picture, sums to one over patches
    even(scores)                      # any of them brought to [0, 1]; 0.5 everywhere where all are alike
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

ALIKE = 1e-6  # a range of scores below this is none


def information(features: Tensor) -> Tensor:
    """Entropy in bits of each patch's features, [..., patch, width] to [..., patch].

    The features of a patch are standardised over the width and softmaxed: p; H = - sum p log2 p (Shannon, 1948). At
    most log2(width); lower where few features stand far out. Features that are all equal have the most.
    """
    centered = features - features.mean(-1, keepdim=True)
    spread = _root(centered.square().mean(-1, keepdim=True))
    logged = (centered / spread).log_softmax(-1)
    return -(logged.exp() * logged).sum(-1) / math.log(2)


def salience(features: Tensor, side: int) -> Tensor:
    """Distance of each patch from the mean of its up to eight neighbors, in spreads, [..., patch].

    `features` are [..., side * side, width]. The unit is the root mean square distance of the patches from their own
    mean, so that it is free of the encoder's scale; of a picture of one color all are zero. A patch without neighbors
    (`side` 1) has none to stand out from: zero.
    """
    lead, width = features.shape[:-2], features.shape[-1]
    board = features.reshape(-1, side, side, width).permute(0, 3, 1, 2)  # [picture, width, row, column]
    kernel = board.new_ones(width, 1, 3, 3)
    kernel[:, :, 1, 1] = 0
    around = F.conv2d(board, kernel, padding=1, groups=width)
    count = F.conv2d(board.new_ones(1, 1, side, side), kernel[:1], padding=1).clamp(min=1)
    apart = (board - around / count) if side > 1 else torch.zeros_like(board)
    distance = _root(apart.square().sum(1)) - ALIKE  # [picture, row, column]
    middle = board.mean((2, 3), keepdim=True)
    spread = _root((board - middle).square().sum(1).mean((1, 2), keepdim=True))
    # Below the rounding of the features themselves nothing stands out.
    flat = spread < 2 * ALIKE * board.square().sum(1).mean((1, 2), keepdim=True).sqrt().clamp(min=1)
    return torch.where(flat, torch.zeros_like(distance), distance / spread).reshape(*lead, side * side)


def coupling(attention: Tensor, mask: Tensor | None = None) -> Tensor:
    """How the question's attention to the picture is shared out among its patches, sums to one.

    `attention` [..., word, patch] is what the question's words give to patches (means over heads); each word's is
    brought to one first, so that a word that hardly looks counts as much as the others. `mask` bool [..., word], True:
    a word. Where no word looks at any patch, all have the same.
    """
    total = attention.sum(-1, keepdim=True)
    each = torch.where(total > 0, attention / total.clamp(min=1e-12), attention.new_ones(()) / attention.shape[-1])
    if mask is None:
        return each.mean(-2)
    weight = mask.to(each.dtype)[..., None]
    return (each * weight).sum(-2) / weight.sum(-2).clamp(min=1)


def even(scores: Tensor) -> Tensor:
    """Scores [..., patch] brought to [0, 1] by least and most; where all are alike, 0.5 each."""
    least, most = scores.amin(-1, keepdim=True), scores.amax(-1, keepdim=True)
    span = most - least
    alike = span <= ALIKE * most.abs().clamp(min=1)
    return torch.where(alike, torch.full_like(scores, 0.5), (scores - least) / span.clamp(min=1e-12))


def _root(squares: Tensor) -> Tensor:
    """A root whose gradient is finite at zero."""
    return (squares + ALIKE**2).sqrt()
