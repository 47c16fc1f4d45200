"""What the runs of the two stages say, over seeds: means with intervals, and sentences with their doubt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlmlens.lab.cards import half_width
from vlmlens.lab.two_stages import CHANCE, GALLERY, VARIANTS, Found

TARGET = Path(__file__).resolve().parents[2] / "assets" / "fusion" / "two_stages.json"
ABOVE, BELOW = "true description", "no description"
ALONE, WITH = "stage 1, then projection only", "stage 1, then projection and Q-Former"
ALONE_FRESH, WITH_FRESH = "no stage 1, projection only", "no stage 1, projection and Q-Former"


def shipped() -> dict[str, Any] | None:
    """What `benchmarks/two_stages.py` measured, with how and when; None where it has not yet."""
    if not TARGET.exists():
        return None
    table: dict[str, Any] = json.loads(TARGET.read_text())
    return table if table.get("runs") else None


@dataclass(frozen=True)
class Summary:
    """One variant over seeds: its accuracies, their mean and its 95 % interval (Student's t; NaN for one seed)."""

    variant: str
    accuracies: tuple[float, ...]
    mean: float
    low: float
    high: float


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval over training seeds; NaN for what fewer than two cannot tell."""
    if len(values) < 2:
        return (float(values[0]) if len(values) else float("nan")), float("nan"), float("nan")
    mean, half = float(np.mean(values)), half_width(values)
    return mean, mean - half, mean + half


def summaries(runs: Sequence[Found]) -> list[Summary]:
    """Every variant that was measured, in the order of `VARIANTS`."""
    found = []
    for name in VARIANTS:
        values = [run.accuracy[name] for run in runs if name in run.accuracy]
        if values:
            mean, low, high = over_seeds(values)
            low, high = np.clip((low, high), 0, 1)  # NaN stays
            found.append(Summary(name, tuple(values), mean, float(low), float(high)))
    return found


@dataclass(frozen=True)
class Gain:
    """How much more accurate one variant is than another, seed by seed; points of accuracy, 0 to 1."""

    mean: float
    low: float
    high: float

    @property
    def word(self) -> str:
        if self.low != self.low:
            return "one seed cannot say how surely"
        if self.low > 0:
            return "helps"
        return "hurts" if self.high < 0 else "inconclusive"


def gain(runs: Sequence[Found], one: str, other: str) -> Gain | None:
    """The paired difference of two variants over seeds, None where no run has both."""
    both = [run.accuracy[one] - run.accuracy[other] for run in runs if {one, other} <= set(run.accuracy)]
    return Gain(*over_seeds(both)) if both else None


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def spelled(row: Summary) -> str:
    """A mean with its interval, in words."""
    if row.low != row.low:
        return f"**{percent(row.mean)}**"
    return f"**{percent(row.mean)}** ({100 * row.low:.0f} to {percent(row.high)})"


def sentence(runs: Sequence[Found]) -> str:
    """What a projection alone reaches, between its bounds; or why nothing can be said."""
    rows = {row.variant: row for row in summaries(runs)}
    if ALONE not in rows:
        return "n/a: stage 2 over an aligned Q-Former has not been measured yet."
    told = f"A projection alone over an aligned Q-Former reaches {spelled(rows[ALONE])}"
    told += f", over one that has learnt nothing {spelled(rows[ALONE_FRESH])}" if ALONE_FRESH in rows else ""
    told += f"; the true description {spelled(rows[ABOVE])}" if ABOVE in rows else ""
    told += f", no description {spelled(rows[BELOW])}" if BELOW in rows else ""
    count = len(rows[ALONE].accuracies)
    doubt = f"{count} seeds; 95 % interval of the mean" if count > 1 else "one seed, so no interval"
    return f"{told} ({doubt})."


def not_learnt(runs: Sequence[Found]) -> str:
    """The kinds of question that no variant with a picture answers better than the reader alone; empty for none."""
    kinds = dict.fromkeys(kind for run in runs for found in run.by_kind.values() for kind in found)

    def mean(name: str, kind: str) -> float:
        values = [run.by_kind[name][kind] for run in runs if kind in run.by_kind.get(name, {})]
        return float(np.mean(values)) if values else float("nan")

    looking = [name for name, variant in VARIANTS.items() if variant.trained]
    lost = [
        f"{kind} (at best {percent(best)}, without a picture {percent(mean(BELOW, kind))})"
        for kind in kinds
        if (best := float(np.nanmax([mean(name, kind) for name in looking] or [np.nan]))) < mean(BELOW, kind) + 0.05
    ]
    return f"No variant learnt questions of {' and '.join(lost)} in these steps." if lost else ""


def worth(runs: Sequence[Found]) -> str:
    """What stage 1 is worth, with and without training the Q-Former in stage 2."""
    told = []
    for one, other, when in (
        (ALONE, ALONE_FRESH, "where only the projection learns"),
        (WITH, WITH_FRESH, "where the Q-Former goes on learning"),
    ):
        found = gain(runs, one, other)
        if found is not None:
            known = found.low == found.low
            spread = f" ({100 * found.low:+.0f} to {100 * found.high:+.0f})" if known else ""
            told.append(f"{100 * found.mean:+.0f} points{spread} {when}: {found.word}")
    return f"Stage 1 is worth {'; '.join(told)}." if told else "n/a: no run has variants with and without stage 1."


def found_again(runs: Sequence[Found]) -> str:
    """Retrieval after stage 1."""
    parts = []
    for way in ("picture to sentence", "sentence to picture"):
        values = [run.recall[way] for run in runs if way in run.recall]
        if values:
            mean, low, high = over_seeds(values)
            spread = f" ({100 * max(0.0, low):.0f} to {percent(min(1.0, high))})" if low == low else ""
            parts.append(f"{way} {percent(mean)}{spread}")
    if not parts:
        return "n/a: stage 1 has not ended."
    told = " and ".join(parts)
    return f"After stage 1 the right one of {GALLERY} comes first: {told} (chance {percent(CHANCE)})."
