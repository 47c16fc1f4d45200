"""Does a ruler measure how a model is wired, or what it uses? Asked of readings, not of definitions.

A ruler *varies with the wiring* where trained models of different wirings differ by it more than seeds do, although
another picture changes the answers of all of them alike. It *follows use* where it falls step by step as one model's
use of the picture is turned down, and that by much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from vlmlens.rulers.table import Row, by_family

DRAWS = 2000
LEVEL = 0.05
MUCH = 0.1  # of a share: by less nothing is said to vary or to follow
FOLLOWS = 0.8  # concordance with the effect, on every dial
TIED = 0.02  # shares that lie closer than this are the same
ALIKE = 0.1  # bits, between the most and the least affected wiring that still count as used alike

Measures = Literal["wiring", "use", "both", "neither", "cannot say"]


@dataclass(frozen=True)
class Nature:
    """What the readings of one ruler show."""

    ruler: str
    spread: float  # between the means of the wirings whose use is alike; NaN where it has no share of two of them
    chance: float  # p of such differences were seeds dealt to wirings at random
    concordances: Mapping[str, float]  # dial -> see `concordance`, with the knock-out's effect
    falls: Mapping[str, float]  # dial -> largest less smallest share on it
    wirings: int  # that were compared

    @property
    def varies(self) -> bool | None:
        """With the wiring; None where too few models have a share."""
        return None if self.spread != self.spread else self.spread >= MUCH and self.chance < LEVEL

    @property
    def follows(self) -> bool | None:
        """Use; None where no dial could be read."""
        known = [(c, self.falls[dial]) for dial, c in self.concordances.items() if self.falls[dial] == self.falls[dial]]
        return all(c >= FOLLOWS and fall >= MUCH for c, fall in known) if known else None

    @property
    def measures(self) -> Measures:
        found: dict[tuple[bool | None, bool | None], Measures] = {
            (True, True): "both",
            (True, False): "wiring",
            (False, True): "use",
            (False, False): "neither",
        }
        return found.get((self.varies, self.follows), "cannot say")


def alike(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Trained models of the wirings whose use is alike: mean effects of another picture within ALIKE of the largest.

    Not of a knock-out, which no training showed: what a model says then is its own.
    """
    families = by_family(row for row in rows if row.group == "wiring")
    means = {name: float(np.mean([row.effect["donor"] for row in own])) for name, own in families.items()}
    most = max(means.values(), default=0.0)
    return tuple(row for name, own in families.items() if means[name] >= most - ALIKE for row in own)


def nature(ruler: str, rows: Sequence[Row]) -> Nature:
    """What the readings of this ruler show, from rows of all groups."""
    trained = [row for row in alike(rows) if row.share(ruler) == row.share(ruler)]
    groups = [np.array([row.share(ruler) for row in own]) for own in by_family(trained).values()]
    spread, chance = between(groups)
    concordances, falls = {}, {}
    for dial, own in by_family(row for row in rows if row.group == "graded").items():
        read = [(row.effect["knockout"], row.readings[ruler]) for row in own if row.share(ruler) == row.share(ruler)]
        x, y = np.array([effect for effect, _ in read]), np.array([reading.share for _, reading in read])
        half = np.nan_to_num(np.array([(reading.high - reading.low) / 2 for _, reading in read]))
        concordances[dial] = concordance(x, y, half)
        falls[dial] = float(np.ptp(y)) if len(y) else float("nan")
    return Nature(ruler, spread, chance, concordances, falls, len(groups))


def between(groups: Sequence[np.ndarray]) -> tuple[float, float]:
    """How far the means of groups lie apart, and how often as far in the F sense were members dealt at random.

    NaN for fewer than two groups, or where no group has two members.
    """
    if len(groups) < 2:
        return float("nan"), float("nan")
    spread = float(np.ptp([own.mean() for own in groups]))
    if max(map(len, groups)) < 2:
        return spread, float("nan")
    values, sizes = np.concatenate(groups), np.array([len(own) for own in groups])
    starts = np.cumsum([0, *sizes[:-1]])
    rng = np.random.default_rng(0)
    dealt = np.stack([values, *(rng.permutation(values) for _ in range(DRAWS))])
    explained = (np.add.reduceat(dealt, starts, axis=1) ** 2 / sizes).sum(axis=1)
    return spread, float((1 + np.count_nonzero(explained[1:] >= explained[0] - 1e-12)) / (1 + DRAWS))


def concordance(x: np.ndarray, y: np.ndarray, half: np.ndarray | None = None) -> float:
    """Goodman and Kruskal's gamma (1954): of the pairs in which both sides differ, how many agree less disagree.

    1 where y never moves against x, 0 where it does not move, NaN for fewer than two values. Pairs whose y cannot be
    told apart are left out: they differ by less than TIED, or by less than their intervals, `half` as wide as they are.
    """
    if len(x) < 2:
        return float("nan")
    first, second = x[:, None] - x[None], y[:, None] - y[None]
    half = np.zeros(len(y)) if half is None else half
    apart = np.abs(second) >= np.maximum(TIED, np.hypot(half[:, None], half[None]))
    counted = np.sign(first) * np.sign(second) * apart
    told = np.abs(counted).sum()
    return float(counted.sum() / told) if told else 0.0


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's; 0 where one of them never varies, NaN for fewer than three pairs."""
    if len(x) < 3:
        return float("nan")
    a, b = (rankdata(np.round(side, 4)) - (len(x) + 1) / 2 for side in (x, y))
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 0.0


@dataclass(frozen=True)
class Agreement:
    """How a ruler ranks models, against what really happens to them."""

    correlation: float  # Spearman's, mean over draws of one seed a wiring; NaN for fewer than three models
    low: float  # 2.5 and 97.5 % of the draws
    high: float
    models: int  # in one draw


def agreement(ruler: str, rows: Sequence[Row], effect: str = "knockout") -> Agreement:
    """Over trained wirings, one seed of each drawn at random; planted and graded models are in every draw."""
    told = [row for row in rows if row.share(ruler) == row.share(ruler)]
    families = by_family(row for row in told if row.group == "wiring")
    fixed = [row for row in told if row.group != "wiring"]
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        drawn = [*fixed, *(own[int(rng.integers(len(own)))] for own in families.values())]
        x = np.array([row.effect[effect] for row in drawn])
        found.append(rank_correlation(x, np.array([row.share(ruler) for row in drawn])))
    if not found or found[0] != found[0]:
        return Agreement(float("nan"), float("nan"), float("nan"), len(fixed) + len(families))
    low, high = np.quantile(found, (0.025, 0.975))
    return Agreement(float(np.mean(found)), float(low), float(high), len(fixed) + len(families))
