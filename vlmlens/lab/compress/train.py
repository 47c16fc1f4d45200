"""Train a compressor: with the fusion that reads it, over frozen encoders, for all budgets at once.

The budget is drawn anew at every step, so that one model can be asked for any of them (Matryoshka query transformers,
Hu et al., 2024; M3, Cai et al., 2024). A model that is trained for one budget alone may do better at it; `only` trains
one. A compressor that learns to choose is asked half as many questions a step, each twice (`choose.py`).
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.lab.compress.choose import mean_over_draws
from vlmlens.lab.compress.compressor import Compression
from vlmlens.lab.compress.model import BASE, CompressedModel
from vlmlens.lab.questions import all_questions
from vlmlens.lab.text import encode
from vlmlens.lab.train import EMPHASIS, Pool, Recipe, Report, optimise
from vlmlens.lab.vision import PATCHES
from vlmlens.lab.weights import LabName, load_wiring

RECIPE = Recipe(pool=30_000, steps=0, batch=192, rate=1e-3, emphasis=True)  # steps are the compressor's own
WHOLE = 0.5  # how often all patches are told, against any other budget: it is what the base can do, and the dearest


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained compressor, and how it came to be."""

    model: CompressedModel
    recipe: Recipe
    seconds: float
    curve: tuple[dict[str, float], ...]  # step and loss, of a batch at whatever budget its step drew


def train_compressor(
    compression: Compression,
    seed: int,
    pool: Pool,
    steps: int | None = None,
    only: int | None = None,
    report: Report = print,
) -> Trained:
    """Compressor, fusion and readout, beginning at the shipped `lab:concat@seed`; the same seed, the same weights.

    Raises ModelError where the base has no weights. `only`: one budget instead of all that the compressor has.
    """
    recipe = replace(RECIPE, steps=steps or compression.steps)
    torch.manual_seed(1000 + seed)
    model = CompressedModel(compression, load_wiring(LabName(BASE, seed))).train()
    model.compressor.dice = torch.Generator().set_state(torch.get_rng_state())
    ids = encode([question.text for question in all_questions()])
    with torch.no_grad():
        words, mask = model.base.words(ids)
    parts = (model.compressor, model.base.fusion, model.base.readout)
    learning = [parameter for part in parts for parameter in part.requires_grad_().parameters()]
    budgets = compression.budgets if only is None else (only,)
    often = np.array([WHOLE if keep == PATCHES and len(budgets) > 1 else 1.0 for keep in budgets])
    dice = np.random.default_rng([5, seed])
    curve: list[dict[str, float]] = []

    def loss_of(index: np.ndarray) -> Tensor:
        keep = int(dice.choice(budgets, p=often / often.sum()))
        if compression.chooses:
            index = np.tile(index[: len(index) // 2], 2)  # two draws for each question
        which = pool.question[index]
        image, text, real = pool.image[index].float(), words[which], mask[which]
        told = model.tell(image, text, real, keep)
        losses = F.cross_entropy(model.fuse(told, text, real), pool.answer[index], reduction="none")
        return losses.mean() if told.chance is None else mean_over_draws(losses, told.chance)

    odds = np.array([EMPHASIS[question.kind] for question in all_questions()])[pool.question.numpy()]
    began = time.monotonic()
    optimise(
        learning,
        recipe,
        len(pool.answer),
        seed,
        loss_of,
        report,
        f"{compression.name}, seed {seed}",
        odds / odds.sum() if recipe.emphasis else None,
        lambda step, loss: curve.append({"step": step, "loss": round(loss, 4)}),
    )
    model.compressor.dice = None
    return Trained(model.requires_grad_(False).eval(), recipe, time.monotonic() - began, tuple(curve))
