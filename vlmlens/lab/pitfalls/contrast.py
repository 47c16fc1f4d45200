"""Contrastive loss: a question with its answer must fit its own picture better than other pictures of the batch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.lab.pitfalls.remedy import Remedy, Step

OTHERS = 2  # other pictures for each question; each costs one more pass through the fusion


def fits(logits: Tensor, answer: Tensor) -> Tensor:
    """How well a picture fits a question with its answer: log p(answer), [item].

    Up to a constant of the question this is the log of p(picture | question, answer) / p(picture), the best critic that
    InfoNCE has (van den Oord et al., 2018, eq. 3): the model itself is the critic, whatever its wiring.
    """
    return logits.log_softmax(-1).gather(1, answer[:, None])[:, 0]


def own_first(scores: Tensor) -> Tensor:
    """InfoNCE, nats: scores [item, 1 + other], the own picture's first."""
    return F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))


def loss(step: Step, strength: float) -> Tensor:
    """strength x InfoNCE over the own picture and the OTHERS that follow it in the batch."""
    others = min(OTHERS, len(step.answer) - 1)
    scores = [fits(step.logits, step.answer)]
    for turn in range(1, others + 1):
        logits = step.model.fuse(step.image.roll(turn, 0), step.words, step.mask)
        scores.append(fits(logits, step.answer))
    return strength * own_first(torch.stack(scores, dim=1))


REMEDY = Remedy(
    name="contrastive loss",
    sentence="A question with its answer must fit its own picture better than other pictures of the batch (InfoNCE).",
    against="vision ignored",
    low=0.0,
    high=5.0,
    default=0.5,
    loss=loss,
)
