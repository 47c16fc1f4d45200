"""A lab model: frozen eyes and words, a fusion, a readout over the answer vocabulary."""

from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.fusion import WIRINGS, ContrastiveReadout, Fusion, MergedReadout, Readout
from vlmlens.lab.text import PAD, TextEncoder
from vlmlens.lab.vision import SIDE, WIDTH, VisionEncoder


class LabModel(nn.Module):
    """Pixels and word ids to logits over `ANSWERS`; fusion and readout are `width` wide, the encoders always WIDTH.

    The patches are averaged to `side` x `side` image tokens; `side` divides SIDE.
    """

    def __init__(self, wiring: str, width: int = WIDTH, latents: int | None = None, side: int = SIDE) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.text = TextEncoder()
        self.fusion = Fusion(WIRINGS[wiring], width, latents)
        self.readout: Readout | MergedReadout | ContrastiveReadout = WIRINGS[wiring].readout(width)
        self.side = side

    def encode(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """pixels uint8 [batch, 48, 48, rgb], ids [batch, word] to image and word features and the word mask."""
        return self.see(pixels), *self.words(ids)

    def see(self, pixels: Tensor) -> Tensor:
        """Pixels [batch, 48, 48, rgb] to the features of the image tokens [batch, side * side, WIDTH]."""
        return averaged(self.vision(pixels), self.side)

    def words(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Word ids [batch, word] to features [batch, word, WIDTH] and the word mask [batch, word]."""
        return self.text(ids), ids != PAD

    def fuse(self, image: Tensor, question: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.readout(*self.fusion(image, question, mask))
        return logits

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        return self.fuse(*self.encode(pixels, ids))


def averaged(image: Tensor, side: int) -> Tensor:
    """Patch features [item, SIDE * SIDE, width] averaged to [item, side * side, width]; `side` divides SIDE."""
    if side == SIDE:
        return image
    board = image.transpose(1, 2).unflatten(2, (SIDE, SIDE))
    return F.avg_pool2d(board, SIDE // side).flatten(2).transpose(1, 2)
