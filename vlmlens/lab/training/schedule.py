"""How fast each part of a model learns at each step: linear warm-up, then a cosine, one rate for each group."""

import math
from typing import Literal

from vlmlens.lab.training.plan import Plan

Group = Literal["new", "projection", "pretrained"]
GROUPS: tuple[Group, ...] = ("new", "projection", "pretrained")


def factor(step: int, steps: int, warm_up: float) -> float:
    """What the highest rate is multiplied by at the update after `step` others, `step` from 0 to `steps` - 1.

    It rises in equal steps to 1 over the first `warm_up` of the steps, then falls along half a cosine towards 0
    (Loshchilov and Hutter, 2017, without restarts).
    """
    rising = round(warm_up * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * math.cos(math.pi * (step - rising) / (steps - rising))


def rates(plan: Plan, step: int) -> dict[Group, float]:
    """The learning rate of each group at the update after `step` others."""
    now = factor(step, plan.steps, plan.warm_up)
    return {group: rate * now for group, rate in highest(plan).items()}


def highest(plan: Plan) -> dict[Group, float]:
    """The highest learning rate of each group; 0 keeps it as it is."""
    return {"new": plan.rate_new, "projection": plan.rate_projection, "pretrained": plan.rate_pretrained}
