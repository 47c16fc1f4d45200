"""What to record in a forward pass, what to change in it, and which modules are attention sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vlmlens.errors import TraceError

Rows = Literal["last", "question", "answer"]
ROWS: tuple[Rows, ...] = ("last", "question", "answer")


@dataclass(frozen=True)
class Watch:
    """Which rows (query positions) to keep the attention of, and whether to split their updates by segment.

    "last" is where the answer begins to be read from, "question" has a row for each of the question's tokens, "answer"
    one for each token of the answer, where a model generates: the row of the step that produced it.
    """

    rows: tuple[Rows, ...] = ROWS
    contributions: bool = True

    def __post_init__(self) -> None:
        for row in self.rows:
            if row not in ROWS:
                raise TraceError(f"There are no rows called {row!r} to watch; choose from {', '.join(ROWS)}.")


@dataclass(frozen=True)
class Site:
    """One attention module.

    `queries` and `keys` are the token positions of its two streams. The readout's own query is no token: it is the
    position after the last, `length`. `kind` is "self", "cross", or "readout" (a learned query that pools a stream).
    """

    name: str
    layer: int
    kind: Literal["self", "cross", "readout"]
    queries: Sequence[int]
    keys: Sequence[int]
    label: str = ""  # for people: "layer 2: question looks at image"


@dataclass(frozen=True, eq=False)
class Knockout:
    """Block attention edges to `keys`, so that nothing reads these positions.

    `keys` is bool [position], or [variant, position] to run several in one batch. `rows` says who is kept from
    reading: "others" is everyone but the knocked-out positions themselves (each variant its own), "all" includes them,
    or a bool array [position + 1] whose last entry is the readout. A row with every key blocked gets a zero update.
    """

    keys: np.ndarray
    rows: Literal["others", "all"] | np.ndarray = "others"
    layers: tuple[int, ...] | None = None  # None: every layer


@dataclass(frozen=True, eq=False)
class Replace:
    """Put `states` in place of the hidden states of `positions` as they enter `layer`. Zeros blank them."""

    layer: int
    positions: tuple[int, ...]
    states: np.ndarray | float  # [position, width], or one number for all

    @classmethod
    def zero(cls, layer: int, positions: Sequence[int]) -> "Replace":
        return cls(layer, tuple(int(p) for p in positions), 0.0)


@dataclass(frozen=True)
class Scale:
    """Multiply the hidden states of `positions` by `factor` as they enter `layer`."""

    layer: int
    positions: tuple[int, ...]
    factor: float


Edit = Knockout | Replace | Scale


@dataclass(frozen=True, eq=False)
class Branch:
    """A variant that leaves the clean pass as it enters `layer`; its edits, of one variant each, begin there."""

    layer: int
    edits: tuple[Edit, ...]
