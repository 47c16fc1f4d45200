"""The bricks of a fusion: the way in, and one attention with its feed-forward."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vlmlens.lab.fusion.wiring import Look
from vlmlens.lab.positions import Turn
from vlmlens.lab.vision import HEADS, WIDTH, Attention


class Entrance(nn.Module):
    """A frozen encoder's features brought to one scale, with a learned place for every position where `placed`."""

    def __init__(self, positions: int, width: int, placed: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.project = nn.Identity() if width == WIDTH else nn.Linear(WIDTH, width)
        self.placed = placed
        if placed:
            self.places = nn.Parameter(torch.randn(positions, width) / 3)

    def forward(self, features: Tensor) -> Tensor:
        """features [batch, position, the encoder's width] to [batch, position, width]; fewer positions are no harm."""
        entered: Tensor = self.project(self.norm(features))
        return entered + self.places[: features.shape[1]] if self.placed else entered


class Gate(nn.Module):
    """The tanh of a learned number that begins at zero, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, weight: Tensor) -> Tensor:
        return self.alpha.tanh() * weight


class Link(nn.Module):
    """The brick: pre-norm attention of one stream to another, then feed-forward, both added to the residual stream."""

    residual = 1.0  # how much of the stream is carried past attention and feed-forward; 0 takes the skips away

    def __init__(self, look: Look, width: int) -> None:
        super().__init__()
        self.look = look
        self.norm_queries = nn.LayerNorm(width)
        self.norm_keys = nn.LayerNorm(width)
        self.attention = Attention(width, HEADS)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        if look.gated:
            # In the last projection itself, so that whoever splits what attention writes finds the gate inside.
            self.attention.out_proj = nn.Linear(width, width, bias=False)
            self.feed_forward[-1] = nn.Linear(2 * width, width, bias=False)
            for projection in (self.attention.out_proj, self.feed_forward[-1]):
                parametrize.register_parametrization(projection, "weight", Gate())

    def gates(self) -> tuple[Tensor, Tensor] | None:
        """The tanh of the gates of attention and of the feed-forward, each a number; None without gates."""
        if not self.look.gated:
            return None
        found = [module.alpha.tanh() for module in self.modules() if isinstance(module, Gate)]
        return found[0], found[1]

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor, turns: tuple[Turn, Turn] | None = None) -> Tensor:
        """queries [batch, query, width], keys [batch, key, width] to the new queries.

        `mask` is bool [batch, key] or [batch, query, key]; `turns` are rotary positions of queries and keys.
        """
        attended = self.attention(self.norm_queries(queries), self.norm_keys(keys), mask, turns)
        queries = self.carried(queries) + attended
        return self.carried(queries) + self.feed_forward(queries)

    def carried(self, states: Tensor) -> Tensor:
        """What of the stream goes past a step unchanged: all of it, unless the skips were weakened."""
        return states if self.residual == 1.0 else self.residual * states
