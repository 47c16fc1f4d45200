"""Which image tokens are to stay? Ways to rank them while the model runs, one row each."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vlmlens.trace.rows import ROWS_AT_ONCE, Call, row_attention

Score = Callable[[Call, Tensor, int], Tensor]
# (what the attention of the ranking layer is called with, positions of the image tokens int [item, token], seed)
# -> scores [item, token]; the highest stay


@dataclass(frozen=True)
class Ranker:
    name: str
    about: str  # for people, after "ranked by"
    asks: bool  # whether the question has a say
    score: Score
    chance: bool = False  # whether another seed keeps other tokens


def of_image(read: Tensor, image: Tensor) -> Tensor:
    """From what every position was given, [item, position], to what the image tokens were, [item, token]."""
    return read.gather(1, image.to(read.device))


def attention(call: Call, image: Tensor, seed: int) -> Tensor:
    """What the last row pays to each token, mean over heads (FastV: Chen et al., ECCV 2024, section 4.1).

    It is the row that the answer is read from, so the question has been read: the ranking is query-aware.
    """
    last = torch.tensor([call.query.shape[2] - 1], device=call.query.device)
    weights, _ = row_attention(call, last, None)
    return of_image(weights.mean(1)[:, 0], image)


def received(call: Call, image: Tensor, seed: int) -> Tensor:
    """What a token gets from the image's own rows that may look at it, mean over them and over heads.

    No row of the words has a say: where the picture stands before the question, it is query-blind.
    """
    total = torch.zeros(image.shape, device=call.query.device)
    could = torch.zeros_like(total)
    for part in image.to(call.query.device).split(ROWS_AT_ONCE, dim=1):
        for item, rows in enumerate(part):
            one = Call(
                call.query[[item]],
                call.key[[item]],
                call.value[[item]],
                call.mask if call.mask is None or len(call.mask) == 1 else call.mask[[item]],
                call.causal,
                call.scaling,
                call.softcap,
                call.sinks,
            )
            weights, visible = row_attention(one, rows, None)
            total[item] += weights.mean(1)[0, :, image[item]].sum(0)
            could[item] += visible[0][:, image[item]].sum(0)
    return total / could.clamp_min(1)


def random(call: Call, image: Tensor, seed: int) -> Tensor:
    """The control: every choice of so many tokens is as likely as any other."""
    return torch.rand(image.shape, generator=torch.Generator().manual_seed(seed))


RANKERS = {
    ranker.name: ranker
    for ranker in (
        Ranker("attention", "the attention that the answer's row pays to each (FastV)", True, attention),
        Ranker("received", "the attention that each gets from the picture's own tokens", False, received),
        Ranker("random", "chance, the control", False, random, chance=True),
    )
}
