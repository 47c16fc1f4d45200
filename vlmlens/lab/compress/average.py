"""Average pooling: a coarser board, each token the mean of the patches that it covers."""

import math
from functools import cache

import torch
from torch import Tensor

from vlmlens.lab.compress.compressor import Compression, Compressor, Told


@cache
def covering(keep: int, side: int) -> Tensor:
    """Of which patches each of `keep` cells consists, [cell, patch], by area, sums to one.

    The cells are as square as so many can be: a row of cells for every whole number up to the root of `keep`, all of
    the same height, the cells of a row of the same width. A patch that two cells cut counts in both by what they have.
    """
    rows = math.isqrt(keep)
    widths = [keep // rows + (row < keep % rows) for row in range(rows)]
    cells = [
        torch.outer(_overlap(row, rows, side), _overlap(column, width, side)).flatten()
        for row, width in enumerate(widths)
        for column in range(width)
    ]
    found = torch.stack(cells)
    return found / found.sum(-1, keepdim=True)


def _overlap(part: int, parts: int, side: int) -> Tensor:
    """The length that the `part`-th of equal parts of a line shares with each of its `side` patches."""
    low, high = part * side / parts, (part + 1) * side / parts
    return torch.tensor([max(0.0, min(high, patch + 1) - max(low, patch)) for patch in range(side)])


class Average(Compressor):
    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        shares = covering(keep, math.isqrt(image.shape[1])).to(image).expand(len(image), -1, -1)
        return Told(shares @ image, shares)


COMPRESSOR = Compression(
    name="average pooling",
    make=Average,
    sentence="The board becomes coarser: each token is the mean of the patches that it covers.",
    known_as="LLaVA-OneVision (Li et al., 2024), M3 (Cai et al., 2024), MobileVLM; Gemma 3 pools 4 x 4",
    loses="Detail, everywhere alike: two things under one token are mixed.",
    query_aware=False,
    steps=800,
)
