"""What a test is, what it needs, and what it found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.probe import ProbeSet

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "VACUOUS"]
FEWEST_PICTURES = 12  # with fewer, resampling them says nothing
NO_INTERVAL = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Evidence:
    """One item that drives a finding."""

    picture: int
    question: int
    text: str  # as asked, with whatever was added
    answer: str  # what the model said
    truth: str  # "" where it is not known
    numbers: Mapping[str, float | str]


@dataclass(frozen=True, eq=False)
class Finding:
    """One test's outcome, before many tests are weighed together."""

    verdict: Verdict
    effect: float
    interval: tuple[float, float]
    n: int
    sentence: str
    p: float | None = None  # one-sided, against the threshold of PASS
    draws: np.ndarray = field(default_factory=lambda: np.zeros(0))  # the effect in every resample
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def cannot_say(why: str, n: int = 0, verdict: Verdict = "INCONCLUSIVE", **details: Any) -> Finding:
    """Nothing was measured, and why."""
    return Finding(verdict, float("nan"), NO_INTERVAL, n, why, details=details)


@dataclass(frozen=True)
class Needs:
    """How many items show the effect that a test looks for, in 80 % of tries at a level of 5 %."""

    items: int
    effect: str  # in words
    pictures: int = FEWEST_PICTURES


@dataclass(frozen=True)
class Test:
    """One row of the card."""

    name: str
    question: str  # that it answers
    unit: str  # of its effect
    threshold: str  # in words: when it passes and when it fails
    needs: Needs
    usable: Callable[[ProbeSet], int]  # how many items of a probe set can serve
    measure: Callable[[Bench], Finding]
    relies: bool = False  # on dependency: means nothing where that does not pass

    __test__ = False  # no test of pytest's


@dataclass(frozen=True)
class Supply:
    """What a test needs and what a probe set has."""

    items_needed: int
    items: int
    pictures_needed: int
    pictures: int
    effect: str

    @property
    def enough(self) -> bool:
        return self.items >= self.items_needed and self.pictures >= self.pictures_needed

    def sentence(self) -> str:
        needed = f"{self.items_needed} items from {self.pictures_needed} pictures"
        has = f"{self.items} items from {self.pictures}"
        told = "enough" if self.enough else "too few"
        return f"To find {self.effect} it needs {needed}; this probe set has {has}, {told}."


def judged(low: float, high: float, passes_above: float, fails_below: float) -> Verdict:
    """PASS or FAIL only where the interval lies wholly on one side."""
    if low > passes_above:
        return "PASS"
    return "FAIL" if high < fails_below else "INCONCLUSIVE"


def item_evidence(bench: Bench, items: np.ndarray, text: str = "", **numbers: np.ndarray) -> tuple[Evidence, ...]:
    """Items by index, each with its entry of every named array (indexed like `items`)."""
    found = []
    vocabulary = bench.probe.vocabulary
    for place, index in enumerate(items):
        picture, question = (int(part) for part in bench.items[index])
        truth = int(bench.truth[index])
        found.append(
            Evidence(
                picture,
                question,
                text or bench.probe.questions[question],
                vocabulary[int(bench.clean[index].argmax())],
                vocabulary[truth] if truth >= 0 else "",
                {name: float(values[place]) for name, values in numbers.items()},
            )
        )
    return tuple(found)


def extremes(values: np.ndarray, each: int = 4) -> np.ndarray:
    """Indices of the largest and the smallest values, largest first."""
    order = np.argsort(-values, kind="stable")
    return order if len(order) <= 2 * each else np.concatenate([order[:each], order[-each:]])
