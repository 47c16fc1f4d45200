"""Seen or not: can a linear probe on the model's picture features tell the answer?

Features are the states of the image positions as they enter the layers that answer: what the eyes hand over. Logistic
regressions are fitted on some pictures and read on the others. The control gives each item the features of another
picture, which shuffles the labels and leaves all that the question and the place of the answer give away.

*Telling*: from the mean over the cells that carry the answer, place after place (over the picture where no place is
known), one probe for each set of options. Where the control tells, too, the place itself gives the answer away ("which
column is the circle in"). Then *finding*: which cell shows what is asked about, one probe for each question; an item is
told if the most likely cell lies in the right place.
"""

import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.probe import Box, Region
from vlmlens.diagnostics.statistics import interval, mean_draws
from vlmlens.errors import NotApplicable
from vlmlens.trace import Grid, Segment

FOLDS = 4
LITTLE = 0.05  # of accuracy above the control tells nothing
FEWEST = 24  # items of one set of options
MOST_ITEMS = 512  # of one set of options
GIVEN_AWAY = 0.1  # above the commonest answer: what the place alone may tell
STRENGTH = 0.1  # of the logistic regression's C: features outnumber items


@dataclass(frozen=True, eq=False)
class Seen:
    """Held-out accuracy of the probes, beside the same with another picture's features."""

    accuracy: float
    control: float
    interval: tuple[float, float]  # of the difference, 95 %, over pictures
    by_item: np.ndarray  # 1 told, 0 not, NaN where no probe was fitted

    @property
    def tells(self) -> bool | None:
        """Whether the features tell the answer; None where the interval holds 0."""
        low, high = self.interval
        return True if low > 0 else False if high < LITTLE else None

    def sentence(self) -> str:
        return (
            f"A probe on the picture's features tells {self.accuracy:.0%} of the answers on pictures it was not fitted "
            f"on; with another picture's features {self.control:.0%}."
        )


def seen(bench: Bench) -> Seen | None:
    """None where too few true answers are known.

    Raises:
        NotApplicable: the model has no image positions.
        Cancelled: by the runner's progress, which is asked before each probe is fitted.
    """
    together: dict[tuple[frozenset[str], int], list[int]] = defaultdict(list)
    for index in np.flatnonzero(bench.truth >= 0):
        picture, question = (int(part) for part in bench.items[index])
        places = len(bench.probe.regions.get((picture, question), ()))
        together[frozenset(bench.probe.options[question]), places].append(int(index))
    cells = _Cells(bench)
    turned = _another(len(bench.probe.pictures), np.random.default_rng([37, bench.seed]))
    own = np.arange(len(turned))
    by_item, control = np.full(len(bench.items), np.nan), np.full(len(bench.items), np.nan)
    for number, ((_, places), indices) in enumerate(together.items()):
        bench.runner.step(number, len(together), "sets of options")
        items = bench.sample(np.array(indices), MOST_ITEMS)
        picture, truth = bench.items[items, 0], bench.truth[items]
        if len(items) < FEWEST or len(set(picture.tolist())) < FOLDS or len(set(truth.tolist())) < 2:
            continue
        by_item[items], control[items] = (_told(bench, cells, items, shown) for shown in (own, turned))
        commonest = np.bincount(truth).max() / len(truth)
        if places and control[items].mean() > commonest + GIVEN_AWAY:
            by_item[items], control[items] = (_found(bench, cells, items, shown) for shown in (own, turned))
    known = np.flatnonzero(~np.isnan(by_item))
    if not len(known):
        return None
    difference = by_item[known] - control[known]
    draws = mean_draws(difference, bench.items[known, 0], bench.weights)
    return Seen(float(by_item[known].mean()), float(control[known].mean()), interval(draws), by_item)


def _another(count: int, rng: np.random.Generator) -> np.ndarray:
    """For each of so many the number of another one, in one random circle."""
    order = rng.permutation(count)
    found = np.empty(count, int)
    found[order] = np.roll(order, 1)
    return found


