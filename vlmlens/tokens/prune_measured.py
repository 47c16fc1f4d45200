"""What `benchmarks/prune.py` measured, read back: accuracy and wall time by the share of image tokens kept."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from vlmlens.errors import UserError

TARGET = Path(__file__).resolve().parents[2] / "assets" / "tokens" / "prune.json"
COMMAND = "python benchmarks/prune.py --run"

T = TypeVar("T")


@dataclass(frozen=True)
class Accuracy:
    """Of one model on held-out items, by one ranking at one share. Intervals are 95 %."""

    model: str
    layer: int  # K
    share: float
    by: str
    n: int  # items
    draws: int  # of a ranking by chance; their mean is given
    accuracy: float
    interval: tuple[float, float]  # Wilson's; for chance a bootstrap over items
    above: float  # chance, in accuracy; NaN where nothing is left to chance
    above_interval: tuple[float, float]  # bootstrap over items, paired


@dataclass(frozen=True)
class Time:
    """Of one model on one prompt, as a part of the full pass. Medians of pairs, intervals by order statistics."""

    model: str
    tokens: int  # of the prompt
    image: int  # of these
    layers: int
    layer: int  # K
    share: float
    by: str
    pairs: int
    ratio: float
    interval: tuple[float, float]
    formula: float
    counted: float


@dataclass(frozen=True)
class Measured:
    about: Mapping[str, Any]  # command, date, versions
    accuracy: tuple[Accuracy, ...]
    time: tuple[Time, ...]

    def of(self, model: str, layer: int) -> tuple[Accuracy, ...]:
        """A model's accuracies after one K; the model's own accuracy is that of share 1."""
        return tuple(row for row in self.accuracy if (row.model, row.layer) == (model, layer))


def read(path: Path = TARGET) -> Measured | None:
    """What was measured, or None where nothing was. Raises UserError for a file that the benchmark did not write."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return Measured(found, _rows(Accuracy, found.pop("accuracy")), _rows(Time, found.pop("time")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} is damaged; measure again with `{COMMAND}`.") from error


def _rows(kind: type[T], rows: Iterable[Mapping[str, Any]]) -> tuple[T, ...]:
    """JSON has no tuple and no NaN."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(kind(**{name: _value(row[name]) for name in names}) for row in rows)


def _value(found: Any) -> Any:
    if isinstance(found, list):
        return tuple(map(_value, found))
    return float("nan") if found is None else found
