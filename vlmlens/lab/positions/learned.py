"""Learned absolute positions: a vector for each place is added to what enters."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.lab.positions.encoding import Positions

POSITIONS = Positions(
    name="learned",
    sentence="Every place has a vector of its own, learned in training and added to what stands there.",
    known_as="ViT (Dosovitskiy et al., 2021), CLIP and with it LLaVA; BERT, GPT-2",
    best_for="Pictures of one size: any pattern of places can be learned, also one that no distance describes.",
    cannot="Know a place that training never showed: for a larger picture the vectors must be stretched.",
    learned=True,
)


def stretched(places: Tensor, trained: int, side: int) -> Tensor:
    """The places of a board `trained` patches a side, [trained * trained, width], for one of `side` patches a side.

    Bilinear between neighbors, as ViT does for larger pictures (Dosovitskiy et al., 2021, section 3.2), corner on
    corner: the first and last rows and columns of the larger board are those of the smaller.
    """
    board = places[: trained * trained].T.unflatten(1, (trained, trained))[None]
    if trained == 1:
        return board.expand(-1, -1, side, side).flatten(2)[0].T.contiguous()
    wide = F.interpolate(board, (side, side), mode="bilinear", align_corners=True)
    return torch.as_tensor(wide[0].flatten(1).T.contiguous())
