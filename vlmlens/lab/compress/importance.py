"""Importance pruning: patches that are worth the most stay, whatever is asked."""

from torch import Tensor, nn

from vlmlens.lab.compress.choose import keep_patches
from vlmlens.lab.compress.compressor import Compression, Compressor, Told
from vlmlens.lab.vision import WIDTH


class Importance(Compressor):
    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1))

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        return keep_patches(image, self.score(image)[..., 0], keep, self.training, self.dice)


COMPRESSOR = Compression(
    name="importance pruning",
    make=Importance,
    sentence="Each patch is scored by what it shows; the best stay as they are, the others go. No word is read.",
    known_as="DynamicViT (Rao et al., 2021), EViT (Liang et al., 2022), PruMerge (Shang et al., 2024)",
    loses="Whole patches: what is seldom asked about is gone, also when it is asked about.",
    query_aware=False,
    selects=True,
    chooses=True,
    steps=1800,
)
