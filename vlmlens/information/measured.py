"""What committed scripts measured of the wirings: the ablation by every ruler, and wirings under hindering conditions.

table = conditions()
found = table.values("few tokens", "accuracy")      # wiring -> one number a training seed
differ(found).sentence("the accuracies")
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.stats import studentized_range

from vlmlens.information.ablation import Reading

HOME = Path(__file__).resolve().parents[2] / "assets" / "information"
SHIPPED = "as shipped"
LEAST_EFFECT = 0.02  # bits: of two effects smaller than this a share says nothing
ALIKE = 0.05  # differences below this are none
ANY = "any kind"
What = Literal["accuracy", "blind", "image share", "picture's effect"]
ATOMS = ("unique_1", "unique_2", "redundant", "synergistic")  # X1 is the picture, X2 the question


@dataclass(frozen=True)
class Kind:
    """One model on one kind of question, on crossed scenes."""

    accuracy: float
    image_effect: float  # bits: mean Jensen-Shannon divergence of the answers when the picture is another's
    question_effect: float
    image_share: float  # the picture's part of both effects; NaN where neither acts
    interval: tuple[float, float]
    pid: Mapping[str, float]  # bits, interventional and exact: ATOMS


@dataclass(frozen=True)
class Row:
    """One trained model under one condition."""

    condition: str
    wiring: str
    seed: int
    steps: int
    accuracy: float
    blind: float
    by_kind: Mapping[str, Kind]

    def value(self, what: What, kind: str = ANY) -> float:
        """NaN where it was not measured for this kind."""
        if kind == ANY:
            return {"accuracy": self.accuracy, "blind": self.blind}.get(what, np.nan)
        own = self.by_kind[kind]
        told = {"accuracy": own.accuracy, "image share": own.image_share, "picture's effect": own.image_effect}
        return told.get(what, np.nan)


@dataclass(frozen=True)
class Conditions:
    """All of them, with how and when."""

    rows: tuple[Row, ...]
    settings: Mapping[str, Mapping[str, Any]]  # condition -> steps, prior, side, width
    command: str
    date: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.condition for row in self.rows))

    @property
    def wirings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.wiring for row in self.rows))

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.rows[0].by_kind) if self.rows else ()

    def values(self, condition: str, what: What, kind: str = ANY) -> dict[str, list[float]]:
        """wiring -> one number a training seed, NaN left out; wirings that were not measured have none."""
        found: dict[str, list[float]] = {name: [] for name in self.wirings}
        for row in self.rows:
            if row.condition == condition and (value := row.value(what, kind)) == value:
                found[row.wiring].append(value)
        return found


@dataclass(frozen=True)
class Difference:
    """How far apart the wirings lie: the largest difference of means over seeds, with its 95 % interval.

    Tukey's, which allows for having looked for the largest of all pairs; Kramer's form where wirings have not equally
    many seeds. NaN where fewer than two wirings have two seeds.
    """

    largest: float
    low: float
    high: float
    pair: tuple[str, str]  # the lower and the higher
    wirings: int
    why: str = ""  # there is none

    @property
    def word(self) -> str:
        if self.why:
            return "cannot say"
        return "differ" if self.low > 0 else "alike" if self.high < ALIKE else "cannot say"

    def sentence(self, what: str) -> str:
        if self.why:
            return f"Cannot say whether {what} differ: {self.why}."
        told = (
            f"{what[0].upper()}{what[1:]} lie at most **{self.largest:.3f}** apart [{self.low:.3f}, {self.high:.3f}] "
            f"({self.pair[0]} lowest, {self.pair[1]} highest)"
        )
        return {
            "differ": f"{told}: the wirings **differ**.",
            "alike": f"{told}: the wirings are **alike** within {ALIKE:.2f}.",
            "cannot say": f"{told}: **cannot say** whether they differ.",
        }[self.word]


def differ(values: Mapping[str, Sequence[float]]) -> Difference:
    """The largest difference between wirings, each with one number a training seed; single seeds are left out."""
    known = {name: np.asarray(found) for name, found in values.items() if len(found) > 1}
    if len(known) < 2:
        return Difference(np.nan, np.nan, np.nan, ("", ""), len(known), "fewer than two wirings have two seeds")
    means = {name: float(found.mean()) for name, found in known.items()}
    low, high = min(means, key=lambda name: means[name]), max(means, key=lambda name: means[name])
    freedom = sum(len(found) - 1 for found in known.values())
    within = sum(float(((found - found.mean()) ** 2).sum()) for found in known.values()) / freedom
    wide = _wide(len(known), freedom)
    half = wide * np.sqrt(within / 2 * (1 / len(known[low]) + 1 / len(known[high])))
    largest = means[high] - means[low]
    return Difference(largest, max(0.0, largest - half), largest + half, (low, high), len(known))


@cache
def _wide(groups: int, freedom: int) -> float:
    """The 95 % quantile of the studentized range; it takes 0.2 s."""
    return float(studentized_range.ppf(0.95, groups, freedom))


@cache
def conditions() -> Conditions:
    """What benchmarks/conditions.py measured last."""
    table = _table("conditions")
    return Conditions(tuple(_row(row) for row in table["rows"]), table["conditions"], table["command"], table["date"])


@cache
def ablation() -> tuple[tuple[Reading, ...], str, str]:
    """What benchmarks/ablation.py measured last, its command, and when."""
    table = _table("ablation")
    readings = tuple(_reading(row) for row in table["readings"])
    return readings, table["command"], table["date"]


def _table(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / f"{name}.json").read_text())
    return found


def _reading(row: Mapping[str, Any]) -> Reading:
    known: dict[str, Any] = {name: float("nan") if value is None else value for name, value in row.items()}
    return Reading(**known)


def _row(row: Mapping[str, Any]) -> Row:
    kinds = {}
    for kind, own in row["by_kind"].items():
        acts = max(own["image_effect"], own["question_effect"]) > LEAST_EFFECT
        kinds[kind] = Kind(
            own["accuracy"],
            own["image_effect"],
            own["question_effect"],
            own["image_share"] if acts else float("nan"),
            (own["interval"][0], own["interval"][1]),
            {atom: own["pid"][atom] for atom in ATOMS},
        )
    held = row["held_out"]
    return Row(
        row["condition"], row["wiring"], row["seed"], row["steps"], held["accuracy"], held["accuracy_blind"], kinds
    )
