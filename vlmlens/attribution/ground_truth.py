"""Do maps find what was asked about? On lab scenes the things a question speaks of are known, so maps can be marked.

    relevant = relevant_cells(question, scene, trace.grid)      # bool [cell]
    pointing(found.cells(), relevant), auc(found.cells(), relevant)
    published().row("lab:llava", "raw").shown.pointing          # what benchmarks/maps.py measured

A map is marked as it is drawn: where it has a sign, what speaks for the answer is hot and what speaks against it is
cold. Questions that speak of nothing on the board ("is there a star", answer "no") have no place to be found and are
left out. To mark where the thing stands is not to be faithful: a model may read an answer elsewhere, once its eyes or
its layers have carried it there.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from vlmlens.lab.questions import Question
from vlmlens.lab.scenes import BOARD, Scene
from vlmlens.trace import Grid

if TYPE_CHECKING:
    import pandas as pd

HOME = Path(__file__).resolve().parents[2] / "assets" / "attribution"
RESAMPLES = 2000
CHANCE_AUC = 0.5


def relevant_cells(question: Question, scene: Scene, grid: Grid) -> np.ndarray:
    """The patches that show a thing the question speaks of, bool [cell].

    Of each such thing's place on the board: the patches that it covers at least half as much as the one that it covers
    the most. Where patches divide the board evenly, those are the patches on it.
    """
    left, top, right, bottom = np.asarray(grid.boxes, float).T
    area = np.maximum((right - left) * (bottom - top), 1e-12)
    wide, high = (side / BOARD for side in grid.size)
    found = np.zeros(grid.cells, bool)
    for cell in question.relevant(scene):
        row, column = divmod(cell, BOARD)
        across = np.minimum(right, (column + 1) * wide) - np.maximum(left, column * wide)
        down = np.minimum(bottom, (row + 1) * high) - np.maximum(top, row * high)
        share = across.clip(0) * down.clip(0) / area
        found |= (share > 0) & (share >= share.max() / 2 - 1e-6)
    return found


def pointing(values: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Whether the hottest cell is relevant (the pointing game of Zhang et al., ECCV 2016, without its margin).

    Where several cells are hottest, the chance that one of them, drawn at random, is.

    Args:
        values: maps [..., cell].
        relevant: bool [..., cell].
    """
    hottest = values == values.max(axis=-1, keepdims=True)
    hit: np.ndarray = (hottest & relevant).sum(axis=-1) / hottest.sum(axis=-1)
    return hit


