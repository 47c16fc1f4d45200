"""What does a lab model answer when a picture is told at the detail that its question calls for?

    found = redraw(vlmlens.load("lab:concat"), picture, "what color is the star?", Plan(total=144))
    found.budgets; found.allotted.answer; found.uniform.answer; found.by_chance

Everything is real: the scores come from a glance at the minimum, the budgets are whole, and the model answers the
picture that is drawn from them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vlmlens.errors import NotApplicable, UserError
from vlmlens.lab.draw import PIXELS
from vlmlens.lab.vision import PATCHES, SIDE
from vlmlens.models.base import VLM, Picture
from vlmlens.models.lab import LabVLM
from vlmlens.tokens.adapter import Adapter
from vlmlens.tokens.allocation import allocate
from vlmlens.tokens.detail import MOST, samples, told
from vlmlens.tokens.glance import glimpse
from vlmlens.tokens.relevance import Scores, Tensions, relevance, weighed
from vlmlens.trace import Answer

DRAWS = 40  # of the same budgets dealt by chance
SHAPE = (SIDE, SIDE)


@dataclass(frozen=True)
class Plan:
    """How many tokens, within which bounds, and what decides: the tensions, or a trained adapter's own."""

    total: int = 144
    low: int = 1
    high: int = MOST
    tensions: Tensions = field(default_factory=Tensions)

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high <= MOST:
            raise UserError(
                f"A patch of the lab has {MOST} pixels and needs a sample at least: choose 1 <= minimum <= maximum <= "
                f"{MOST}, not {self.low} and {self.high}."
            )


@dataclass(frozen=True, eq=False)
class Version:
    """A picture at some detail, and what the model says of it."""

    pixels: np.ndarray  # uint8 [y, x, rgb]
    budgets: np.ndarray  # int [patch]
    samples: int  # in which the picture is told; what is missing to the budgets lies between two levels
    answer: Answer
    probability: float  # of the answer that the model gives to the picture in full


@dataclass(frozen=True, eq=False)
class Redrawn:
    """One picture and one question: scores, relevance, budgets, and the answers to what is drawn from them."""

    scores: Scores
    relevance: np.ndarray  # float [patch], sums to one
    tensions: Tensions
    weights: tuple[float, float, float]  # of information, salience, coupling; magnitudes sum to 1
    full: Version
    allotted: Version
    uniform: Version
    by_chance: np.ndarray  # float [draw]: probability of the full picture's answer, the budgets dealt by chance

    @property
    def budgets(self) -> np.ndarray:
        """Tokens of every patch, int [patch]."""
        return self.allotted.budgets

    def to_dict(self) -> dict[str, Any]:
        versions = {"full": self.full, "allotted": self.allotted, "uniform": self.uniform}
        return {
            "scores": self.scores.to_dict(),
            "relevance": self.relevance.tolist(),
            "budgets": self.budgets.tolist(),
            "weights": list(self.weights),
            "answers": {
                name: {
                    "answer": each.answer.text,
                    "probability": each.answer.probability,
                    "probability of the full picture's answer": each.probability,
                    "tokens": int(each.budgets.sum()),
                    "samples": each.samples,
                }
                for name, each in versions.items()
            },
            "by chance": self.by_chance.tolist(),
        }


def fits(vlm: VLM) -> bool:
    """Whether a model is one of the lab's own with the lab's patches, so that its pictures can be drawn again."""
    return type(vlm) is LabVLM and vlm.model.side == SIDE


def redraw(vlm: VLM, picture: Picture, question: str, plan: Plan, adapter: Adapter | None = None) -> Redrawn:
    """Share out the tokens of `plan` and ask of the picture drawn from them, of the uniform one, of the full one.

    Raises QuestionError for words that the model does not know, UserError for a total that the bounds do not allow,
    NotApplicable for a model that is not one of the lab's.
    """
    if not isinstance(vlm, LabVLM) or not fits(vlm):
        raise NotApplicable(
            f"{vlm.name} does not read the lab's {PATCHES} patches of 48 pixels; ask lab:concat, or see the map below."
        )
    model = vlm.model
    vlm.words(question)
    small = vlm.image(picture).resize((PIXELS, PIXELS), Image.Resampling.BOX)
    prepared = torch.from_numpy(np.array(small)[None])
    with vlm.lock, torch.no_grad(), vlm.listening():
        words, mask = model.words(vlm.ids([question]))
        seen = glimpse(model, prepared, words, mask, plan.low)
        scores = seen.of(0)
        tensions, weights = plan.tensions, plan.tensions.weights
        if adapter is None:
            found = relevance(scores, SHAPE, tensions)
        else:
            choice = adapter.choose(seen.leveled, seen.question, torch.tensor([float(plan.total)]))
            found = weighed(seen.leveled, SHAPE, choice.weights, choice.diversify, choice.particularize)[0].numpy()
            weights = tuple(choice.weights[0].tolist())
            tensions = Tensions(float(choice.particularize), 0.0, float(choice.diversify))
        shared = allocate(found, plan.total, plan.low, plan.high)
        even = allocate(np.ones(PATCHES), plan.total, plan.low, plan.high)
        rng = np.random.default_rng(0)
        every = [np.full(PATCHES, MOST), shared, even, *(rng.permutation(shared) for _ in range(DRAWS))]
        drawn = told(prepared.expand(len(every), -1, -1, -1), np.stack(every))
        logits = model.fuse(model.see(drawn), *(each.expand(len(every), *each.shape[1:]) for each in (words, mask)))
    return _assemble(vlm, scores, np.asarray(found, float), tensions, weights, every, drawn, logits)


def _assemble(
    vlm: LabVLM,
    scores: Scores,
    found: np.ndarray,
    tensions: Tensions,
    weights: tuple[float, ...],
    every: list[np.ndarray],
    drawn: Tensor,
    logits: Tensor,
) -> Redrawn:
    p = logits.double().softmax(-1).numpy()  # [version, answer]
    best = int(p[0].argmax())
    full, allotted, uniform = (
        Version(
            drawn[i].round().clamp(0, 255).byte().numpy(),
            every[i],
            int(np.multiply(*samples(every[i])).sum()),
            vlm.rank(p[i])[0],
            float(p[i, best]),
        )
        for i in range(3)
    )
    size = sum(map(abs, weights)) or 1.0  # only their ratios matter: what is drawn from them is brought to [0, 1]
    three = (weights[0] / size, weights[1] / size, weights[2] / size)
    return Redrawn(scores, found, tensions, three, full, allotted, uniform, p[3:, best])
