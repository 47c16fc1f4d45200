"""How does the answer's log-odds follow each token, to first order? One backward pass to the states that enter.

Picture and words are taken where both are tokens of one width: as they enter the first layer of the fusion or decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vlmlens.attribution import Case
from vlmlens.errors import NotApplicable
from vlmlens.trace import Segment
from vlmlens.trace.capture import Recorder, recording

LEAST = 0.5  # of the image positions must enter the first layer


@dataclass(frozen=True, eq=False)
class Slopes:
    """By token of the picture and of the words, float64 [token]. Of a state x with gradient g:"""

    image_product: np.ndarray  # |g . x|, nats
    text_product: np.ndarray
    image_elements: np.ndarray  # sum of |g_d x_d| over the width d, nats
    text_elements: np.ndarray
    image_norm: np.ndarray  # |g|, nats for each unit of the state
    text_norm: np.ndarray


@dataclass(eq=False)
class _Entering(Recorder):
    """Cuts the graph where states enter the first layer, and keeps them."""

    leaves: list[tuple[tuple[int, ...], Tensor]] = field(default_factory=list)

    def entering(self, layer: int, states: Tensor, positions: Sequence[int]) -> Tensor:
        if layer > 0:
            return states
        leaf = states.detach().requires_grad_()
        self.leaves.append((tuple(positions), leaf))
        return leaf


def slopes(case: Case, text: tuple[Segment, ...] = (Segment.QUESTION,)) -> Slopes:
    """Gradients of the log-odds of the case's answer.

    Raises:
        NotApplicable: the picture does not enter the first layer as tokens.
    """
    prepared = case.prepared
    recorder = _Entering({}, np.zeros(0), {})
    with case.computing(), recording(recorder):
        score = case.score(case.vlm.logits(prepared).float()).sum()
        leaves = [leaf for _, leaf in recorder.leaves]
        found = torch.autograd.grad(score, leaves, allow_unused=True) if leaves and score.requires_grad else ()
    product, elements, norm = np.full((3, prepared.length), np.nan)
    for (positions, leaf), slope in zip(recorder.leaves, found or [None] * len(recorder.leaves), strict=True):
        where = [position for position in positions if position < prepared.length]
        given = torch.zeros_like(leaf) if slope is None else slope
        gradient, state = (t.detach()[0, : len(where)].double().cpu().numpy() for t in (given, leaf))
        product[where] = np.abs((gradient * state).sum(axis=-1))
        elements[where] = np.abs(gradient * state).sum(axis=-1)
        norm[where] = np.linalg.norm(gradient, axis=-1)
    image, words = prepared.segments == Segment.IMAGE, np.isin(prepared.segments, text)
    there = np.isfinite(norm)
    if (there & image).sum() < max(1, LEAST * image.sum()) or not (there & words).any():
        raise NotApplicable(
            f"In {case.vlm.name} picture and words do not enter one layer as tokens of one sequence; their gradients "
            "do not compare."
        )
    every = (values[side] for values in (product, elements, norm) for side in (image, words))
    return Slopes(*(values[np.isfinite(values)] for values in every))
