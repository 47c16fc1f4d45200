"""What do budgets of image tokens cost in a real model, and what is as large a part worth in the lab?

The lab's picture is 36 tokens. A budget is set beside the lab by the part of all image tokens that it keeps; it says
nothing of how well the real model would answer.
"""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any

from vlmlens.lab.cards import Estimate
from vlmlens.lab.compress.measured import Measured
from vlmlens.tokens.cost import Cost
from vlmlens.tokens.models import Real

BUDGETS = (64, 144, 256, 576, 1024)
NEAR = 0.15  # the part by which the lab's kept share may differ from the budget's


@dataclass(frozen=True)
class Budget:
    """So many image tokens in a real model."""

    tokens: int
    share: float  # of the family's own count; above 1 for more than it makes
    cost: Cost
    ratio: float  # of all operations, against the family's own count

    def to_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "share_kept": self.share, "ratio": self.ratio, **self.cost.to_dict()}


def budgets(real: Real, size: tuple[int, int], text: int, tokens: Many[int] = BUDGETS) -> list[Budget]:
    """Each budget's cost for a picture of this width and height. What the vision tower computes is the same in all."""
    own = real.see(*size).tokens
    whole = real.cost(*size, text).total
    found = []
    for count in tokens:
        cost = real.cost(*size, text, image=count)
        found.append(Budget(count, count / own, cost, cost.total / whole))
    return found


def in_the_lab(found: Measured, compressor: str, share: float) -> tuple[int, Estimate] | None:
    """The lab's tokens and accuracy at about this share of them; None where it was measured at none so near."""
    kept = found.budgets(compressor)
    if not kept:
        return None
    near = min(kept, key=lambda count: abs(count / max(kept) / share - 1))
    if abs(near / max(kept) / share - 1) > NEAR:
        return None
    accuracy = found.accuracy(compressor, near)
    return None if accuracy is None else (near, accuracy)
