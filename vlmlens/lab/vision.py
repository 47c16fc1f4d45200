"""The lab's vision encoder: a small CLIP-shaped transformer, pretrained to name what every patch shows, then frozen.

It is laid out exactly as transformers' CLIPVisionModel (class token, pre-norm blocks, quick GELU), so that the same
weights serve as the tower of `lab:llava`: five models, one pair of eyes.
"""

import torch
from torch import Tensor, nn

from vlmlens.lab.draw import PIXELS
from vlmlens.lab.positions import Turn
from vlmlens.trace.capture import attend

PATCH = 8
SIDE = PIXELS // PATCH  # patches a side
PATCHES = SIDE * SIDE
WIDTH = 64
HEADS = 4
DEPTH = 2
HIDDEN = 128


class Attention(nn.Module):
    """Multi-head attention of one stream to another (or to itself), through the watched attention function."""

    is_causal = False
    dropout = 0.0  # share of the weights that a step of training leaves out

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, y: Tensor, mask: Tensor | None = None, turns: tuple[Turn, Turn] | None = None
    ) -> Tensor:
        """x [batch, query, width] looks at y [batch, key, width].

        `mask` is [batch, key] or [batch, query, key]: bool, True: may be looked at; or a number added to the scores.
        `turns` are the rotary positions of the queries and of the keys.
        """

        def split(states: Tensor) -> Tensor:
            return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [batch, head, position, width of a head]

        query, key, value = split(self.q_proj(x)), split(self.k_proj(y)), split(self.v_proj(y))
        if turns is not None:
            query, key = turns[0](query), turns[1](key)
        if mask is not None and mask.ndim == 2:
            mask = mask[:, None].expand(-1, query.shape[2], -1)
        full = None if mask is None else mask[:, None]
        mixed, _ = attend(self, query, key, value, full, dropout=self.dropout)
        return self.out_proj(mixed.flatten(2))


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(WIDTH)
        self.self_attn = Attention(WIDTH, HEADS)
        self.layer_norm2 = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x [batch, position, width]; `mask` bool [batch, position], True: may be looked at."""
        normed = self.layer_norm1(x)
        x = x + self.self_attn(normed, normed, mask)
        hidden = self.fc1(self.layer_norm2(x))
        return x + self.fc2(hidden * torch.sigmoid(1.702 * hidden))  # quick GELU


class VisionEncoder(nn.Module):
    """Pixels [batch, 48, 48, rgb] in uint8 to features [batch, patch, width], patches row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.patch_embedding = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.position_embedding = nn.Parameter(torch.randn(PATCHES + 1, WIDTH) * 0.02)
        self.pre_layrnorm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(Block() for _ in range(DEPTH))

    def forward(self, pixels: Tensor) -> Tensor:
        scaled = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        patches = self.patch_embedding(scaled).flatten(2).transpose(1, 2)  # [batch, patch, width]
        x = torch.cat([self.class_embedding.expand(len(patches), 1, -1), patches], dim=1) + self.position_embedding
        x = self.pre_layrnorm(x)
        for layer in self.layers:
            x = layer(x)
        return x[:, 1:]  # without the class token
