"""Dose and response: how an answer's probability follows the strength of one change of the picture.

    for curve in dose(vlm, swept(picture, steps, which=0), question):
        ...                                   # fills in, ends and middle first

A flip is told with the two strengths that it lies between; one between two points of the same answer is not seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vlmlens.models import VLM, Picture
from vlmlens.perturb import Step, run
from vlmlens.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

POINTS = 21

PictureAt = Callable[[float], Picture]  # the changed picture at a strength


@dataclass(frozen=True)
class Flip:
    """The answer changes somewhere between two strengths."""

    low: float
    high: float
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class Dose:
    """What is known of the curve so far, by strength, ascending."""

    answer: str  # the answer at the least strength
    points: int  # how many there will be
    strengths: np.ndarray  # [known point]
    probability: np.ndarray  # [known point], of `answer`
    best: tuple[str, ...]  # [known point]
    best_probability: np.ndarray  # [known point]
    candidates: np.ndarray = field(repr=False)  # int [known point]: the best ones; two can read alike

    @property
    def complete(self) -> bool:
        return len(self.strengths) == self.points

    @property
    def flips(self) -> tuple[Flip, ...]:
        """Between known neighbours whose best answers differ."""
        places = np.flatnonzero(self.candidates[1:] != self.candidates[:-1])
        return tuple(
            Flip(float(self.strengths[i]), float(self.strengths[i + 1]), self.best[i], self.best[i + 1]) for i in places
        )

    def sentence(self) -> str:
        """What the curve shows, in words with its numbers."""
        span = f"from strength {self.strengths[0]:g} to {self.strengths[-1]:g}"
        if not self.flips:
            low, high = self.probability.min(), self.probability.max()
            return f"“{self.answer}” stays {span}; its probability lies between {low:.2f} and {high:.2f}."
        first, more = self.flips[0], len(self.flips) - 1
        told = f"“{first.before}” becomes “{first.after}” between strength {first.low:g} and {first.high:g}"
        return f"{told}." if not more else f"{told}; the answer changes {more + 1} times {span}."

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(
            {
                "strength": self.strengths,
                "probability": self.probability,
                "best": self.best,
                "best_probability": self.best_probability,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "points": self.to_frame().to_dict("records"),
            "complete": self.complete,
            "flips": [vars(flip) for flip in self.flips],
            "sentence": self.sentence(),
        }


def dose(
    vlm: VLM, picture_at: PictureAt, question: str, points: int = POINTS, progress: Progress | None = None
) -> Iterator[Dose]:
    """Ask at `points` strengths from 0 to 1, ends and middle first; yields what is known after every batch.

    Args:
        picture_at: the changed picture at a strength; at 0 the picture itself.
        points: 2 or more.
    """
    if points < 2:
        raise ValueError(f"points: 2 or more, got {points}")
    every = np.linspace(0, 1, points)
    known: dict[int, np.ndarray] = {}  # point -> probabilities [candidate]
    batches = [part for level in levels(points) for part in _parts(level, vlm.items_at_once)]
    for batch in (progress or Progress()).over(batches, len(batches), "batch"):
        shown = [picture_at(float(every[i])) for i in batch]
        known |= dict(zip(batch, vlm.probabilities(shown, [question] * len(batch)), strict=True))
        order = sorted(known)
        table = np.stack([known[i] for i in order])
        best, own = table.argmax(axis=1), int(known[0].argmax())
        yield Dose(
            vlm.answer_text(own),
            points,
            every[order],
            table[:, own],
            tuple(vlm.answer_text(int(i)) for i in best),
            table.max(axis=1),
            best,
        )


def swept(
    picture: Image.Image, steps: Sequence[Step], which: int, donors: Mapping[str, Image.Image] | None = None
) -> PictureAt:
    """The picture after a stack of changes, by the strength of one of them; those before it are made once."""
    before = run(picture, steps[:which], donors).image

    def picture_at(strength: float) -> Image.Image:
        changed = replace(steps[which], strength=strength)
        return run(before, [changed, *steps[which + 1 :]], donors).image

    return picture_at


def levels(points: int) -> list[list[int]]:
    """All of so many points, coarse to fine: both ends and the middle, then what halves every gap, and so on."""
    found, known = [], {0, points - 1, (points - 1) // 2}
    found.append(sorted(known))
    while len(known) < points:
        edges = sorted(known)
        new = [(low + high) // 2 for low, high in pairwise(edges) if high - low > 1]
        known |= set(new)
        found.append(new)
    return found


def _parts(level: list[int], most: int) -> list[list[int]]:
    return [level[start : start + most] for start in range(0, len(level), most)]
