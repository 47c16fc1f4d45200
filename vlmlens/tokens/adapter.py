"""Can the weights of the three scores and the tensions be learned, from a glance and a question?

    adapter = load_adapter(0)                      # trained weights, a few hundred numbers
    relevance = adapter(glimpse, total)            # [item, patch]

A linear layer reads the question's mean word feature, mean and spread of each score over the patches, and the mean
budget; it writes a weight of each score (any sign), how much to diversify and how much to particularize. Relevance is
then computed as with the sliders (`tokens.relevance.weighed`). It is trained through a frozen lab model: scores ->
relevance -> budgets -> the picture drawn again -> answer. Budgets are whole and detail comes in levels, so the picture
that the model gets is the real one, and the gradient is that of a mixture of neighboring levels (straight-through,
Bengio, Leonard and Courville, arXiv 1308.3432).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.errors import ModelError
from vlmlens.lab.model import LabModel
from vlmlens.lab.train import Recipe, Report, optimise
from vlmlens.lab.vision import PATCHES, SIDE, WIDTH
from vlmlens.tokens.allocation import allocate
from vlmlens.tokens.detail import MOST, soft, told
from vlmlens.tokens.glance import Glimpse
from vlmlens.tokens.relevance import NAMES, Tensions, weighed

HOME = Path(__file__).resolve().parents[2] / "assets" / "tokens"
COMMAND = "python benchmarks/allocation.py --train"
LOW = 1  # tokens that every patch has, and at which the glance is taken
TOTALS = (72, 144, 216, 324)  # tokens of a picture: 2, 4, 6, 9 a patch
RECIPE = Recipe(pool=3000, steps=180, batch=64, rate=3e-2, decay=0.0)


@dataclass(frozen=True, eq=False)
class Choice:
    """What the adapter chose for each item."""

    weights: Tensor  # [item, score]
    diversify: Tensor  # [item], -1 to 1
    particularize: Tensor  # [item], -1 to 1


class Adapter(nn.Module):
    """It begins as the sliders in the middle, but for a little chance."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.read = nn.Linear(WIDTH + 2 * len(NAMES) + 1, len(NAMES) + 2)
        nn.init.normal_(self.read.weight, std=0.01)
        with torch.no_grad():
            self.read.bias.copy_(torch.tensor([*Tensions().weights, 0.0, 0.0]))

    def choose(self, leveled: Tensor, question: Tensor, total: Tensor) -> Choice:
        """leveled [item, score, patch], question [item, width], total [item] in tokens of the whole picture."""
        seen = torch.cat([leveled.mean(-1), leveled.std(-1, correction=0)], -1)
        told_of = torch.cat([self.norm(question), seen, (total / PATCHES).log2()[:, None]], -1)
        found = self.read(told_of)
        return Choice(found[:, : len(NAMES)], found[:, -2].tanh(), found[:, -1].tanh())

    def forward(self, seen: Glimpse, total: Tensor) -> Tensor:
        """Relevance [item, patch], sums to one."""
        leveled = seen.leveled
        choice = self.choose(leveled, seen.question, total)
        return weighed(leveled, (SIDE, SIDE), choice.weights, choice.diversify, choice.particularize)


def soft_budgets(relevance: Tensor, total: Tensor, low: int = LOW, high: int = MOST) -> Tensor:
    """The budgets before rounding, [item, patch], differentiable: min(high, low + level * relevance), sum `total`."""
    free, room = total - low * relevance.shape[-1], high - low
    ranked, order = relevance.detach().sort(dim=-1, descending=True)
    behind = ranked.flip(-1).cumsum(-1).flip(-1)
    rest = free[:, None] - room * torch.arange(relevance.shape[-1])  # if so many were full
    fits = rest * ranked <= room * behind
    full = torch.zeros_like(fits).scatter(-1, order, fits.int().cumsum(-1) == 0)
    open_ = torch.where(full, torch.zeros_like(relevance), relevance)
    left = (free - room * full.sum(-1))[:, None]
    shared = open_ / open_.sum(-1, keepdim=True).clamp(min=1e-12) * left
    return low + torch.where(full, torch.full_like(relevance, float(room)), shared)


def budgets(relevance: Tensor, total: int, low: int = LOW, high: int = MOST) -> np.ndarray:
    """Whole budgets of many pictures, int [item, patch]."""
    return np.stack([allocate(row, total, low, high) for row in relevance.detach().double().numpy()])


def train_adapter(
    model: LabModel,
    pixels: Tensor,
    words: Tensor,
    mask: Tensor,
    seen: Glimpse,
    truth: Tensor,
    seed: int,
    recipe: Recipe = RECIPE,
    report: Report = print,
) -> Adapter:
    """Through a frozen model; pixels [item, y, x, rgb], words, mask and truth [item] as the model takes them."""
    torch.manual_seed(seed)
    adapter, rng = Adapter(), np.random.default_rng([7, seed])

    def loss_of(index: np.ndarray) -> Tensor:
        total = int(rng.choice(TOTALS))
        part = Glimpse(seen.raw[index], seen.looks, seen.question[index])
        totals = torch.full((len(index),), float(total))
        relevance = adapter(part, totals)
        mixed = soft(pixels[index], soft_budgets(relevance, totals))
        drawn = mixed + (told(pixels[index], budgets(relevance, total)) - mixed).detach()
        logits = model.fuse(model.see(drawn), words[index], mask[index])
        return F.cross_entropy(logits, truth[index])

    optimise(list(adapter.parameters()), recipe, len(pixels), seed, loss_of, report, f"adapter {seed}")
    return adapter.requires_grad_(False).eval()


def save_adapter(adapter: Adapter, seed: int, home: Path = HOME) -> None:
    home.mkdir(parents=True, exist_ok=True)
    save_file(adapter.state_dict(), home / f"adapter-{seed}.safetensors")


def load_adapter(seed: int = 0, home: Path = HOME) -> Adapter:
    """Trained weights. Raises ModelError where they are missing or damaged."""
    path = home / f"adapter-{seed}.safetensors"
    if not path.exists():
        raise ModelError(f"The adapter {path.name} was not trained yet; `{COMMAND}` trains it, in about three minutes.")
    adapter = Adapter()
    try:
        adapter.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"The weights {path.name} are damaged; `{COMMAND}` makes them anew.") from error
    return adapter.requires_grad_(False).eval()
