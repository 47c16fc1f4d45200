"""A remedy: what is changed in a model, in its rates or in its loss against a pitfall of training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from vlmlens.lab.model import LabModel
from vlmlens.lab.training.plan import Plan
from vlmlens.progress import Progress


@dataclass(frozen=True, eq=False)
class Step:
    """One batch on its way to the loss."""

    model: LabModel
    image: Tensor  # [item, patch, WIDTH], the frozen encoder's features
    words: Tensor  # [item, word, WIDTH]
    mask: Tensor  # bool [item, word]
    answer: Tensor  # int [item]
    logits: Tensor  # [item, answer]
    attention: Mapping[str, Tensor]  # site name -> [item, head, query, key], part of the graph; empty unless needed
    progress: Progress | None = None  # of the run, for what a remedy has to make ready first


@dataclass(frozen=True)
class Remedy:
    """`strength` is a number between `low` and `high`; 0 is none of it."""

    name: str
    sentence: str  # for people
    against: str  # the pitfall, in words
    low: float
    high: float
    default: float
    plan: Callable[[Plan, float], Plan] | None = None  # another plan, before the model is made
    model: Callable[[LabModel, float], None] | None = None  # the model changed, before the first step
    loss: Callable[[Step, float], Tensor] | None = None  # added to the loss of every step
    attends: bool = False  # whether `loss` needs the attention
