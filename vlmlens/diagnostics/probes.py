"""Seen or not: can a linear probe on the model's picture features tell the answer?

Features are the states of the image positions as they enter the layers that answer: what the eyes hand over. For each
item they are the mean over the cells of the place that carries the answer, place after place; where that is not known,
the mean over the picture. A logistic regression is fitted for each set of options, on some pictures, and read on the
others; the control has its labels shuffled.
"""

import warnings
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.probe import Region
from vlmlens.diagnostics.statistics import interval, mean_draws
from vlmlens.errors import NotApplicable
from vlmlens.trace import Grid, Segment

FOLDS = 4
FEWEST = 24  # items of one set of options
MOST_ITEMS = 512  # of one set of options
STRENGTH = 0.1  # of the logistic regression's C: features outnumber items


@dataclass(frozen=True, eq=False)
class Seen:
    """Held-out accuracy of the probes, beside the same with shuffled labels."""

    accuracy: float
    control: float
    interval: tuple[float, float]  # of the difference, 95 %, over pictures
    by_item: np.ndarray  # 1 told, 0 not, NaN where no probe was fitted

    @property
    def tells(self) -> bool | None:
        """Whether the features tell the answer; None where the interval holds 0."""
        low, high = self.interval
        return True if low > 0 else False if high < 0.05 else None

    def sentence(self) -> str:
        return (
            f"A probe on the picture's features tells {self.accuracy:.0%} of the answers on pictures it was not fitted "
            f"on; with shuffled labels {self.control:.0%}."
        )


def seen(bench: Bench) -> Seen | None:
    """None where too few true answers are known.

    Raises:
        NotApplicable: the model has no image positions.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    together: dict[tuple[frozenset[str], int], list[int]] = defaultdict(list)
    for index in np.flatnonzero(bench.truth >= 0):
        picture, question = (int(part) for part in bench.items[index])
        places = len(bench.probe.regions.get((picture, question), ()))
        together[frozenset(bench.probe.options[question]), places].append(int(index))
    cells = _Cells(bench)
    by_item, control = np.full(len(bench.items), np.nan), np.full(len(bench.items), np.nan)
    rng = np.random.default_rng([37, bench.seed])
    for indices in together.values():
        items = bench.sample(np.array(indices), MOST_ITEMS)
        picture, truth = bench.items[items, 0], bench.truth[items]
        folds = min(FOLDS, len(set(picture.tolist())))
        if len(items) < FEWEST or folds < 2 or len(set(truth.tolist())) < 2:
            continue
        x = np.stack([cells.features(int(p), bench.probe.regions.get((int(p), int(q)))) for p, q in bench.items[items]])
        for labels, told in ((truth, by_item), (rng.permutation(truth), control)):
            for fit, read in GroupKFold(folds).split(x, labels, picture):
                if len(set(labels[fit].tolist())) < 2:
                    told[items[read]] = labels[read] == labels[fit][0]
                    continue
                probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # stopping early is no harm: what counts is what is told
                    told[items[read]] = probe.fit(x[fit], labels[fit]).predict(x[read]) == labels[read]
    known = np.flatnonzero(~np.isnan(by_item))
    if not len(known):
        return None
    difference = by_item[known] - control[known]
    draws = mean_draws(difference, bench.items[known, 0], bench.weights)
    return Seen(float(by_item[known].mean()), float(control[known].mean()), interval(draws), by_item)


class _Cells:
    """Features of the cells of each picture, read once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.kept: dict[int, tuple[Grid, np.ndarray, np.ndarray]] = {}

    def _of(self, picture: int) -> tuple[Grid, np.ndarray, np.ndarray]:
        """Grid, positions of the image tokens, and their states [token, width]."""
        if picture not in self.kept:
            text = self.bench.probe.questions[0]  # features are read before any question is
            prepared = self.bench.vlm.prepare(self.bench.images[picture], text)
            states, _, _ = self.bench.vlm.token_states(self.bench.images[picture], text)
            positions = np.flatnonzero(prepared.segments == Segment.IMAGE)
            if not len(positions) or len(states) != len(positions):
                raise NotApplicable(f"{self.bench.vlm.name} has no image positions to read features from.")
            self.kept[picture] = prepared.grid, positions, states
        return self.kept[picture]

    def features(self, picture: int, region: Region | None) -> np.ndarray:
        """One vector: the mean over the cells under each box, box after box; over the whole picture without a region."""
        grid, positions, states = self._of(picture)
        if not region or not grid.cells or grid.through is not None:
            return states.mean(axis=0)
        width, height = grid.size
        parts = []
        for left, top, right, bottom in region:
            box = np.array([left * width, top * height, right * width, bottom * height])
            sides = np.minimum(grid.boxes[:, 2:], box[2:]) - np.maximum(grid.boxes[:, :2], box[:2])
            area = sides.clip(0).prod(axis=1)
            chosen = np.searchsorted(positions, grid.positions)
            parts.append(np.average(states[chosen], axis=0, weights=area) if area.any() else states.mean(axis=0))
        return np.concatenate(parts)
