"""What benchmarks/rulers.py measured, opened again: a row a model."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmlens.errors import UserError
from vlmlens.rulers.ruler import Reading
from vlmlens.rulers.subjects import Group
from vlmlens.rulers.truth import Verdict

HOME = Path(__file__).resolve().parents[2] / "assets" / "rulers"


@dataclass(frozen=True, eq=False)
class Row:
    """One model before its ensemble."""

    key: str
    model: str
    group: Group
    family: str
    seed: int
    dial: float
    ensemble: str
    effect: Mapping[str, float]  # see `effect.Effect`
    readings: Mapping[str, Reading]
    expected: float = float("nan")  # of a planted model
    tolerance: float = float("nan")
    verdicts: Mapping[str, Verdict] | None = None

    def share(self, ruler: str) -> float:
        found = self.readings.get(ruler)
        return float("nan") if found is None else found.share

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Row":
        truth = found.get("truth") or {}
        return cls(
            found["key"],
            found["model"],
            found["group"],
            found["family"],
            found["seed"],
            found["dial"],
            found["ensemble"],
            found["effect"],
            {name: _reading(reading) for name, reading in found["readings"].items()},
            truth.get("expected", float("nan")),
            truth.get("tolerance", float("nan")),
            truth.get("verdicts"),
        )


def _reading(found: Mapping[str, Any]) -> Reading:
    share, low, high = (float("nan") if found[name] is None else found[name] for name in ("share", "low", "high"))
    return Reading(share, low, high, found["n"], found["why"])


@dataclass(frozen=True, eq=False)
class Table:
    """All rows, and how and when they were measured."""

    rows: tuple[Row, ...]
    command: str
    date: str
    ensemble: str
    items: int

    def of(self, *groups: Group) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.group in groups)


def shipped(path: Path = HOME / "measured.json") -> Table:
    """Raises UserError where nothing was measured yet."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            "Not measured yet: there are no readings in assets/rulers; `python benchmarks/rulers.py --measure` makes "
            "them in some minutes."
        ) from error
    rows = tuple(Row.of(row) for row in found["rows"])
    return Table(rows, found["command"], found["date"], found["ensemble"], found["items"])


def by_family(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows that share a wiring or a dial, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.family, []).append(row)
    return found
