"""Random pruning: the control that every choice of patches must beat."""

import torch
from torch import Tensor

from vlmlens.lab.compress.choose import keep_patches
from vlmlens.lab.compress.compressor import Compression, Compressor, Told


class Chance(Compressor):
    """Fresh dice at every step of training; afterwards the same for the same place in a batch, whatever is asked."""

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        dice = self.dice if self.training else torch.Generator().manual_seed(0)
        scores = torch.rand(image.shape[:2], generator=dice).to(image)
        return keep_patches(image, scores, keep, learn=False)


COMPRESSOR = Compression(
    name="random pruning",
    make=Chance,
    sentence="Patches stay by chance: the control that every choice must beat.",
    known_as="the control of FastV (Chen et al., 2024) and of every paper on pruning",
    loses="Whole patches, blindly.",
    query_aware=False,
    selects=True,
    steps=800,
    control=True,
)
