"""Which items the words alone decided: shares of single items, by pointwise unique information and by MM-SHAP.

Two rulers that share nothing: the first needs a table over many items, the second one item and knock-outs. Where they
agree on an item's place in the ranking, believe it more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vlmlens.errors import NotApplicable
from vlmlens.information.interventional import Interventional
from vlmlens.information.solver import prices
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress
from vlmlens.trace import Segment

PERMUTATIONS = 32  # of the players, each also walked backwards
REGIONS = 3  # a side: the picture's players are at most so many squared


@dataclass(frozen=True, eq=False)
class Pointwise:
    """Bits about one outcome, [x1, x2, y]; their mean under the joint is the decomposition. May be negative."""

    unique_1: np.ndarray
    unique_2: np.ndarray
    redundant: np.ndarray
    synergistic: np.ndarray


def pointwise(joint: Any) -> Pointwise:
    """Every outcome's part of the decomposition; zero where the joint is.

    u1 = log2 q(y|x1,x2) / p(y|x2), u2 likewise, r = i(x1;y) - u1, s = i_p(x1,x2;y) - r - u1 - u2, where q(y|x1,x2) is
    read off the dual solution, which knows it also for pairs that the optimal Q leaves out.
    """
    p = np.asarray(joint, float) / np.sum(joint)
    a, b = prices(p)
    there = p > 0

    def bits(p_of_y: np.ndarray) -> np.ndarray:
        """log2, [x1, x2, y]"""
        return np.log2(np.broadcast_to(p_of_y, p.shape), out=np.zeros_like(p), where=there)

    dual = np.where(there, a[:, None] + b[None], 0.0)
    given_1, given_2 = bits(_given(p.sum(axis=1))[:, None]), bits(_given(p.sum(axis=0))[None])
    alone = bits(p.sum(axis=(0, 1)))
    u1, u2 = dual - given_2, dual - given_1
    redundant = given_1 - alone - u1
    return Pointwise(u1, u2, redundant, bits(_given(p)) - alone - redundant - u1 - u2)


def ranked(found: Interventional) -> pd.DataFrame:
    """Every pair of picture and question that occurs, those first that the question alone decided most.

    Columns: picture and question (numbers), answer (the model's), probability, and the four parts in bits.
    """
    parts = pointwise(found.joint)
    i, j = np.nonzero(found.weights)
    best = found.table[i, j].argmax(axis=1)
    frame = pd.DataFrame(
        {
            "picture": i,
            "question": [found.questions[index] for index in j],
            "answer": [found.answers[index] for index in best],
            "probability": found.table[i, j, best],
            "unique_image": parts.unique_1[i, j, best],
            "unique_text": parts.unique_2[i, j, best],
            "redundant": parts.redundant[i, j, best],
            "synergistic": parts.synergistic[i, j, best],
        }
    )
    return frame.sort_values("unique_text", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class Shap:
    """Shapley values of one answer's probability: what each player adds, averaged over the orders of adding them."""

    players: tuple[str, ...]
    values: np.ndarray  # [player]
    error: np.ndarray  # standard error, [player]
    image: np.ndarray  # bool [player]
    alone: float  # probability with everything hidden
    whole: float  # with nothing hidden

    @property
    def text_share(self) -> float:
        """T-SHAP (Parcalabescu and Frank, ACL 2023): the words' part of the sum of absolute values."""
        total = np.abs(self.values).sum()
        return float(np.abs(self.values[~self.image]).sum() / total) if total > 1e-9 else float("nan")

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame({"player": self.players, "value": self.values, "error": self.error, "image": self.image})


def mm_shap(
    vlm: VLM,
    picture: Picture,
    question: str,
    candidate: int,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    progress: Progress | None = None,
    text: Sequence[Segment] = (Segment.QUESTION,),
) -> Shap:
    """Shapley values over regions of the picture and words of the question, by knock-out.

    The published method masks words and pixels; here a hidden player's tokens may be read by nobody, which stays inside
    what the model was built for. Sampled over permutations (Castro et al. 2009) and their reverses. `text`: the
    segments whose tokens count as words.
    """
    prepared = vlm.prepare(vlm.image(picture), question)
    if not prepared.grid.cells:
        raise NotApplicable(f"It is not known where on the picture the image tokens of {vlm.name} lie: no regions.")
    words = np.flatnonzero(np.isin(prepared.segments, text))
    regions = prepared.grid.tokens(_regions(prepared.grid.shape), prepared.length)
    member = np.concatenate([regions, np.arange(prepared.length) == words[:, None]])  # [player, position]
    image = np.arange(len(member)) < len(regions)

    rng = np.random.default_rng([7, seed])
    orders = [rng.permutation(len(member)) for _ in range(permutations)]
    orders = [order for pair in orders for order in (pair, pair[::-1])]
    hidden = np.stack([_walk(order) for order in orders])  # [order, step, player]
    steps = hidden.shape[1]
    rows, where = np.unique(hidden.reshape(-1, len(member)), axis=0, return_inverse=True)
    probability = vlm.hidden_probability(prepared, candidate, rows @ member, progress)
    walked = probability[where.ravel()].reshape(len(orders), steps)
    added = np.zeros((len(orders), len(member)))
    for row, order, gains in zip(added, orders, np.diff(walked), strict=True):
        row[order] = gains
    pairs = added.reshape(-1, 2, len(member)).mean(axis=1)  # an order and its reverse are one draw
    names = [f"region {i + 1}" for i in range(int(image.sum()))] + [prepared.tokens[word] for word in words]
    error = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    return Shap(tuple(names), pairs.mean(axis=0), error, image, float(walked[0, 0]), float(walked[0, -1]))


def _walk(order: np.ndarray) -> np.ndarray:
    """Who is hidden at each step, bool [step, player]: first all, then one less at a time."""
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    return place[None] >= np.arange(len(order) + 1)[:, None]


def _regions(shape: tuple[int, int]) -> np.ndarray:
    """The cells in at most REGIONS x REGIONS rectangles, bool [region, cell]."""
    bands = [np.array_split(np.arange(side), min(REGIONS, side)) for side in shape]
    found = np.zeros((len(bands[0]), len(bands[1]), *shape), bool)
    for i, rows in enumerate(bands[0]):
        for j, columns in enumerate(bands[1]):
            found[i, j, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return found.reshape(-1, shape[0] * shape[1])


def _given(joint: np.ndarray) -> np.ndarray:
    """p(y | the rest), 0 where the rest never occurs."""
    total = joint.sum(axis=-1, keepdims=True)
    return joint / np.where(total > 0, total, 1.0)
