"""What a detector is, and what it found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from vlmlens.pitfalls.evidence import Evidence

Verdict = Literal["found", "not found", "cannot tell", "n/a"]
NO_INTERVAL = (float("nan"), float("nan"))
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Finding:
    """One detector's outcome on one model."""

    verdict: Verdict
    sentence: str
    number: float = float("nan")
    interval: tuple[float, float] = NO_INTERVAL  # 95 %
    n: int = 0  # of what the interval is over
    details: Mapping[str, Any] = field(default_factory=dict)  # what a picture of it is drawn from

    def to_dict(self) -> dict[str, Any]:
        """What fits a JSON; details, which may be arrays, stay behind."""
        known = self.number == self.number
        return {
            "verdict": self.verdict,
            "number": self.number if known else None,
            "interval": list(self.interval) if known and self.interval[0] == self.interval[0] else None,
            "n": self.n,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Detector:
    """One pitfall and how it is found."""

    name: str
    question: str  # that it answers
    unit: str  # of its number
    threshold: str  # in words: when it is found, and when not
    advice: str
    remedies: tuple[str, ...]  # names in `vlmlens.lab.pitfalls.REMEDIES`
    find: "Callable[[Evidence], Finding]"


def not_applicable(why: str) -> Finding:
    return Finding("n/a", why)


def judged(interval: tuple[float, float], threshold: float, ill_above: bool) -> Verdict:
    """Found or not only where the interval lies wholly on one side of the threshold."""
    low, high = interval if ill_above else (-interval[1], -interval[0])
    threshold = threshold if ill_above else -threshold
    if low > threshold:
        return "found"
    return "not found" if high < threshold else "cannot tell"


def over_rows(values: np.ndarray, seed: int, least: float = 0.0, most: float = float("inf")) -> tuple[float, float]:
    """95 % interval of the mean of values [item] between `least` and `most`, by resampling items.

    Widened by sqrt(n / (n - 1)): a resample of few items varies too little.
    """
    if len(values) < 2:
        return NO_INTERVAL
    rng = np.random.default_rng([31, seed])
    draws = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    middle, few = float(values.mean()), float(np.sqrt(len(values) / (len(values) - 1)))
    return max(least, middle - few * (middle - float(low))), min(most, middle + few * (float(high) - middle))
