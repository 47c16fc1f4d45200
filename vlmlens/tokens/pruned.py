"""Does the answer survive when image tokens leave? One share looked at closely, and the curve over shares with chance.

effect = compare(vlm, picture, question, share=0.25, layer=2)
for curve in sweep(vlm, picture, question, layer=2): ...   # grows, draw by draw
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vlmlens.errors import NotApplicable
from vlmlens.models.base import VLM, Picture
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.tokens.prune import count, layers_allowed, prune
from vlmlens.tokens.rank import RANKERS
from vlmlens.trace import Answer, Grid, Segment

SHARES = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05, 0.0)
DRAWS = 20  # of the control: none of them as good is 1 in 21 by chance

Verdict = Literal["better than chance", "worse than chance", "inconclusive"]


@dataclass(frozen=True, eq=False)
class Effect:
    """One picture and question, with all image tokens and with some of them."""

    share: float
    layer: int  # K
    by: str
    tokens: int  # of the picture
    length: int  # of the prompt
    before: Answer  # the full model's
    after: Answer  # the pruned one's
    probability: float  # of the full model's answer, in the pruned one
    said_before: str  # the whole answer
    said_after: str
    positions: np.ndarray  # int [image token], in the order of the sequence
    stays: np.ndarray  # bool [image token]
    scores: np.ndarray | None  # [image token]; None where all stay
    shown: np.ndarray  # [cell], 0 to 1: how much of what the decoder reads of each cell goes on after layer K
    grid: Grid

    @property
    def kept(self) -> int:
        return int(self.stays.sum())

    @property
    def same(self) -> bool:
        """Whether the model still says the same."""
        return self.before.candidate == self.after.candidate and self.said_before == self.said_after


def image_tokens(vlm: VLM, prepared: Prepared) -> np.ndarray:
    """Positions of the image tokens that pass the decoder, int [token]."""
    image = np.flatnonzero(prepared.segments == Segment.IMAGE)
    return image[image >= getattr(vlm, "before", 0)]


def compare(
    vlm: VLM, picture: Picture, question: str, share: float, layer: int, by: str = "attention", seed: int = 0
) -> Effect:
    """The answer before and after. Raises NotApplicable where tokens cannot leave this model; see `prune`."""
    layers_allowed(vlm)
    prepared = vlm.prepare(vlm.image(picture), question)
    image = image_tokens(vlm, prepared)
    with vlm.lock:
        full, _ = vlm.run(prepared, None)
        before = vlm.rank(full.softmax(-1)[0].double().numpy())[0]
        with prune(vlm, share, layer, by, seed) as pruning:
            less, _ = vlm.run(prepared, None)
            stays = pruning.survivors[0].cpu().numpy()
            scores = None if pruning.scores is None else pruning.scores[0].numpy()
            said_after = vlm.generate(prepared)
        said_before = vlm.generate(prepared)
    chances = less.softmax(-1)[0].double().numpy()
    return Effect(
        share,
        layer,
        by,
        len(image),
        prepared.length - getattr(vlm, "before", 0),
        before,
        vlm.rank(chances)[0],
        float(chances[before.candidate]),
        said_before,
        said_after,
        image,
        stays,
        scores,
        visible(prepared.grid, image, stays),
        prepared.grid,
    )


def visible(grid: Grid, image: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """How much of what the decoder reads of each cell stays, float [cell].

    A cell's own token stays or does not. Where queries of a resampler stand between, it is the part of all reading of
    the cell that was done by those that stay.
    """
    who = dict(zip(image.tolist(), stays.tolist(), strict=True))
    if grid.through is None:
        return np.array([float(who.get(int(position), True)) for position in grid.positions])
    kept = np.array([who.get(int(position), True) for position in grid.wide_positions])
    read: np.ndarray = grid.through[kept].sum(axis=0) / np.maximum(grid.through.sum(axis=0), 1e-12)
    return read


@dataclass(frozen=True, eq=False)
class Curve:
    """The probability of the full model's answer, by share and ranking. What has not run yet is not in it."""

    answer: Answer
    tokens: int
    layer: int
    found: dict[str, dict[float, tuple[float, ...]]]  # ranking -> share -> a probability a draw; one without chance

    def verdict(self, by: str, share: float) -> tuple[Verdict, int, int]:
        """A ranking against chance at a share: the word, how many draws did at least as well, how many there are.

        Better where chance alone would do as well in fewer than 1 of 20 (rank among the draws).
        """
        draws = self.found.get("random", {}).get(share, ())
        value = self.found.get(by, {}).get(share, ())
        if not draws or not value:
            return "inconclusive", 0, len(draws)
        as_good = sum(draw >= value[0] - 1e-9 for draw in draws)
        as_bad = sum(draw <= value[0] + 1e-9 for draw in draws)
        if (as_good + 1) / (len(draws) + 1) < 0.05:
            return "better than chance", as_good, len(draws)
        word: Verdict = "worse than chance" if (as_bad + 1) / (len(draws) + 1) < 0.05 else "inconclusive"
        return word, as_good, len(draws)


def sweep(
    vlm: VLM,
    picture: Picture,
    question: str,
    layer: int,
    shares: Sequence[float] = SHARES,
    draws: int = DRAWS,
    progress: Progress | None = None,
) -> Iterator[Curve]:
    """Every ranking at every share, then the control draw by draw; yields what there is so far."""
    layers_allowed(vlm)
    prepared = vlm.prepare(vlm.image(picture), question)
    tokens = len(image_tokens(vlm, prepared))
    if tokens < 2:
        raise NotApplicable(
            f"This picture is {tokens} token to {vlm.name}: it stays or leaves as a whole, and there is nothing to "
            "rank. Take a larger picture, or a model that cuts it into more tokens."
        )
    progress = progress or Progress()
    with vlm.lock:
        full, _ = vlm.run(prepared, None)
    answer = vlm.rank(full.softmax(-1)[0].double().numpy())[0]

    def chance(share: float, by: str, seed: int) -> float:
        with vlm.lock, prune(vlm, share, layer, by, seed):
            logits, _ = vlm.run(prepared, None)
        return float(logits.softmax(-1)[0, answer.candidate])

    sure = [name for name, ranker in RANKERS.items() if not ranker.chance]
    open_to_chance = [share for share in shares if 0 < count(share, tokens) < tokens]
    jobs = [(name, share, 0) for share in shares for name in sure]
    jobs += [("random", share, seed) for seed in range(draws) for share in open_to_chance]
    curve = Curve(answer, tokens, layer, {name: {} for name in RANKERS})
    for by, share, seed in progress.over(jobs, len(jobs), "pass"):
        value = answer.probability if count(share, tokens) == tokens else chance(share, by, seed)
        own = curve.found[by]
        grown = {**own, share: (*own.get(share, ()), value)}
        curve = replace(curve, found={**curve.found, by: grown})
        yield curve
