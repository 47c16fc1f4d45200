"""A lab model: frozen eyes and words, a fusion, a readout over the answer vocabulary."""

from torch import Tensor, nn

from vlmlens.lab.fusion import WIRINGS, ContrastiveReadout, Fusion, MergedReadout, Readout
from vlmlens.lab.text import PAD, TextEncoder
from vlmlens.lab.vision import WIDTH, VisionEncoder


class LabModel(nn.Module):
    """Pixels and word ids to logits over `ANSWERS`; fusion and readout are `width` wide, the encoders always WIDTH."""

    def __init__(self, wiring: str, width: int = WIDTH, latents: int | None = None) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.text = TextEncoder()
        self.fusion = Fusion(WIRINGS[wiring], width, latents)
        self.readout: Readout | MergedReadout | ContrastiveReadout = WIRINGS[wiring].readout(width)

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
