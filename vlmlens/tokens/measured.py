"""What `benchmarks/allocation.py` measured: does detail where it is relevant buy accuracy, at the same total?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vlmlens.errors import UserError
from vlmlens.lab.cards import half_width
from vlmlens.tokens.adapter import HOME

TARGET = HOME / "allocation.json"
COMMAND = "python benchmarks/allocation.py --measure"
RESAMPLES = 2000
OVERALL = 0  # in place of a total: the mean over all totals

METHODS = {
    "uniform": "the same number of tokens for every patch",
    "random": "the sliders' budgets, dealt to patches by chance",
    "sliders": "the three scores under the sliders in the middle",
    "adapter": "the learned weights and tensions",
    "adapter, shuffled": "the adapter's budgets, dealt to patches by chance",
    "truth": "all free tokens to the patches of what is asked about, which nobody could know at a glance",
}
PAIRS = (
    ("sliders", "uniform"),
    ("sliders", "random"),
    ("adapter", "uniform"),
    ("adapter", "adapter, shuffled"),
    ("adapter", "sliders"),
    ("truth", "uniform"),
)
Word = Literal["better", "worse", "cannot say"]


@dataclass(frozen=True)
class Accuracy:
    """Of one way to share out one total, over the held-out items."""

    total: int  # tokens of a picture
    method: str
    value: float
    interval: tuple[float, float]  # 95 %, bootstrap over scenes
    runs: tuple[float, ...]  # a number each: draws by chance, training seeds, or the only run
    told: float  # samples that pictures were told in, mean; what is missing to the total lies between two levels


@dataclass(frozen=True)
class Difference:
    """Accuracy of `one` minus that of `other` on the same items; `total` OVERALL is the mean over totals."""

    total: int
    one: str
    other: str
    value: float
    interval: tuple[float, float]  # 95 %, bootstrap over scenes, and over training seeds where there are several
    seeds: tuple[float, ...]  # a number each training seed; empty where nothing was trained
    seeds_interval: tuple[float, float] | None  # 95 %, Student's t over training seeds

    @property
    def word(self) -> Word:
        """Better or worse only where every interval lies on one side of zero."""
        both = [self.interval, *([self.seeds_interval] if self.seeds_interval else [])]
        if all(low > 0 for low, _ in both):
            return "better"
        return "worse" if all(high < 0 for _, high in both) else "cannot say"

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} points [{100 * self.interval[0]:+.1f}, {100 * self.interval[1]:+.1f}]"


@dataclass(frozen=True)
class Finding:
    """How well a score alone tells patches of what is asked about from all others: mean area under the ROC curve."""

    score: str
    value: float  # 0.5 is chance; below it the score points away
    interval: tuple[float, float]  # 95 %, bootstrap over scenes


@dataclass(frozen=True)
class Measured:
    about: dict[str, Any]
    accuracies: tuple[Accuracy, ...]
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(sorted({each.total for each in self.accuracies}))

    def difference(self, one: str, other: str, total: int = OVERALL) -> Difference | None:
        wanted = (total, one, other)
        return next((each for each in self.differences if (each.total, each.one, each.other) == wanted), None)


def read(path: Path = TARGET) -> Measured | None:
    """What was measured, or None where nothing was. Raises UserError for a file that the benchmark did not write."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        parts = [found.pop(name) for name in ("accuracies", "differences", "scores")]
        return Measured(
            found,
            tuple(Accuracy(**(row | _tuples(row))) for row in parts[0]),
            tuple(Difference(**(row | _tuples(row))) for row in parts[1]),
            tuple(Finding(**(row | _tuples(row))) for row in parts[2]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} is damaged; measure again with `{COMMAND}`.") from error


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in row.items() if isinstance(value, list)}


# How the numbers come out of right and wrong answers.


@lru_cache(maxsize=2)
def weights_of(scenes: int, seed: int = 0) -> np.ndarray:
    """How often each scene is drawn in each resample, [resample, scene]."""
    rng = np.random.default_rng([13, seed])
    return rng.multinomial(scenes, np.full(scenes, 1 / scenes), RESAMPLES) / scenes


def interval(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap over scenes (percentiles) of the mean of values [scene]; a mean has no bias to mend."""
    low, high = np.quantile(weights @ values, (0.025, 0.975))
    return float(low), float(high)


def compare(total: int, one: str, other: str, right: np.ndarray, against: np.ndarray, trained: bool) -> Difference:
    """Paired: right and against, both bool or share [run, scene].

    Where `trained`, runs of `right` are training seeds: each resample of the scenes then also draws seeds anew, and
    Student's t over the seeds' differences stands beside it; both must agree before anything is said.
    """
    apart = right.astype(float) - (against if against.shape == right.shape else against.mean(0))  # [run, scene]
    weights = weights_of(apart.shape[1])
    seeds = tuple(float(value) for value in apart.mean(1)) if trained else ()
    if not trained or len(apart) < 2:
        found = interval(apart.mean(0), weights)
        return Difference(total, one, other, float(apart.mean()), found, seeds, None)
    rng = np.random.default_rng([14, 0])
    chosen = rng.multinomial(len(apart), np.full(len(apart), 1 / len(apart)), len(weights)) / len(apart)
    draws = ((weights @ apart.T) * chosen).sum(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return Difference(total, one, other, float(apart.mean()), (float(low), float(high)), seeds, over(seeds))


def over(seeds: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of a mean over training seeds."""
    mean, half = float(np.mean(seeds)), half_width(seeds)
    return mean - half, mean + half


def area(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Area under the ROC curve of scores [patch] for bool [patch]; ties count half (Mann and Whitney, 1947)."""
    inside, outside = scores[wanted][:, None], scores[~wanted][None]
    return float((inside > outside).mean() + (inside == outside).mean() / 2)
