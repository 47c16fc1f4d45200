"""What does a question cost once its picture is told in fewer tokens? Multiply-adds, of one question."""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vlmlens.lab.compress.asking import Asking
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
    """The compressor's own multiply-adds, counted from the modules that ran.

    Not counted: products without weights of their own, the mean of the patches above all (tokens x patches x width).
    """
    compressor = copy.deepcopy(model.compressor).eval()
    counts: list[int] = []

    def hear(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        if isinstance(module, nn.Linear):
            counts.append(made.numel() * module.in_features)
        elif isinstance(module, Asking):
            weights: Tensor = made[1]  # [batch, head, query, key]
            counts.append(2 * weights.numel() * (WIDTH // module.heads))

    handles = [module.register_forward_hook(hear) for module in compressor.modules()]
    try:
        with torch.no_grad():
            words, mask = model.base.words(encode([question]))
            compressor(torch.zeros(1, PATCHES, WIDTH), words, mask, keep)
    finally:
        for handle in handles:
            handle.remove()
    return sum(counts)
