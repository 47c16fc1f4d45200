"""How relevant is each patch to a question: three scores, and three tensions that weigh them against each other.

    scored = Scores(information, salience, coupling)    # each [patch], 0 to 1
    relevance(scored, Tensions(particularize=0.5))      # [patch], sums to one

The three scores are those of `lab.compress.scores`, brought to [0, 1]. The opponent processing follows the description
of ARR-COC-0-1, which names the tensions and gives no formulas; these are ours, a sentence and a formula each:

1. exploit (-1) - explore (+1), e: what the question points at against what stands out by itself.
   u = (1 - e)/2 * coupling + (1 + e)/2 * (information + salience)/2
2. focus (-1) - diversify (+1), d: patches beside relevant ones are lifted, or held down (lateral inhibition).
   v = u - d * (mean of u over the up to eight neighbors), brought to [0, 1]
3. compress (-1) - particularize (+1), p: all patches alike, or few of them high. A softmax whose sharpness is the
   slider: relevance = softmax(s * v), s = SHARPEST * (1 + p)/2; at p = -1 all are exactly alike.
"""

import math
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.errors import UserError
from vlmlens.lab.compress.scores import even

SHARPEST = 8.0  # the best patch has at most e^8, 3,000 times, the weight of the worst
NAMES = ("information", "salience", "coupling")


@dataclass(frozen=True)
class Tensions:
    """Where each opponent process stands, -1 to 1. Raises UserError outside."""

    particularize: float = 0.0  # -1 compress: all alike; 1 particularize: few patches high
    explore: float = 0.0  # -1 exploit: what the question points at; 1 explore: what stands out by itself
    diversify: float = 0.0  # -1 focus: beside what is relevant; 1 diversify: away from it

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and -1 <= value <= 1):
                raise UserError(f"The tension {name} must be from -1 to 1, got {value}.")

    @property
    def weights(self) -> tuple[float, float, float]:
        """Of information, salience and coupling."""
        own = (1 + self.explore) / 4
        return own, own, (1 - self.explore) / 2


@dataclass(frozen=True, eq=False)
class Scores:
    """The three scores of every patch, row by row, as they were measured; `units` says in what."""

    information: np.ndarray  # [patch], bits
    salience: np.ndarray  # [patch], spreads
    coupling: np.ndarray  # [patch], shares of the question's look
    looks: str = "the question's words"  # whose attention the coupling is

    def leveled(self) -> np.ndarray:
        """Each brought to [0, 1] by its least and most, float [score, patch]; 0.5 where all patches are alike."""
        raw = torch.from_numpy(np.stack([self.information, self.salience, self.coupling]).astype(np.float64))
        found: np.ndarray = even(raw).numpy()
        return found

    def to_dict(self) -> dict[str, list[float]]:
        return {each.name: getattr(self, each.name).tolist() for each in fields(self) if each.name in NAMES}


def relevance(scores: Scores, shape: tuple[int, int], tensions: Tensions | None = None) -> np.ndarray:
    """Relevance of every patch, float [patch], sums to one. `shape`: rows and columns of the patches."""
    tensions = tensions or Tensions()
    leveled = torch.from_numpy(scores.leveled())
    weights = leveled.new_tensor(tensions.weights)
    found: np.ndarray = weighed(
        leveled, shape, weights, leveled.new_tensor(tensions.diversify), leveled.new_tensor(tensions.particularize)
    ).numpy()
    return found


def weighed(
    leveled: Tensor, shape: tuple[int, int], weights: Tensor, diversify: Tensor, particularize: Tensor
) -> Tensor:
    """The same for many pictures, differentiable: scores [..., score, patch], weights [..., score], tensions [...]."""
    drawn = (leveled * weights[..., None]).sum(-2)  # [..., patch]
    spread = even(drawn - diversify[..., None] * around(drawn, shape))
    return (SHARPEST * (1 + particularize[..., None]) / 2 * spread).softmax(-1)


def around(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """The mean of a patch's up to eight neighbors [..., patch]; its own value where it has none."""
    board = values.reshape(-1, 1, *shape)
    kernel = board.new_ones(1, 1, 3, 3)
    kernel[..., 1, 1] = 0
    count = F.conv2d(torch.ones_like(board), kernel, padding=1)
    mean = F.conv2d(board, kernel, padding=1) / count.clamp(min=1)
    return torch.where(count > 0, mean, board).reshape(values.shape)
