"""Entropy regularisation: rows of cross-attention are paid for spreading over many keys."""

import torch
from torch import Tensor

from vlmlens.lab.pitfalls.joining import asking, joining
from vlmlens.lab.pitfalls.remedy import Remedy, Step

NOTHING = 1e-12  # a key that may not be read has weight 0, where the slope of the entropy is infinite


def row_entropy(step: Step) -> Tensor:
    """Mean entropy of the rows of all joining attention, nats; rows of padding do not count."""
    found = []
    for name, _, link in joining(step.model.fusion):
        weights = step.attention[name]  # [item, head, query, key]
        entropy = torch.special.entr(weights.clamp_min(NOTHING)).sum(-1)
        real = asking(link.look, step.image, step.mask, step.model.fusion.queries)[:, None].expand_as(entropy)
        found.append(entropy[real].mean())
    return torch.stack(found).mean() if found else step.logits.new_zeros(())


def loss(step: Step, strength: float) -> Tensor:
    """-strength x entropy (confidence penalty of Pereyra et al., 2017, on attention rows in place of answers)."""
    return -strength * row_entropy(step)


REMEDY = Remedy(
    name="entropy",
    sentence="Attention is paid for looking at more than one place: its entropy is taken off the loss.",
    against="attention collapse",
    low=0.0,
    high=1.0,
    default=0.05,
    loss=loss,
    attends=True,
)
