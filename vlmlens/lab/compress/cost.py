"""What does a question cost once its picture is told in fewer tokens? Multiply-adds, of one question."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vlmlens.lab.compress.model import CompressedModel
from vlmlens.lab.cost import QUESTION
from vlmlens.lab.text import encode
from vlmlens.lab.vision import PATCHES, WIDTH

LAYERS = 4  # of the base wiring
INNER = 2 * WIDTH  # of its feed-forward


@dataclass(frozen=True)
class TokenCost:
    """Multiply-adds as `lab/cost.py` counts them: linear maps and both products of attention, nothing else."""

    tokens: int  # image tokens
    words: int
    attention: int  # scores and mixing in the fusion's layers: 2 layers n^2 width, n = tokens + words
    fusing: int  # the fusion's layers, that attention included
    compressing: int  # the compressor itself, which sees all patches whatever the budget

    @property
    def total(self) -> int:
        return self.fusing + self.compressing

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"total": self.total}


def fusing(tokens: int, words: int) -> tuple[int, int]:
    """Of the base wiring's layers: scores and mixing, and everything, in closed form."""
    length = tokens + words
    attention = LAYERS * 2 * length**2 * WIDTH
    return attention, attention + LAYERS * length * (4 * WIDTH**2 + 2 * WIDTH * INNER)


def cost(model: CompressedModel, keep: int, question: str = QUESTION) -> TokenCost:
    """What one question takes with `keep` image tokens. The model itself is not touched."""
    ids = encode([question])
    attention, whole = fusing(keep, ids.shape[1])
    return TokenCost(keep, ids.shape[1], attention, whole, compressing(model, keep, question))


def compressing(model: CompressedModel, keep: int, question: str = QUESTION) -> int:
    """The compressor's own multiply-adds: every matrix product and convolution of one pass."""
    counter = _Products()
    with torch.no_grad():
        words, mask = model.base.words(encode([question]))
        image = torch.randn(1, PATCHES, WIDTH, generator=torch.Generator().manual_seed(0))
        with counter:
            model.compressor(image, words, mask, keep)
    return counter.total


class _Products(TorchDispatchMode):
    """Counts by the shapes that torch's own formulas read, below all modules and without a hook in any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func.overloadpacket):
            self.total += int(formula(*args, **(kwargs or {}), out_val=made)) // 2
        return made
