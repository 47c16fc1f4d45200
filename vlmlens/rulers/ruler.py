"""What every ruler gets and gives: a bench (model and ensemble) in, the picture's share out, with its doubt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vlmlens.rulers.bench import Bench

Nature = Literal["wiring", "use", "both"]


@dataclass(frozen=True, eq=False)
class Reading:
    """The picture's share by one ruler, 0 to 1; NaN where `why` says that it cannot be told."""

    share: float
    low: float  # 95 % interval; NaN where there is none
    high: float
    n: int  # items, pairs or samples that it rests on
    why: str = ""
    by_item: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [item] of the ensemble, NaN where not measured

    @property
    def told(self) -> bool:
        return self.share == self.share

    def to_dict(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in ("share", "low", "high")}
        rounded = {name: None if value != value else round(float(value), 4) for name, value in numbers.items()}
        return rounded | {"n": self.n, "why": self.why}


def cannot_tell(why: str, n: int = 0) -> Reading:
    """A reading that is none, and why."""
    return Reading(float("nan"), float("nan"), float("nan"), n, why)


@dataclass(frozen=True)
class Ruler:
    """One way to say how much of an answer is the picture's. The words are for people, on the page and in the docs."""

    name: str
    nature: Nature  # what it is made to measure: how a model is wired, what it uses, or both
    definition: str
    formula: str
    paper: str
    cannot: str  # what it cannot tell
    unit: str  # what it rests on: "items", "pairs", "samples"
    measure: Callable[[Bench], Reading]

    @property
    def help(self) -> str:
        """All of it in Markdown, for the `?`."""
        return f"{self.definition}\n\n{self.formula}\n\n{self.paper}\n\n*It cannot tell* {self.cannot}"
