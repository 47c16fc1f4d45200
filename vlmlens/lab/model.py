"""A lab model: frozen eyes and words, a fusion, a readout over the answer vocabulary."""

import torch
from torch import Tensor, nn

from vlmlens.lab.fusion import WIRINGS, Fusion
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.text import PAD, TextEncoder
from vlmlens.lab.vision import HEADS, WIDTH, Attention, VisionEncoder


class Readout(nn.Module):
    """A learned query pools the stream that the wiring reshapes; a linear layer names the answer."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, HEADS)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(ANSWERS)))

    def forward(self, stream: Tensor, mask: Tensor) -> Tensor:
        """stream [batch, position, width], mask bool [batch, position] to logits [batch, answer]."""
        pooled = self.attention(self.query.expand(len(stream), -1, -1), self.norm(stream), mask)
        logits: Tensor = self.head(pooled[:, 0])
        return logits


class LabModel(nn.Module):
    """Pixels and word ids to logits over `ANSWERS`; fusion and readout are `width` wide, the encoders always WIDTH."""

    def __init__(self, wiring: str, width: int = WIDTH) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.text = TextEncoder()
        self.fusion = Fusion(WIRINGS[wiring], width)
        self.readout = Readout(width)

    def encode(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """pixels uint8 [batch, 48, 48, rgb], ids [batch, word] to image and word features and the word mask."""
        return self.vision(pixels), *self.words(ids)

    def words(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Word ids [batch, word] to features [batch, word, WIDTH] and the word mask [batch, word]."""
        return self.text(ids), ids != PAD

    def fuse(self, image: Tensor, question: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.readout(*self.fusion(image, question, mask))
        return logits

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        return self.fuse(*self.encode(pixels, ids))
