"""A lab model: frozen eyes and words, a fusion, a readout over the answer vocabulary."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.fusion import WIRINGS, ContrastiveReadout, Fusion, MergedReadout, Readout
from vlmlens.lab.scenes import BOARD
from vlmlens.lab.text import PAD, TextEncoder
from vlmlens.lab.vision import PATCHES, SIDE, WIDTH, VisionEncoder


class LabModel(nn.Module):
    """Pixels and word ids to logits over `ANSWERS`; fusion and readout are `width` wide, the encoders always WIDTH.

    The patches are averaged to `side` x `side` image tokens; `side` divides SIDE. `positions` names one of POSITIONS.
    Whatever is not `learned` comes with local eyes, which see every patch alone: the encoder's own learned places would
    tell where things are in its stead. `local` gives such eyes to `learned`, too. `board`, in cells a side, says for
    how many patches there are learned places; other positions are not bound to a size.
    """

    def __init__(
        self,
        wiring: str,
        width: int = WIDTH,
        latents: int | None = None,
        side: int = SIDE,
        positions: str = "learned",
        board: int = BOARD,
        local: bool = False,
    ) -> None:
        super().__init__()
        self.vision: VisionEncoder | LocalEyes = LocalEyes() if local or positions != "learned" else VisionEncoder()
        self.text = TextEncoder()
        self.fusion = Fusion(WIRINGS[wiring], width, latents, positions, PATCHES * board**2 // BOARD**2)
        self.readout: Readout | MergedReadout | ContrastiveReadout = WIRINGS[wiring].readout(width)
        self.side = side

    def encode(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """pixels uint8 [batch, y, x, rgb], ids [batch, word] to image and word features and the word mask.

        Pictures are 48 pixels high and wide; for local eyes of any size, with as many more image tokens.
        """
        return self.see(pixels), *self.words(ids)

    def see(self, pixels: Tensor) -> Tensor:
        """Pixels [batch, y, x, rgb] to the features of the image tokens [batch, token, WIDTH], row by row."""
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
    """Patch features [item, SIDE * SIDE, width] averaged to [item, side * side, width]; `side` divides SIDE.

    Of a larger board as many patches are averaged, and there are more of them.
    """
    if side == SIDE:
        return image
    patches = math.isqrt(image.shape[1])
    board = image.transpose(1, 2).unflatten(2, (patches, patches))
    return F.avg_pool2d(board, SIDE // side).flatten(2).transpose(1, 2)
