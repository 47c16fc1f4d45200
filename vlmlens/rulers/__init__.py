"""The picture's share of the same answers by every ruler, side by side, and what each ruler really measures.

    found = read(vlmlens.load("lab:concat"), lab_ensemble())    # Measured
    found.readings["attention"].share, found.effect.knockout
    for found in reading(vlm, ensemble, progress=progress): ... # the same as it grows

One file a ruler; a row of `RULERS` is all that the page, the tests and benchmarks/rulers.py need.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vlmlens.models import VLM
from vlmlens.progress import Progress
from vlmlens.rulers import (
    attention,
    contribution,
    donors,
    gradient_element,
    gradient_input,
    gradient_norm,
    interventional,
    representational,
    shap,
)
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.effect import Effect, effect
from vlmlens.rulers.ensemble import Ensemble, lab_ensemble, own_ensemble
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell

RULERS = {
    ruler.name: ruler
    for ruler in (
        attention.RULER,
        contribution.RULER,
        gradient_input.RULER,
        gradient_element.RULER,
        gradient_norm.RULER,
        shap.RULER,
        donors.RULER,
        interventional.RULER,
        representational.BEFORE,
        representational.AFTER,
    )
}


@dataclass(frozen=True, eq=False)
class Measured:
    """One model by the rulers so far; `effect` comes first."""

    model: str
    ensemble: str  # in words
    effect: Effect
    readings: dict[str, Reading] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "ensemble": self.ensemble,
            "effect": self.effect.to_dict(),
            "readings": {name: reading.to_dict() for name, reading in self.readings.items()},
        }


def reading(
    vlm: VLM, ensemble: Ensemble, rulers: Sequence[str] = tuple(RULERS), progress: Progress | None = None
) -> Iterator[Measured]:
    """What knocking the picture out does, then ruler after ruler."""
    yield from measured(Bench(vlm, ensemble, progress), rulers)


def measured(bench: Bench, rulers: Sequence[str] = tuple(RULERS)) -> Iterator[Measured]:
    """The same from a bench, which keeps what they shared."""
    parts = len(rulers) + 1

    def turn(number: int, doing: str) -> None:
        bench.span, bench.doing = (number / parts, (number + 1) / parts), doing

    turn(0, "the picture knocked out")
    found = Measured(bench.vlm.name, bench.ensemble.words, effect(bench))
    yield found
    for number, name in enumerate(rulers):
        turn(number + 1, name)
        found = replace(found, readings=found.readings | {name: RULERS[name].measure(bench)})
        yield found


def read(
    vlm: VLM, ensemble: Ensemble, rulers: Sequence[str] = tuple(RULERS), progress: Progress | None = None
) -> Measured:
    """The last of `reading`."""
    *_, last = reading(vlm, ensemble, rulers, progress)
    return last


__all__ = [
    "RULERS",
    "Bench",
    "Effect",
    "Ensemble",
    "Measured",
    "Reading",
    "Ruler",
    "cannot_tell",
    "effect",
    "lab_ensemble",
    "measured",
    "own_ensemble",
    "read",
    "reading",
]
