"""The brick of compressors that ask: attention that tells its weights, then a feed-forward."""

import torch
from torch import Tensor, nn

from vlmlens.lab.compress.compressor import Told
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH


class Asking(nn.Module):
    """Multi-head attention that returns what it read and how it looked."""

    def __init__(self, heads: int = HEADS) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x [batch, query, width] looks at y [batch, key, width]; `mask` bool [batch, key], True: may be looked at.

        Returns what was read [batch, query, width], and the weights [batch, head, query, key].
        """
        query, key, value = (
            projection(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection, states in ((self.q_proj, x), (self.k_proj, y), (self.v_proj, y))
        )
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        weights = scores.softmax(-1)
        read: Tensor = self.out_proj((weights @ value).transpose(1, 2).flatten(2))
        return read, weights


class Brick(nn.Module):
    """Pre-norm attention and feed-forward of latents."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_queries, self.norm_keys = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.asking = Asking()
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The new x [batch, query, width], and how it looked, mean over heads [batch, query, key]."""
        read, weights = self.asking(self.norm_queries(x), self.norm_keys(y), mask)
        x = x + read
        return x + self.feed_forward(x), weights.mean(1)


class Latents(nn.Module):
    """As many learned queries as there are patches; a budget of `keep` uses the first (nested, as in Matryoshka)."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(PATCHES, WIDTH))
        self.more = nn.Linear(WIDTH, WIDTH, bias=False)  # of what a token says beyond the mean of its patches
        nn.init.zeros_(self.more.weight)

    def first(self, keep: int, many: int) -> Tensor:
        return self.queries[:keep].expand(many, -1, -1)

    def told(self, image: Tensor, shares: Tensor, states: Tensor) -> Told:
        """The mean of the patches as the queries looked at them, and what they made of it; at first nothing.

        So that a token lies where the fusion expects a patch, and training begins from what the fusion can read.
        """
        return Told(shares @ image + self.more(states), shares)
