"""Perceiver: latents look at the picture and at each other, twice, before the question is known."""

import torch
from torch import Tensor, nn

from vlmlens.lab.compress.asking import Brick, Latents
from vlmlens.lab.compress.compressor import Compression, Compressor, Told

ROUNDS = 2


class Perceiver(Compressor):
    def __init__(self) -> None:
        super().__init__()
        self.latents = Latents()
        self.rounds = nn.ModuleList(Brick() for _ in range(ROUNDS))

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        states, looks = self.latents.first(keep, len(image)), []
        for brick in self.rounds:
            states, look = brick(states, torch.cat([image, states], dim=1))
            picture = look[..., : image.shape[1]]
            looks.append(picture / picture.sum(-1, keepdim=True))  # what it looked at of the picture, not of the others
        return self.latents.told(image, torch.stack(looks).mean(0), states)


COMPRESSOR = Compression(
    name="perceiver",
    make=Perceiver,
    sentence="Latents look at the picture and at each other, two rounds of it, and never see the question.",
    known_as="Perceiver (Jaegle et al., 2021), the resampler of Flamingo (Alayrac et al., 2022): any number to 64",
    loses="What no latent has learned to look for; exact places.",
    query_aware=False,
    steps=2000,
)
