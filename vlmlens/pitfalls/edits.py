"""What is done to a lab model to give it a pitfall, or to leave it just short of one. All in place."""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.lab.draw import render_batch
from vlmlens.lab.fusion import Gate, Link
from vlmlens.lab.model import LabModel
from vlmlens.lab.sample import take
from vlmlens.lab.vision import Attention, VisionEncoder
from vlmlens.lab.weights import load_encoders

SCENES = 128  # whose features are averaged


class Tilted(Attention):
    """Attention with something added to the scores of one key, in every row and head."""

    key: int
    height: float

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None, *more: object, **named: object) -> Tensor:
        if mask is None:
            mask = torch.ones(y.shape[:2], dtype=torch.bool)
        scores = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask.clone()
        scores[..., self.key] += self.height
        found: Tensor = super().forward(x, y, scores, *more, **named)  # type: ignore[arg-type]
        return found


class Quiet(nn.Linear):
    """Values, of which one key's are multiplied by a factor."""

    key: int
    factor: float

    def forward(self, y: Tensor) -> Tensor:
        values = super().forward(y).clone()
        values[:, self.key] *= self.factor
        return values


class Dulled(VisionEncoder):
    """Eyes to which pictures look more alike: mean + keep x (what differs) + noise x (what differs, mixed up)."""

    average: Tensor  # [patch, width]
    mix: Tensor  # [width, width]
    keep: float
    noise: float

    def forward(self, pixels: Tensor) -> Tensor:
        differs = super().forward(pixels) - self.average
        return self.average + self.keep * differs + self.noise * differs @ self.mix


def tilt(link: Link, key: int, height: float) -> None:
    """Add `height` to the scores of one key."""
    attention = link.attention
    attention.__class__ = Tilted
    assert isinstance(attention, Tilted)
    attention.key, attention.height = key, height


def quieten(link: Link, key: int, factor: float) -> None:
    """Multiply what one key tells by a factor, which may be above 1."""
    values = link.attention.v_proj
    values.__class__ = Quiet
    assert isinstance(values, Quiet)
    values.key, values.factor = key, factor


def shrink(link: Link, factor: float) -> None:
    """Bring the scores of a brick nearer to each other."""
    link.attention.q_proj.weight.mul_(factor)
    link.attention.q_proj.bias.mul_(factor)


def out_matrix(link: Link) -> Tensor:
    """The matrix by which attention writes, behind its gate if it has one."""
    projection = link.attention.out_proj
    if link.look.gated:
        found = projection.parametrizations.weight.original  # type: ignore[union-attr]
        assert isinstance(found, Tensor)
        return found
    return projection.weight


def set_gate(link: Link, value: float) -> None:
    """Give attention's gate this tanh."""
    gate = next(module for module in link.attention.modules() if isinstance(module, Gate))
    gate.alpha.fill_(float(np.arctanh(value)))


def dull(model: LabModel, keep: float, noise: float, rng: np.random.Generator) -> None:
    """Give a model eyes to which pictures look more alike."""
    eyes = model.vision
    assert isinstance(eyes, VisionEncoder)
    width = typical().shape[-1]
    eyes.__class__ = Dulled
    assert isinstance(eyes, Dulled)
    eyes.average, eyes.keep, eyes.noise = typical(), keep, noise
    eyes.mix = torch.from_numpy(np.linalg.qr(rng.standard_normal((width, width)))[0]).float()


@cache
def typical() -> Tensor:
    """The mean features of training scenes, [patch, width]."""
    vision, _ = load_encoders()
    scenes = [item.scene for item in take("train", 3000, SCENES)]
    with torch.no_grad():
        found: Tensor = vision(torch.from_numpy(render_batch(scenes))).mean(dim=0)
    return found
