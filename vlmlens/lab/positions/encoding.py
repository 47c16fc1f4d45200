"""A positional encoding as data: what enters with a token, and what turns its queries and keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmlens.lab.positions.turn import Axis, Pair


def no_pairs(count: int) -> tuple[Pair, ...]:
    """Nothing turns."""
    return ()


@dataclass(frozen=True)
class Positions:
    """One way to tell attention where things are."""

    name: str
    sentence: str  # for people
    known_as: str  # who uses it, with the paper
    best_for: str  # what the literature says of it
    cannot: str
    learned: bool = False  # a vector for each place is learned and added to what enters
    pairs: Callable[[int], tuple[Pair, ...]] = no_pairs  # for so many pairs of a head, which axis turns each, how fast
    least_pairs: int = 0  # of a head

    @property
    def rotary(self) -> bool:
        return self.least_pairs > 0

    def problem(self, head: int) -> str | None:
        """Why heads of this width cannot carry it, in a sentence that says what would work; None where they can."""
        least = 2 * self.least_pairs
        if not self.rotary or (head % 2 == 0 and head >= least):
            return None
        return (
            f"{self.name} turns the dimensions of a head in pairs and needs an even number of them, {least} or more; "
            f"these heads have {head}."
        )


def allotted(axes: Sequence[Axis], frequencies: Sequence[float]) -> tuple[Pair, ...]:
    """Pair by pair."""
    return tuple(Pair(axis, frequency) for axis, frequency in zip(axes, frequencies, strict=True))
