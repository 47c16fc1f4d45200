"""Learned queries: each looks at all patches once, whatever is asked."""

from torch import Tensor

from vlmlens.lab.compress.asking import Brick, Latents
from vlmlens.lab.compress.compressor import Compression, Compressor, Told


class Queries(Compressor):
    def __init__(self) -> None:
        super().__init__()
        self.latents, self.ask = Latents(), Brick()

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        states, shares = self.ask(self.latents.first(keep, len(image)), image)
        return self.latents.told(image, shares, states)


COMPRESSOR = Compression(
    name="learned queries",
    make=Queries,
    sentence="Learned queries each look at all patches once; the first of them are the most important.",
    known_as="Matryoshka query transformer (Hu et al., 2024), attention pooling of CoCa (Yu et al., 2022), Qwen-VL",
    loses="What no query has learned to look for; exact places.",
    query_aware=False,
    steps=2000,
)
