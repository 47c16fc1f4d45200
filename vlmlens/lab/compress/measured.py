"""What `benchmarks/compression.py` measured of every compressor, read back.

The file, `assets/tokens/compression.json`:

    {"command", "date", "device", "versions": {...},
     "n": 2000, "sample": 0, "prior": 0.3,            # held-out questions, as `lab/evaluate.py` draws them
     "floor": 0.5,                                    # the accuracy that needs no picture
     "asked": {"color": 290, ...},                    # of which kind so many
     "rows": [{"compressor": "q-former", "seed": 0,
               "only": null,                          # or the one budget that it was trained for
               "accuracy": {"36": 0.99, "25": ...},   # by tokens kept
               "by_question": {"36": {"color": 1.0, ...}, ...}}, ...],
     "costs": [{"compressor", "tokens", "words", "attention", "fusing", "compressing", "total"}, ...]}

    found = read()
    found.accuracy("q-former", 4)                     # Estimate over seeds, or None
    found.difference("q-former", "random pruning", 4)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlmlens.errors import UserError
from vlmlens.lab.cards import Estimate, half_width, over_seeds
from vlmlens.lab.compress.cost import TokenCost

TARGET = Path(__file__).resolve().parents[3] / "assets" / "tokens" / "compression.json"
COMMAND = "python benchmarks/compression.py --train --measure"


@dataclass(frozen=True)
class Row:
    """One trained seed; accuracies by tokens kept, fractions."""

    compressor: str
    seed: int
    only: int | None  # the one budget that it was trained for; None: all
    accuracy: Mapping[int, float]
    by_question: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Difference:
    """Of two accuracies, mean over the seeds that both have, with its 95 % interval."""

    value: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def word(self) -> str:
        """ "more" or "less" where the whole interval lies on that side of zero, "cannot say" otherwise."""
        return "more" if self.low > 0 else "less" if self.high < 0 else "cannot say"


@dataclass(frozen=True)
class Measured:
    """All accuracies and costs, and how they were measured."""

    about: Mapping[str, Any]
    n: int
    asked: Mapping[str, int]
    rows: tuple[Row, ...]
    costs: Mapping[tuple[str, int], TokenCost]  # by compressor and tokens

    def of(self, compressor: str, only: int | None = None) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if (row.compressor, row.only) == (compressor, only))

    @property
    def compressors(self) -> tuple[str, ...]:
        """Those that were measured."""
        return tuple(dict.fromkeys(row.compressor for row in self.rows if row.only is None))

    def budgets(self, compressor: str) -> tuple[int, ...]:
        """The tokens that all its seeds were measured at, the most first."""
        rows = self.of(compressor)
        return tuple(sorted(set.intersection(*(set(row.accuracy) for row in rows)), reverse=True)) if rows else ()

    def accuracy(self, compressor: str, keep: int, only: int | None = None) -> Estimate | None:
        """Over seeds; None where it was not measured."""
        values = [row.accuracy[keep] for row in self.of(compressor, only) if keep in row.accuracy]
        return over_seeds(values, self.n) if values else None

    def by_question(self, compressor: str, keep: int) -> dict[str, Estimate]:
        """Over seeds, by kind of question."""
        rows = [row.by_question[keep] for row in self.of(compressor) if keep in row.by_question]
        kinds = [kind for kind in self.asked if rows and all(kind in row for row in rows)]
        return {kind: over_seeds([row[kind] for row in rows], self.asked[kind]) for kind in kinds}

    def difference(self, one: str, other: str, keep: int, other_keep: int | None = None) -> Difference | None:
        """Accuracy of `one` less that of `other`, seed by seed (they begin at the same weights); None without both.

        Student's t over seeds, and never narrower than so many questions allow if they were asked apart.
        """
        beside = other_keep or keep
        first = {row.seed: row.accuracy[keep] for row in self.of(one) if keep in row.accuracy}
        second = {row.seed: row.accuracy[beside] for row in self.of(other) if beside in row.accuracy}
        return _difference([(first[seed], second[seed]) for seed in first if seed in second], self.n)

    def alone(self, compressor: str, keep: int) -> Difference | None:
        """What training for this one budget gains over training for all at once."""
        first = {row.seed: row.accuracy[keep] for row in self.of(compressor, keep)}
        second = {row.seed: row.accuracy[keep] for row in self.of(compressor) if keep in row.accuracy}
        return _difference([(first[seed], second[seed]) for seed in first if seed in second], self.n)

    @property
    def trained_alone(self) -> tuple[tuple[str, int], ...]:
        """Which were also trained for one budget alone."""
        return tuple(dict.fromkeys((row.compressor, row.only) for row in self.rows if row.only is not None))


def _difference(pairs: Sequence[tuple[float, float]], n: int) -> Difference | None:
    if not pairs:
        return None
    one, other = np.array(pairs).T
    value = float((one - other).mean())
    p, q = float(one.mean()), float(other.mean())
    half = 1.96 * float(np.sqrt((p * (1 - p) + q * (1 - q)) / n))
    if len(pairs) > 1:
        half = max(half, half_width(one - other))
    return Difference(value, max(-1.0, value - half), min(1.0, value + half), len(pairs))


def read(path: Path = TARGET) -> Measured | None:
    """What was measured, or None where nothing was. Raises UserError for a file that the benchmark did not write."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        rows = [
            Row(
                row["compressor"],
                row["seed"],
                row["only"],
                {int(keep): float(value) for keep, value in row["accuracy"].items()},
                {int(keep): dict(kinds) for keep, kinds in row["by_question"].items()},
            )
            for row in found.pop("rows")
        ]
        costs = {}
        for told in found.pop("costs"):
            numbers = {name: int(told[name]) for name in TokenCost.__dataclass_fields__}
            costs[told["compressor"], numbers["tokens"]] = TokenCost(**numbers)
        return Measured(found, int(found["n"]), dict(found["asked"]), tuple(rows), costs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} is damaged; remove it and measure again with `{COMMAND}`.") from error
