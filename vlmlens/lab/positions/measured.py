"""What `benchmarks/positions.py` measured of every encoding, read back: accuracies by board and kind of question."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlmlens.errors import UserError

TARGET = Path(__file__).resolve().parents[3] / "assets" / "positions" / "accuracy.json"
COMMAND = "python benchmarks/positions.py --run"


@dataclass(frozen=True)
class Accuracy:
    """Of one encoding on one board and one kind of question; a number a training seed."""

    positions: str
    side: int  # cells of the board
    fitted: bool  # rotary positions set closer, so that the board spans what was trained
    kind: str
    axis: str  # "row", "column", or "" for both
    seeds: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """All accuracies, how they were measured, and what the trained patches look at."""

    about: dict[str, Any]
    accuracies: tuple[Accuracy, ...]
    attention: dict[str, np.ndarray]  # encoding -> [layer, row offset, column offset], mean over seeds; 1 is even

    def find(self, positions: str, side: int, kind: str, fitted: bool = False, axis: str = "") -> tuple[float, ...]:
        """The seeds' accuracies; empty where it was not measured."""
        wanted = (positions, side, fitted, kind, axis)
        return next((a.seeds for a in self.accuracies if (a.positions, a.side, a.fitted, a.kind, a.axis) == wanted), ())


def chance(kind: str) -> float:
    """The accuracy without looking: every answer is equally likely."""
    return 1 / 3 if kind == "where" else 1 / 2


def read(path: Path = TARGET) -> Measured | None:
    """What was measured, or None where nothing was. Raises UserError for a file that the benchmark did not write."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        rows = found.pop("rows")
        return Measured(found, tuple(_accuracies(rows)), _attention(rows))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} is damaged; measure again with `{COMMAND}`.") from error


def _accuracies(rows: Sequence[dict[str, Any]]) -> list[Accuracy]:
    by: dict[tuple[str, int, bool, str, str], list[float]] = {}
    for row in rows:
        both: dict[tuple[int, bool, str], list[tuple[int, float]]] = {}
        for found in row["found"]:
            key = (found["side"], found["fitted"], found["kind"])
            by.setdefault((row["positions"], *key, found["axis"]), []).append(found["accuracy"])
            both.setdefault(key, []).append((found["n"], found["accuracy"]))
        for key, parts in both.items():
            mean = sum(n * accuracy for n, accuracy in parts) / sum(n for n, _ in parts)
            by.setdefault((row["positions"], *key, ""), []).append(mean)
    return [Accuracy(*key, tuple(seeds)) for key, seeds in by.items()]


def _attention(rows: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(row["positions"] for row in rows))
    return {name: np.mean([row["attention"] for row in rows if row["positions"] == name], axis=0) for name in names}
