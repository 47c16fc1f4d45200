"""A wiring that is told its picture in fewer tokens: frozen encoders, a compressor, the fusion, the readout."""

from torch import Tensor, nn

from vlmlens.lab.compress.compressor import Compression, Told
from vlmlens.lab.model import LabModel

BASE = "concat"  # one sequence: what it costs falls with the tokens


class CompressedModel(nn.Module):
    """Pixels and word ids to logits over `ANSWERS`, with the picture in `keep` tokens, chosen anew at every call.

    A token's place is the mean of its patches' places, by its shares: a patch that was kept keeps its own.
    """

    def __init__(self, compression: Compression, base: LabModel | None = None) -> None:
        super().__init__()
        self.compression = compression
        self.base = base or LabModel(BASE)
        self.compressor = compression.make()

    def encode(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """pixels uint8 [batch, y, x, rgb], ids [batch, word] to image and word features and the word mask."""
        return self.base.encode(pixels, ids)

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        told: Told = self.compressor(image, words, mask, keep)
        return told

    def fuse(self, told: Told, words: Tensor, mask: Tensor) -> Tensor:
        """The answer's logits [batch, answer], of a picture that was told."""
        fusion = self.base.fusion
        entrance = fusion.enter_image
        entered = entrance.project(entrance.norm(told.tokens)) + told.shares @ entrance.places
        logits: Tensor = self.base.readout(*fusion.join(entered, fusion.enter_question(words), mask))
        return logits

    def forward(self, pixels: Tensor, ids: Tensor, keep: int) -> Tensor:
        image, words, mask = self.encode(pixels, ids)
        return self.fuse(self.tell(image, words, mask, keep), words, mask)
