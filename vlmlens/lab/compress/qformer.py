"""Q-Former: learned queries that read the question, then look at the picture, twice."""

import torch
from torch import Tensor, nn

from vlmlens.lab.compress.asking import Brick, Latents
from vlmlens.lab.compress.compressor import Compression, Compressor, Told
from vlmlens.lab.vision import WIDTH

ROUNDS = 2


class QFormer(Compressor):
    def __init__(self) -> None:
        super().__init__()
        self.latents, self.norm_words = Latents(), nn.LayerNorm(WIDTH)
        self.read = nn.ModuleList(Brick() for _ in range(ROUNDS))
        self.ask = nn.ModuleList(Brick() for _ in range(ROUNDS))

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        states, text = self.latents.first(keep, len(image)), self.norm_words(words)
        seen = torch.cat([mask.new_ones(len(image), keep), mask], dim=1)
        looks = []
        for read, ask in zip(self.read, self.ask, strict=True):
            states, _ = read(states, torch.cat([states, text], dim=1), seen)
            states, look = ask(states, image)
            looks.append(look)
        return self.latents.told(image, torch.stack(looks).mean(0), states)


COMPRESSOR = Compression(
    name="q-former",
    make=QFormer,
    sentence="Learned queries read each other and the question, then look at the picture; two rounds of it.",
    known_as="BLIP-2 (Li et al., 2023): 257 to 32; with the words, as here, InstructBLIP (Dai et al., 2023)",
    loses="What this question did not ask for; exact places.",
    query_aware=True,
    steps=2000,
)
