"""None: all patches, as they are; what everything else is compared with."""

from torch import Tensor

from vlmlens.errors import UserError
from vlmlens.lab.compress.choose import keep_patches
from vlmlens.lab.compress.compressor import Compression, Compressor, Told
from vlmlens.lab.vision import PATCHES


class Whole(Compressor):
    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        if keep != image.shape[1]:
            raise UserError(f"“none” keeps all {image.shape[1]} patches; {keep} tokens need a compressor.")
        return keep_patches(image, image[..., 0], keep, learn=False)


COMPRESSOR = Compression(
    name="none",
    make=Whole,
    sentence="Every patch is a token; trained further as the others are, so that training alone explains nothing.",
    known_as="LLaVA-1.5 (Liu et al., 2023): 576 patches, 576 tokens",
    loses="Nothing; it pays for every patch.",
    query_aware=False,
    selects=True,
    budgets=(PATCHES,),
    steps=300,
    control=True,
)
