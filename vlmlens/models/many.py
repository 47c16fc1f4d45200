"""Many pictures and questions: batches, what is read from them, and the answers to every pair.

for part in vlm.read(pictures, questions):            # item by item, pooled at every reading point
    part.image, part.question, part.probabilities
for where, logits in vlm.crossed(pictures, questions):  # every picture with every question
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Pooling = Literal["mean", "last", "cls"]
POOLINGS: tuple[Pooling, ...] = ("mean", "last", "cls")


@dataclass(frozen=True, eq=False)
class Batch:
    """Items as one model reads them, padded to one length."""

    inputs: Mapping[str, Any]
    image: Tensor  # bool [item, position]
    question: Tensor  # bool [item, position]


@dataclass(frozen=True, eq=False)
class Readings:
    """What the passes over some items showed. A reading point lies before the first layer or after one."""

    points: tuple[str, ...]
    image: np.ndarray  # float32 [point, item, width]
    question: np.ndarray  # float32 [point, item, width]
    probabilities: np.ndarray  # float32 [item, candidate]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def answers(self) -> np.ndarray:
        """The most probable candidate, int [item]."""
        return self.probabilities.argmax(axis=1)


def joined(parts: list[Readings]) -> Readings:
    """Readings one after the other, as if they had been read at once."""
    return Readings(
        parts[0].points,
        np.concatenate([part.image for part in parts], axis=1),
        np.concatenate([part.question for part in parts], axis=1),
        np.concatenate([part.probabilities for part in parts]),
    )


def pool(states: Tensor, mask: Tensor, how: Pooling = "mean") -> Tensor:
    """One vector an item, [item, width]: the mean, the last or the first ("cls") of the positions that `mask` allows.

    Args:
        states: [item, position, width].
        mask: bool [item, position], at least one True an item.
    """
    if how == "mean":
        weights = mask.to(states.dtype)
        return torch.einsum("npw,np->nw", states, weights / weights.sum(1, keepdim=True))
    places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    chosen = (
        torch.where(mask, places, -1).amax(1) if how == "last" else torch.where(mask, places, mask.shape[1]).amin(1)
    )
    return states[torch.arange(len(states), device=states.device), chosen]


def who_is_who(inputs: Mapping[str, Tensor], tell: Callable[[int, Tensor], np.ndarray]) -> Tensor:
    """Segments of padded items, int [item, position], -1 for padding; `tell` has its number and own tokens."""
    ids, real = inputs["input_ids"].cpu(), inputs["attention_mask"].bool().cpu()
    segments = torch.full(ids.shape, -1)
    for item, row in enumerate(segments):
        row[real[item]] = torch.from_numpy(tell(item, ids[item][real[item]])).to(row.dtype)
    return segments.to(inputs["input_ids"].device)


def repeated(inputs: Mapping[str, Tensor], times: int) -> dict[str, Tensor]:
    """Tensors [item, ...] so many times over, all items in turn."""
    return {name: value.repeat(times, *[1] * (value.ndim - 1)) for name, value in inputs.items()}


def probability(logits: Tensor, candidate: int, against: int | None = None) -> np.ndarray:
    """Of a candidate among all, or among two; float64 [batch] from logits [batch, candidate]."""
    logits = logits.double()
    if against is not None:
        logits, candidate = logits[:, [candidate, against]], 0
    found: np.ndarray = logits.softmax(-1)[:, candidate].cpu().numpy()
    return found


def log_odds(logits: Tensor, candidate: int, against: int | None = None) -> np.ndarray:
    """Of a candidate against all others, or against one; nats, float64 [batch] from logits [batch, candidate]."""
    logits = logits.double()
    if against is None:
        others = torch.arange(logits.shape[-1], device=logits.device) != candidate
        rest = logits[:, others].logsumexp(-1)
    else:
        rest = logits[:, against]
    found: np.ndarray = (logits[:, candidate] - rest).cpu().numpy()
    return found
