"""Relevance-driven: the most relevant patches stay whole, all the rest is told in one weighted mean."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.compress.choose import choose, draw
from vlmlens.lab.compress.compressor import Compression, Compressor, Told
from vlmlens.lab.compress.scores import coupling, even, information, salience
from vlmlens.lab.vision import HEADS, WIDTH


class Relevance(Compressor):
    """Relevance r of a patch, from its three scores, each in [0, 1]:

    m = explore * (balance * information + (1 - balance) * salience) + (1 - explore) * coupling
    r = sharp * (m - diversify * mean of m over the eight neighbors)

    The tensions are learned: `explore` (what stands out by itself against what the question asks for), `sharp` (few
    patches against all alike), `diversify` (spread over the picture against together).
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm_image, self.norm_words = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.ask, self.offer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.log_sharp = nn.Parameter(torch.tensor(math.log(8.0)))
        self.explore, self.balance = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.diversify = nn.Parameter(torch.zeros(()))

    def attention(self, image: Tensor, words: Tensor) -> Tensor:
        """The question's attention to the picture, mean over heads, [picture, word, patch]."""
        asked, offered = (
            states.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for states in (self.ask(self.norm_words(words)), self.offer(self.norm_image(image)))
        )
        looks: Tensor = (asked @ offered.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5).softmax(-1).mean(1)
        return looks

    def scores(self, image: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Information, salience and coupling, each [picture, patch] in [0, 1]."""
        side = math.isqrt(image.shape[1])
        coupled = coupling(self.attention(image, words), mask)
        return even(information(image)), even(salience(image, side)), even(coupled)

    def relevance(self, image: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        informed, salient, coupled = self.scores(image, words, mask)
        explore, balance = self.explore.sigmoid(), self.balance.sigmoid()
        mixed = explore * (balance * informed + (1 - balance) * salient) + (1 - explore) * coupled
        return self.log_sharp.exp() * (mixed - self.diversify.tanh() * _around(mixed))

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        relevance = self.relevance(image, words, mask)
        if keep == 1:
            shares = relevance.softmax(-1)[:, None]
            return Told(shares @ image, shares)
        whole, chance = draw(relevance, keep - 1, self.dice) if self.training else (choose(relevance, keep - 1), None)
        taken = whole.sum(1) > 0.5  # [picture, patch]
        rest = relevance.masked_fill(taken, -torch.inf).softmax(-1)[:, None]
        shares = torch.cat([whole, rest], dim=1)
        return Told(shares @ image, shares, chance)


def _around(values: Tensor) -> Tensor:
    """The mean over the up to eight neighbors, [picture, patch]."""
    side = math.isqrt(values.shape[-1])
    kernel = values.new_ones(1, 1, 3, 3)
    kernel[..., 1, 1] = 0
    board = values.reshape(-1, 1, side, side)
    count = F.conv2d(torch.ones_like(board[:1]), kernel, padding=1).clamp(min=1)
    return (F.conv2d(board, kernel, padding=1) / count).reshape(values.shape)


COMPRESSOR = Compression(
    name="relevance-driven",
    make=Relevance,
    sentence="Three scores say how relevant a patch is; the best stay whole, all the rest is one weighted mean.",
    known_as="the relevance realisation of ARR-COC-0-1; the one token for the rest is EViT's (Liang et al., 2022)",
    loses="No patch, but the detail of all that were not chosen.",
    query_aware=True,
    chooses=True,
    steps=1800,
)
