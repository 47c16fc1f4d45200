"""Can a map be trusted? Its patches are taken away and put back in its order, and so are those of random maps.

Deletion: the hottest patches go first, and the answer's probability is followed; insertion: nothing is there but the
hottest patches (Petsiuk, Das and Saenko, BMVC 2018). A patch goes in four ways: its pixels take the mean colour, a blur
or another picture's, or nothing may read its tokens. Only the hottest sixth is followed: there a map says something.

Random maps have the map's own power spectrum, so that they are as smooth. How far they spread is the unit in which each
way counts: the score is the sum over ways of the area above the curve of deletion and below that of insertion, each
standardised over the map and the random maps together. Where it ranks among them is its p-value; a map is better than
random if at most one of 49 scores as high (that one may have found the same thing by luck).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor

from vlmlens.attention import CausalCheck
from vlmlens.attribution.case import Case, plain_fill
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take
from vlmlens.models.inside import Eyes
from vlmlens.models.many import probability
from vlmlens.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

FILLS = ("mean colour", "blur", "other picture")
KNOCKED_OUT = "knock-out"
SHARES = (0.06, 0.12, 0.17)  # of the patches
DRAWS = 49
AT_ONCE = 17  # random maps between two looks at whether the rest are needed
HOPELESS = 3  # of the first look's random maps that score higher: the map cannot become better than random
LEVEL = 0.04
MOVES = 0.02  # of probability: where removing the whole picture changes less, there is nothing to explain
MARKED = 0.1  # of the patches: what a map is said to mark
KNOCKED = 40  # random regions that are knocked out

Verdict = Literal["better than random", "no better than random", "inconclusive"]


@dataclass(frozen=True, eq=False)
class Curves:
    """The answer's probability as patches go and come back, for several maps."""

    ways: tuple[str, ...]  # how a patch goes
    shares: np.ndarray  # [step], of the patches; from 0
    deletion: np.ndarray  # [map, way, step]
    insertion: np.ndarray  # [map, way, step]

    @property
    def scores(self) -> np.ndarray:
        """How far each map lies above the mean of all, in standard deviations, summed over ways [map]."""
        areas = np.concatenate([-self.deletion, self.insertion], axis=1) @ _weights(self.shares)
        spread = areas.std(axis=0)
        found: np.ndarray = ((areas - areas.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).sum(axis=1)
        return found


@dataclass(frozen=True, eq=False)
class Trust:
    """What taking away and putting back did, for a map and for random maps of its smoothness."""

    curves: Curves  # the map's first, then the random maps'; fewer where fewer were enough to tell
    check: CausalCheck  # the hottest tenth knocked out, and as many patches that random maps mark

    @property
    def emptied(self) -> np.ndarray:
        """Probability with the whole picture removed, [way]: where insertion begins."""
        found: np.ndarray = self.curves.insertion[0, :, 0]
        return found

    @property
    def beaten(self) -> int:
        """Random maps that score less."""
        scores = self.curves.scores
        return int((scores[1:] < scores[0]).sum())

    @property
    def draws(self) -> int:
        """Random maps."""
        return len(self.curves.deletion) - 1

    @property
    def p(self) -> float:
        """How often a random map scores at least as high, the map itself counted in."""
        return (1 + self.draws - self.beaten) / (1 + self.draws)

    @property
    def moves(self) -> float:
        """How far removing the whole picture moves the probability, in the way that moves it most."""
        return float(np.abs(self.check.before - self.emptied).max())

    @property
    def verdict(self) -> Verdict:
        if self.moves < MOVES:
            return "inconclusive"
        return "better than random" if self.p <= LEVEL else "no better than random"

    def sentence(self) -> str:
        """What happened, in words with its numbers and its doubt."""
        if self.verdict == "inconclusive":
            return (
                f"Removing the whole picture moves “{self.check.answer}” by {self.moves:.3f} only: there is nothing on "
                "it that a map could mark."
            )
        return (
            f"As patches go and come back in its order, it beats {self.beaten} of {self.draws} random maps as smooth "
            f"(p = {self.p:.2f})."
        )

    def to_dict(self) -> dict[str, Any]:
        curves = self.curves
        areas = {"deletion": curves.deletion, "insertion": curves.insertion}
        return {
            "verdict": self.verdict,
            "p": self.p,
            "scores": curves.scores.tolist(),
            "shares": curves.shares.tolist(),
            "ways": {
                way: {"emptied": float(self.emptied[i])}
                | {name: values[0, i].tolist() for name, values in areas.items()}
                | {f"{name}_area": (values[:, i] @ _weights(curves.shares)).tolist() for name, values in areas.items()}
                for i, way in enumerate(curves.ways)
            },
            "knock_out": self.check.to_dict() | {"verdict": None},
        }

    def to_frame(self) -> "pd.DataFrame":
        """Share by share and way by way; of random maps the middle 95 of 100."""
        import pandas as pd

        curves, parts = self.curves, []
        for i, way in enumerate(curves.ways):
            table: dict[str, Any] = {"way": way, "share": curves.shares}
            for name, values in (("deletion", curves.deletion[:, i]), ("insertion", curves.insertion[:, i])):
                low, high = np.quantile(values[1:], (0.025, 0.975), axis=0)
                table |= {name: values[0], f"random_{name}_low": low, f"random_{name}_high": high}
            parts.append(pd.DataFrame(table))
        return pd.concat(parts, ignore_index=True)


def trust(case: Case, cells: np.ndarray, progress: Progress | None = None, check: CausalCheck | None = None) -> Trust:
    """Compare a map with 49 random maps of its smoothness, by what its order does to the answer.

    It ends after 17 or 34 where three of them score higher. Costs `passes(case)` forward passes at most.

    Args:
        cells: the map, [cell]; only its order counts.
        check: what `knock_out` found of it; it is made, with 42 passes more, if not given.
    """
    progress = progress or Progress()
    cells = np.asarray(cells, float)
    maps = np.concatenate([cells[None], random_maps(cells, case.trace.grid.shape, DRAWS, case.seed)])
    fills = filled(case)
    found: Curves | None = None
    for start in range(1, len(maps), AT_ONCE):
        progress.step((start - 1) / DRAWS, f"random map {start} of {DRAWS}")
        more = curves(case, fills, maps[0 if found is None else start : start + AT_ONCE], progress)
        found = more if found is None else _joined(found, more)
        if (found.scores[1:] >= found.scores[0]).sum() >= HOPELESS:
            break
    assert found is not None
    if check is None:
        progress.step(0.98, "knock-outs")
        check = knock_out(case, cells)
    return Trust(found, check)


def passes(case: Case) -> int:
    """Forward passes of the comparison with random maps, at most."""
    inner, ends = 2 * len(_counts(case.trace.grid.cells)) * (1 + DRAWS), 2 * len(range(0, DRAWS, AT_ONCE))
    return (inner + ends) * (1 + (len(FILLS) if _has_cells(case) else 0))


def curves(case: Case, fills: Tensor | None, maps: np.ndarray, progress: Progress | None = None) -> Curves:
    """The curves of maps [map, cell].

    Args:
        fills: what stands in place of a patch, [fill, ...] as the vision encoder gets pictures; None to knock out only.
        progress: asked before every batch whether to go on.
    """
    cells = maps.shape[1]
    counts = _counts(cells)
    order = np.argsort(-maps, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    taken = rank[:, None] < counts[None, :, None]  # [map, step, cell]
    ends = _probabilities(case, fills, np.array([[False] * cells, [True] * cells]))  # [way, 2]
    inner = _probabilities(case, fills, np.concatenate([taken, ~taken]).reshape(-1, cells), progress)
    inner = inner.reshape(len(ends), 2, len(maps), len(counts)).transpose(1, 2, 0, 3)  # [direction, map, way, step]
    full, empty = (np.broadcast_to(ends[None, :, i, None], (len(maps), len(ends), 1)) for i in (0, 1))
    return Curves(
        (*FILLS, KNOCKED_OUT) if fills is not None else (KNOCKED_OUT,),
        np.concatenate([[0.0], counts / cells]),
        np.concatenate([full, inner[0]], axis=2),
        np.concatenate([empty, inner[1]], axis=2),
    )


def _counts(cells: int) -> np.ndarray:
    """Patches that are gone at each step."""
    return np.unique(np.round(np.array(SHARES) * cells).clip(1, cells - 1).astype(int))


def _weights(shares: np.ndarray) -> np.ndarray:
    """Of the steps, so that values times them is the mean height of the curve (trapezoids)."""
    steps = np.diff(shares)
    found: np.ndarray = (np.append(steps, 0) + np.append(0, steps)) / 2 / shares[-1]
    return found


def _joined(one: Curves, other: Curves) -> Curves:
    deletion = np.concatenate([one.deletion, other.deletion])
    return Curves(one.ways, one.shares, deletion, np.concatenate([one.insertion, other.insertion]))


def _probabilities(case: Case, fills: Tensor | None, taken: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Probability of the answer with some cells removed, [way, variant]; `taken` bool [variant, cell]."""
    vlm, candidate = case.vlm, case.answer.candidate
    against = None if case.against is None else case.against.candidate
    found = []
    for fill in () if fills is None else fills:
        for start in range(0, len(taken), vlm.variants_at_once):
            if progress is not None:
                progress.check()
            with case.computing(), torch.inference_mode():  # the model is free for others between two batches
                eyes = case.eyes
                mask = torch.from_numpy(taken[start : start + vlm.variants_at_once]).to(eyes.cells.device)
                logits = eyes.logits(torch.where(mask[:, eyes.cells[0]], fill, eyes.pixels))
            found.append(probability(logits, candidate, against))
    keys = case.trace.grid.tokens(taken, case.prepared.length)
    found.append(vlm.hidden_probability(case.prepared, candidate, keys, against=against))
    return np.concatenate(found).reshape(-1, len(taken))


def filled(case: Case) -> Tensor | None:
    """The fills, [fill, ...] as the vision encoder gets pictures; None where pixels do not belong to cells."""
    if not _has_cells(case):
        return None
    eyes = case.eyes
    scene = take("train", case.seed, 1)[0].scene
    donor = case.vlm.prepare(case.vlm.image(scene), case.question)
    other = case.vlm.eyes(donor).pixels
    if other.shape != eyes.pixels.shape:  # pictures of other proportions become other shapes in some families
        other = torch.flip(eyes.pixels, dims=[axis for axis in range(1, eyes.cells.ndim) if eyes.cells.shape[axis] > 1])
    return torch.cat([plain_fill(eyes), _blurred(eyes), other])


def _has_cells(case: Case) -> bool:
    """Whether pixels belong to cells in this model."""
    try:
        return bool(case.eyes)
    except NotApplicable:
        return False


def _blurred(eyes: Eyes) -> Tensor:
    sigma = [size / 8 if eyes.cells.shape[axis] > 1 else 0 for axis, size in enumerate(eyes.pixels.shape)]
    return torch.from_numpy(gaussian_filter(eyes.pixels.float().cpu().numpy(), sigma)).to(eyes.pixels)


def random_maps(cells: np.ndarray, shape: tuple[int, int], count: int, seed: int = 0) -> np.ndarray:
    """Maps [draw, cell] with the power spectrum of `cells` and random phases."""
    noise = np.random.default_rng([7, seed]).normal(size=(count, *shape))
    phases = np.fft.fft2(noise)
    power = np.abs(np.fft.fft2(np.asarray(cells, float).reshape(shape)))
    power[0, 0] = 0.0
    fields: np.ndarray = np.fft.ifft2(power * phases / np.maximum(np.abs(phases), 1e-300)).real
    return fields.reshape(count, -1)


def agreement(one: np.ndarray, other: np.ndarray, shape: tuple[int, int], draws: int = 999) -> tuple[float, float]:
    """Spearman's rank correlation of two maps [cell], and how often a random map as smooth as `one` agrees as well.

    Two-sided; NaN where a map is constant.
    """
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan"), float("nan")
    found = float(spearmanr(one, other).statistic)
    null = [float(spearmanr(random, other).statistic) for random in random_maps(one, shape, draws)]
    return found, float((1 + (np.abs(null) >= abs(found)).sum()) / (1 + draws))


def knock_out(case: Case, cells: np.ndarray) -> CausalCheck:
    """The hottest tenth of a map knocked out, and that of random maps."""
    others = random_maps(cells, case.trace.grid.shape, KNOCKED, case.seed)
    hottest = np.stack([marked(one) for one in (np.asarray(cells, float), *others)])
    hidden = np.zeros((2 + len(others), len(cells)), bool)
    np.put_along_axis(hidden[1:], hottest, True, axis=1)
    before, after, *rest = _probabilities(case, None, hidden)[0].tolist()
    return CausalCheck(case.named, tuple(hottest[0].tolist()), before, after, tuple(rest))


def marked(cells: np.ndarray) -> np.ndarray:
    """The hottest tenth of a map's cells, hottest first."""
    found: np.ndarray = np.argsort(-cells, kind="stable")[: max(1, round(MARKED * len(cells)))]
    return found