def auc(values: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """How often a relevant cell is hotter than another, ties counting half: the area under the ROC curve.

    Takes what `pointing` takes; NaN where all cells are relevant, or none.
    """
    inside = relevant.sum(axis=-1)
    pairs = inside * (relevant.shape[-1] - inside)
    above = (rankdata(values, axis=-1) * relevant).sum(axis=-1) - inside * (inside + 1) / 2
    return np.divide(above, pairs, out=np.full(np.shape(above), np.nan), where=pairs > 0)


@dataclass(frozen=True)
class Mean:
    """A mean over questions and its 95 % interval: bootstrap over questions, 2000 resamples, fixed seed."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Mean":
        """Raises ValueError without values."""
        if not len(values):
            raise ValueError("values: a mean needs at least one question.")
        drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
        low, high = np.quantile(np.asarray(values)[drawn].mean(axis=1), (0.025, 0.975))
        return cls(float(np.mean(values)), float(low), float(high))

    def to_dict(self) -> dict[str, float]:
        return {name: round(value, 5) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Score:
    """Maps marked over n questions; of two methods, the mean lead of one over the other, question by question."""

    n: int
    pointing: Mean
    auc: Mean

    def to_dict(self) -> dict[str, Any]:
        return {"n": self.n, "pointing": self.pointing.to_dict(), "auc": self.auc.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Score":
        return cls(data["n"], Mean(**data["pointing"]), Mean(**data["auc"]))


def mark(values: np.ndarray, relevant: np.ndarray) -> Score:
    """Maps [question, cell] against what is relevant, bool [question, cell]."""
    return Score(len(values), Mean.of(pointing(values, relevant)), Mean.of(auc(values, relevant)))


def lead(one: np.ndarray, other: np.ndarray, relevant: np.ndarray) -> Score:
    """How much better one method's maps are than another's on the same questions; above 0 where the one wins."""
    return Score(
        len(one),
        Mean.of(pointing(one, relevant) - pointing(other, relevant)),
        Mean.of(auc(one, relevant) - auc(other, relevant)),
    )


@dataclass(frozen=True)
class Row:
    """One method on one model."""

    model: str
    method: str
    shown: Score  # the slice that is shown first
    right: Score  # the same, of questions that the model answered correctly
    over_raw: Score | None  # lead over raw attention; None for raw itself
    layer: str  # the slice that was best on other questions; "" for a method with one slice
    chosen: Score | None  # and how it does on these
    averaged: Score | None  # the mean over slices
    by_kind: dict[str, Score]  # of question
    milliseconds: float  # a map, without the pass that answers

    def to_dict(self) -> dict[str, Any]:
        scores = {
            name: None if score is None else score.to_dict()
            for name in ("shown", "right", "over_raw", "chosen", "averaged")
            for score in (getattr(self, name),)
        }
        return {
            "model": self.model,
            "method": self.method,
            "layer": self.layer,
            **scores,
            "by_kind": {kind: score.to_dict() for kind, score in self.by_kind.items()},
            "milliseconds": round(self.milliseconds, 1),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Row":
        scores = {
            name: None if data[name] is None else Score.from_dict(data[name])
            for name in ("shown", "right", "over_raw", "chosen", "averaged")
        }
        kinds = {kind: Score.from_dict(score) for kind, score in data["by_kind"].items()}
        return cls(**{**data, **scores, "by_kind": kinds})


@dataclass(frozen=True)
class Refused:
    """A method that has no meaning on a model, and why."""

    model: str
    method: str
    reason: str


@dataclass(frozen=True)
class Trial:
    """A variant of a method, tried to find out why the method does what it does."""

    model: str
    subject: str
    variant: str
    score: Score


@dataclass(frozen=True)
class GroundTruth:
    """Every method on every model, and how that was measured."""

    command: str
    date: str
    version: str
    questions: int  # marked, of the test split
    tuning: int  # of the validation split: for masking sweeps and the choice of layers
    passes: int  # that sampling methods could spend
    chance: float  # of the hottest cell of a map that knows nothing: the relevant part of the picture, mean
    accuracy: dict[str, float]  # of each model on these questions
    rows: tuple[Row, ...]
    refused: tuple[Refused, ...]
    trials: tuple[Trial, ...]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.model for row in self.rows))

    def row(self, model: str, method: str) -> Row | None:
        """None where it was not measured; `refused` may say why."""
        return next((row for row in self.rows if (row.model, row.method) == (model, method)), None)

    def sentence(self, model: str, method: str) -> str:
        """What was found of one method on one model; empty where it was not measured."""
        row = self.row(model, method)
        if row is None:
            return next((r.reason for r in self.refused if (r.model, r.method) == (model, method)), "")
        hit, area = row.shown.pointing, row.shown.auc
        told = (
            f"On {row.shown.n} lab questions the hottest patch of “{method}” lies on what was asked about in "
            f"{100 * hit.value:.0f} % (95 % interval {100 * hit.low:.0f} to {100 * hit.high:.0f}; by chance "
            f"{100 * self.chance:.0f} %); area under the ROC curve {area.value:.2f}"
        )
        if row.over_raw is None:
            return f"{told}."
        gain = row.over_raw.pointing
        verdict = "beats" if gain.low > 0 else "does worse than" if gain.high < 0 else "cannot be told from"
        points = f"{100 * gain.value:+.0f} points, {100 * gain.low:+.0f} to {100 * gain.high:+.0f}"
        return f"{told}. It {verdict} raw attention ({points})."

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("command", "date", "version", "questions", "tuning", "passes")},
            "chance": round(self.chance, 5),
            "accuracy": self.accuracy,
            "rows": [row.to_dict() for row in self.rows],
            "refused": [asdict(one) for one in self.refused],
            "trials": [{**vars(trial), "score": trial.score.to_dict()} for trial in self.trials],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "GroundTruth":
        return cls(
            **{
                **data,
                "rows": tuple(Row.from_dict(row) for row in data["rows"]),
                "refused": tuple(Refused(**one) for one in data["refused"]),
                "trials": tuple(Trial(**{**one, "score": Score.from_dict(one["score"])}) for one in data["trials"]),
            }
        )

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(
            {
                "model": row.model,
                "method": row.method,
                "questions": row.shown.n,
                "pointing": row.shown.pointing.value,
                "pointing_low": row.shown.pointing.low,
                "pointing_high": row.shown.pointing.high,
                "auc": row.shown.auc.value,
                "auc_low": row.shown.auc.low,
                "auc_high": row.shown.auc.high,
            }
            for row in self.rows
        )


@cache
def published() -> GroundTruth:
    """What benchmarks/maps.py measured last."""
    return GroundTruth.from_dict(json.loads((HOME / "ground_truth.json").read_text()))
