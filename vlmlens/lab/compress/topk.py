"""Query-aware top-k: the patches that the question's words are drawn to stay, the others go."""

import torch
from torch import Tensor, nn

from vlmlens.lab.compress.choose import keep_patches
from vlmlens.lab.compress.compressor import Compression, Compressor, Told
from vlmlens.lab.vision import WIDTH


class TopK(Compressor):
    def __init__(self) -> None:
        super().__init__()
        self.norm_image, self.norm_words = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.ask, self.offer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def scores(self, image: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """How much some word wants a patch, [picture, patch]: the soft maximum over words of their products."""
        asked, offered = self.ask(self.norm_words(words)), self.offer(self.norm_image(image))
        products = offered @ asked.transpose(1, 2) / WIDTH**0.5  # [picture, patch, word]
        return products.masked_fill(~mask[:, None], -torch.inf).logsumexp(-1)

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        return keep_patches(image, self.scores(image, words, mask), keep, self.training, self.dice)


COMPRESSOR = Compression(
    name="query-aware top-k",
    make=TopK,
    sentence="Each patch is scored by the question's words; the best stay as they are, the others go.",
    known_as="FastV (Chen et al., 2024) and SparseVLM (Zhang et al., 2024) select by the words' attention, untrained",
    loses="Whole patches: what the question did not seem to need is gone, and no second question can have it.",
    query_aware=True,
    selects=True,
    chooses=True,
    steps=1800,
)