def _told(bench: Bench, cells: "_Cells", items: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Whether a probe tells each item's answer, [item]; `shown` is the picture that stands in for each."""
    picture, truth = bench.items[items, 0], bench.truth[items]
    regions = [bench.probe.regions.get((int(p), int(q)), ()) for p, q in bench.items[items]]
    x = np.stack([cells.features(int(shown[p]), region) for p, region in zip(picture, regions, strict=True)])
    told = np.zeros(len(items))
    for fit, read in GroupKFold(FOLDS).split(x, truth, picture):
        bench.runner.check()
        if len(set(truth[fit].tolist())) < 2:
            told[read] = truth[read] == truth[fit][0]
        else:
            told[read] = _fitted(x[fit], truth[fit]).predict(x[read]) == truth[read]
    return told


def _found(bench: Bench, cells: "_Cells", items: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Whether a probe finds each item's places, [item]: all of them, each by its own probe."""
    found = np.ones(len(items))
    questions = bench.items[items, 1]
    for question in np.unique(questions):
        among = np.flatnonzero(questions == question)
        pictures = bench.items[items[among], 0]
        if len(among) < FOLDS:
            found[among] = np.nan
            continue
        states = [cells.grid_states(int(shown[p])) for p in pictures]
        for place in range(len(bench.probe.regions[int(pictures[0]), int(question)])):
            inside = [cells.under(int(p), bench.probe.regions[int(p), int(question)][place]) > 0 for p in pictures]
            for fit, read in GroupKFold(FOLDS).split(states, groups=pictures):
                bench.runner.check()
                x, y = np.concatenate([states[i] for i in fit]), np.concatenate([inside[i] for i in fit])
                probe = _fitted(x, y)
                for i in read:
                    found[among[i]] *= inside[i][probe.decision_function(states[i]).argmax()]
    return found


def _fitted(x: np.ndarray, y: np.ndarray) -> Any:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=100, tol=1e-2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopping early is no harm: what counts is what is told
        return probe.fit(x, y)


class _Cells:
    """Features of the cells of each picture, read once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.kept: dict[int, tuple[Grid, np.ndarray, np.ndarray]] = {}

    def _of(self, picture: int) -> tuple[Grid, np.ndarray, np.ndarray]:
        """Grid, positions of the image tokens, and their states [token, width]."""
        if picture not in self.kept:
            self.bench.runner.check()
            text = self.bench.probe.questions[0]  # features are read before any question is
            prepared = self.bench.vlm.prepare(self.bench.images[picture], text)
            states, _, _ = self.bench.vlm.token_states(self.bench.images[picture], text)
            positions = np.flatnonzero(prepared.segments == Segment.IMAGE)
            if not len(positions) or len(states) != len(positions):
                raise NotApplicable(f"{self.bench.vlm.name} has no image positions to read features from.")
            self.kept[picture] = prepared.grid, positions, states
        return self.kept[picture]

    def grid_states(self, picture: int) -> np.ndarray:
        """States of the cells, [cell, width]."""
        grid, positions, states = self._of(picture)
        return states[np.searchsorted(positions, grid.positions)]

    def under(self, picture: int, box: Box) -> np.ndarray:
        """How much of each cell lies under a box of the picture, in pixels, [cell]."""
        grid, _, _ = self._of(picture)
        corners = np.array(box) * np.array(grid.size * 2)
        sides = np.minimum(grid.boxes[:, 2:], corners[2:]) - np.maximum(grid.boxes[:, :2], corners[:2])
        found: np.ndarray = sides.clip(0).prod(axis=1)
        return found

    def features(self, picture: int, region: Region) -> np.ndarray:
        """One vector: the mean over the cells under each box, box after box; over the picture without a region."""
        grid, _, states = self._of(picture)
        if not region or not grid.cells or grid.through is not None:
            return states.mean(axis=0)
        parts = []
        for box in region:
            area = self.under(picture, box)
            own = self.grid_states(picture)
            parts.append(np.average(own, axis=0, weights=area) if area.any() else states.mean(axis=0))
        return np.concatenate(parts)
