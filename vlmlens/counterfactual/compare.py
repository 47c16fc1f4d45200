"""Two runs of one model side by side: answers, budgets by layer and segment, maps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.attention import Budget, Contributions, budget, contributions, image_maps
from vlmlens.counterfactual.answers import AnswerChange, compare_answers
from vlmlens.errors import NotApplicable, NotWatched
from vlmlens.trace import Grid, Segment, Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BudgetChange:
    """Shares by layer and segment of two runs, [layer, segment]; NaN where nothing is split."""

    ruler: str  # what is shared out
    labels: tuple[str, ...]  # of layers
    segments: tuple[Segment, ...]  # those that either run has; the share of one that a run lacks is 0
    before: np.ndarray
    after: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        change: np.ndarray = self.after - self.before
        return change

    def of(self, segment: Segment) -> np.ndarray:
        """Difference of one segment, [layer]."""
        found: np.ndarray = self.difference[:, self.segments.index(segment)]
        return found

    def to_frame(self) -> "pd.DataFrame":
        """One row a layer and segment."""
        import pandas as pd

        count = len(self.segments)
        return pd.DataFrame(
            {
                "ruler": self.ruler,
                "layer": np.repeat(self.labels, count),
                "segment": [segment.word for segment in self.segments] * len(self.labels),
                "before": self.before.ravel(),
                "after": self.after.ravel(),
                "difference": self.difference.ravel(),
            }
        )


@dataclass(frozen=True, eq=False)
class MapChange:
    """The answering row's attention to every cell of the picture, head mean, [place, cell]."""

    labels: tuple[str, ...]  # of places
    before: np.ndarray
    after: np.ndarray
    grid: Grid  # of the run before; the cells of the other lie on the same places

    @property
    def difference(self) -> np.ndarray:
        change: np.ndarray = self.after - self.before
        return change


@dataclass(frozen=True, eq=False)
class Difference:
    """What differs between two runs of one model."""

    answers: AnswerChange
    attention: BudgetChange
    contributions: BudgetChange | None  # None where a run kept none
    maps: MapChange | None
    no_maps: str  # why there are no maps to compare; "" where there are

    @property
    def flipped(self) -> bool:
        return self.answers.flipped

    def sentence(self) -> str:
        """What changed, in words with its numbers: the answer, and how much of it came from the picture."""
        ruler = self.contributions or self.attention
        if Segment.IMAGE not in ruler.segments:
            return self.answers.sentence()
        column = ruler.segments.index(Segment.IMAGE)
        split = ~np.isnan(ruler.before[:, column]) & ~np.isnan(ruler.after[:, column])
        if not split.any():
            return self.answers.sentence()
        was, now = (share[split, column].mean() for share in (ruler.before, ruler.after))
        return f"{self.answers.sentence()} The picture's {ruler.ruler}, mean over layers: {was:.0%}, then {now:.0%}."

    def to_frame(self) -> "pd.DataFrame":
        """The budgets, one row a ruler, layer and segment. The answers have a table of their own."""
        import pandas as pd

        return pd.concat([b.to_frame() for b in (self.attention, self.contributions) if b], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        budgets = self.to_frame()
        return {
            "answers": self.answers.to_dict(),
            "budgets": budgets.astype(object).where(budgets.notna(), None).to_dict("records"),
            "maps": None
            if self.maps is None
            else {
                "places": list(self.maps.labels),
                "before": self.maps.before.tolist(),
                "after": self.maps.after.tolist(),
            },
            "no_maps": self.no_maps,
            "sentence": self.sentence(),
        }


def compare(before: Trace, after: Trace) -> Difference:
    """Lay two traces of one model side by side; the picture may differ, the question, or both.

    Raises:
        NotApplicable: the traces are of different models.
        NotWatched: a trace did not keep the row that the answer is read from.
    """
    one, other = ((trace.model, trace.revision) for trace in (before, after))
    if one != other or [place.label for place in before.places] != [place.label for place in after.places]:
        raise NotApplicable(
            f"One run is of {one[0]} ({one[1]}), the other of {other[0]} ({other[1]}); layer by layer they cannot be "
            "compared. Ask one model both times."
        )
    maps, why = _maps(before, after)
    try:
        written = _budgets("share of the update", contributions(before), contributions(after))
    except NotWatched:
        written = None
    return Difference(
        compare_answers(before.answers, after.answers),
        _budgets("share of attention", budget(before), budget(after)),
        written,
        maps,
        why,
    )


def _budgets(ruler: str, before: Budget | Contributions, after: Budget | Contributions) -> BudgetChange:
    present = {*before.segments, *after.segments}
    segments = tuple(segment for segment in Segment if segment in present)
    shares = (np.stack([result.of(segment) for segment in segments], axis=1) for result in (before, after))
    return BudgetChange(ruler, before.labels, segments, *shares)


def _maps(before: Trace, after: Trace) -> tuple[MapChange | None, str]:
    """The maps side by side, or why they cannot be."""
    if before.grid.shape != after.grid.shape:
        was, now = (" x ".join(map(str, trace.grid.shape)) for trace in (before, after))
        return None, f"The model cut one picture into {was} cells and the other into {now}; give both one size."
    if not before.grid.cells:
        return None, "It is not known where this model's image tokens lie on a picture."
    places, values = image_maps(before)
    again, others = image_maps(after)
    if not places or [place.label for place in places] != [place.label for place in again]:
        return None, "The rows that the two answers are read from see the picture at different layers, or at none."
    was, now = (maps[:, :, 0].mean(axis=1) for maps in (values, others))  # [place, cell]
    return MapChange(tuple(place.label for place in places), was, now, before.grid), ""
