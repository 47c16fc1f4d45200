"""Can a map be trusted? Its patches are taken away and put back in its order, and so are those of random maps.

Deletion: the hottest patches are filled first (the mean colour, a blur, another picture), and the answer's probability
followed; insertion: a filled picture gets them back (Petsiuk, Das and Saenko, BMVC 2018). The score of a map is the
area under insertion less that under deletion, mean over the fills. Random maps have the map's own power spectrum, so
that they are as smooth; a map is better than random where at most 3 in 100 of them score as high.
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
from vlmlens.lab.draw import draw
from vlmlens.lab.sample import take
from vlmlens.models import as_image
from vlmlens.models.inside import Eyes
from vlmlens.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

FILLS = ("mean", "blur", "donor")
SHARES = (0.03, 0.07, 0.12, 0.2, 0.35, 0.6)  # of the patches, between none and all
DRAWS = 99
FEWEST_DRAWS = 39  # with fewer, not even the best map could be told from chance
AT_ONCE = 13  # random maps between two looks at whether more are needed
LEVEL = 0.03
MOVES = 0.02  # of probability: where filling the whole picture changes less, there is nothing to explain
MARKED = 0.1  # of the patches: what a map is said to mark
KNOCKED = 40  # random regions that are knocked out

Verdict = Literal["better than random", "no better than random", "inconclusive"]


@dataclass(frozen=True, eq=False)
class Trust:
    """What taking away and putting back did, for a map and for random maps of its smoothness."""

    shares: np.ndarray  # [step], of the patches taken or put; from 0 to 1
    deletion: np.ndarray  # [fill, step], probability of the answer
    insertion: np.ndarray  # [fill, step]
    random_deletion: np.ndarray  # [draw, step], mean over fills; no more draws than were needed to tell
    random_insertion: np.ndarray
    check: CausalCheck  # the hottest tenth knocked out, and as many patches that random maps mark

    @property
    def score(self) -> float:
        """Area under insertion less area under deletion, mean over fills; -1 to 1."""
        return float(np.trapezoid((self.insertion - self.deletion).mean(axis=0), self.shares))

    @property
    def random(self) -> np.ndarray:
        """The same of every random map, [draw]."""
        scores: np.ndarray = np.trapezoid(self.random_insertion - self.random_deletion, self.shares, axis=1)
        return scores

    @property
    def p(self) -> float:
        """How often a random map scores at least as high, the map itself counted in."""
        return float((1 + (self.random >= self.score).sum()) / (1 + len(self.random)))

    @property
    def moves(self) -> float:
        """How far filling the whole picture moves the probability, mean over fills."""
        return float(np.abs(self.deletion[:, 0] - self.deletion[:, -1]).mean())

    @property
    def verdict(self) -> Verdict:
        if self.moves < MOVES:
            return "inconclusive"
        return "better than random" if self.p <= LEVEL else "no better than random"

    def sentence(self) -> str:
        """What happened, in words with its numbers and its doubt."""
        check = self.check
        if self.verdict == "inconclusive":
            return (
                f"Filling the whole picture moves “{check.answer}” by {self.moves:.3f} only: there is "
                "nothing on it that a map could mark."
            )
        removed = f"Removing what this map marks takes “{check.answer}” from {check.before:.2f} to {check.after:.2f}; "
        beaten = int((self.random < self.score).sum())
        return (
            f"{removed}random regions of that size take it to {check.elsewhere_mean:.2f}. Its order beats {beaten} of "
            f"{len(self.random)} random maps as smooth (p = {self.p:.2f})."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "score": self.score,
            "p": self.p,
            "random_scores": self.random.tolist(),
            "shares": self.shares.tolist(),
            "deletion": dict(zip(FILLS, self.deletion.tolist(), strict=True)),
            "insertion": dict(zip(FILLS, self.insertion.tolist(), strict=True)),
            "knock_out": self.check.to_dict() | {"verdict": None},
        }

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        table: dict[str, Any] = {"share": self.shares}
        for index, fill in enumerate(FILLS):
            table |= {f"deletion_{fill}": self.deletion[index], f"insertion_{fill}": self.insertion[index]}
        low, high = np.quantile(self.random_deletion, (0.025, 0.975), axis=0)
        table |= {"random_deletion_low": low, "random_deletion_high": high}
        low, high = np.quantile(self.random_insertion, (0.025, 0.975), axis=0)
        return pd.DataFrame(table | {"random_insertion_low": low, "random_insertion_high": high})


def trust(case: Case, cells: np.ndarray, draws: int = DRAWS, progress: Progress | None = None) -> Trust:
    """Compare a map with random maps of its smoothness, by what its order does to the answer.

    Args:
        cells: the map, [cell]; only its order counts.
        draws: random maps, at least 39; it stops earlier where the map can no longer be better than random. Each costs
            36 forward passes.

    Raises:
        NotApplicable: pixels do not belong to cells in this model.
    """
    draws, progress = max(draws, FEWEST_DRAWS), progress or Progress()
    shape, fills = case.trace.grid.shape, filled(case)
    progress.step(0, "the map")
    shares, deletion, insertion = curves(case, fills, np.asarray(cells, float)[None])
    score = np.trapezoid((insertion - deletion)[0].mean(axis=0), shares)
    others = random_maps(cells, shape, draws, case.seed)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    beaten_by = 0
    for start in range(0, draws, AT_ONCE):
        progress.step(start / draws, f"random map {start + 1} of {draws}")
        _, taken, put = curves(case, fills, others[start : start + AT_ONCE])
        found.append((taken.mean(axis=1), put.mean(axis=1)))
        beaten_by += int((np.trapezoid((put - taken).mean(axis=1), shares, axis=1) >= score).sum())
        if (1 + beaten_by) / (1 + draws) > LEVEL:
            break
    progress.step(0.98, "knock-outs")
    return Trust(
        shares,
        deletion[0],
        insertion[0],
        np.concatenate([taken for taken, _ in found]),
        np.concatenate([put for _, put in found]),
        _knock_out(case, cells, others[:KNOCKED]),
    )


def curves(case: Case, fills: Tensor, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares [step]; the answer's probability as patches are taken, and as they are put back [map, fill, step].

    Args:
        fills: what stands in place of a patch, [fill, ...] as the vision encoder gets pictures.
        maps: [map, cell].
    """
    cells = maps.shape[1]
    counts = np.unique(np.round(np.array(SHARES) * cells).clip(1, cells - 1).astype(int))
    order = np.argsort(-maps, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    taken = rank[:, None] < counts[None, :, None]  # [map, step, cell]
    ends = _probabilities(case, fills, np.array([[False] * cells, [True] * cells]))  # [fill, 2]
    inner = _probabilities(case, fills, np.concatenate([taken, ~taken]).reshape(-1, cells))
    inner = inner.reshape(len(fills), 2, len(maps), len(counts)).transpose(1, 2, 0, 3)  # [way, map, fill, step]
    first, last = (np.broadcast_to(ends[None, :, i, None], (len(maps), len(fills), 1)) for i in (0, 1))
    shares = np.concatenate([[0.0], counts / cells, [1.0]])
    return shares, np.concatenate([first, inner[0], last], axis=2), np.concatenate([last, inner[1], first], axis=2)


def _probabilities(case: Case, fills: Tensor, taken: np.ndarray) -> np.ndarray:
    """Probability of the answer with some cells filled, [fill, variant]; `taken` bool [variant, cell]."""
    eyes, found = case.eyes, []
    at_once = case.vlm.variants_at_once
    with case.computing(), torch.inference_mode():
        for fill in fills:
            for start in range(0, len(taken), at_once):
                mask = torch.from_numpy(taken[start : start + at_once]).to(eyes.cells.device)[:, eyes.cells[0]]
                logits = eyes.logits(torch.where(mask, fill, eyes.pixels)).double()
                if case.against is not None:
                    logits = logits[:, [case.answer.candidate, case.against.candidate]]
                chosen = case.answer.candidate if case.against is None else 0
                found.append(logits.softmax(-1)[:, chosen].cpu().numpy())
    return np.concatenate(found).reshape(len(fills), len(taken))


def filled(case: Case) -> Tensor:
    """The fills, [fill, ...] as the vision encoder gets pictures: mean colour, a blur, another picture."""
    eyes = case.eyes
    scene = take("train", case.seed, 1)[0].scene
    donor = case.vlm.prepare(as_image(scene) if case.vlm.info.lab else draw(scene, 336), case.question)
    other = case.vlm.eyes(donor).pixels
    if other.shape != eyes.pixels.shape:  # pictures of other proportions become other shapes in some families
        other = torch.flip(eyes.pixels, dims=[axis for axis in range(1, eyes.cells.ndim) if eyes.cells.shape[axis] > 1])
    return torch.cat([plain_fill(eyes), _blurred(eyes), other])


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


def _knock_out(case: Case, cells: np.ndarray, others: np.ndarray) -> CausalCheck:
    """The hottest tenth of a map knocked out, and that of random maps."""
    count = max(1, round(MARKED * len(cells)))
    hottest = np.argsort(-np.concatenate([np.asarray(cells, float)[None], others]), axis=1, kind="stable")[:, :count]
    hidden = np.zeros((2 + len(others), len(cells)), bool)
    np.put_along_axis(hidden[1:], hottest, True, axis=1)
    keys = np.zeros((len(hidden), case.prepared.length), bool)
    keys[:, case.trace.grid.positions] = hidden
    before, after, *rest = case.vlm.hidden_probability(case.prepared, case.answer.candidate, keys).tolist()
    return CausalCheck(case.answer.text, tuple(hottest[0].tolist()), before, after, tuple(rest))
