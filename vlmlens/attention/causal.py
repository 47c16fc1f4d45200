"""The causal check beside a map: hide a region, and hide regions of the same shape elsewhere; what does the answer do?

Hiding is a knock-out: at every layer, no row but the hidden tokens themselves reads them. What the vision encoder had
already mixed into other patches stays visible; the check says what the rest of the model lost, not the eyes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress
from vlmlens.trace import Answer, Trace

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 0.05  # of probability: a smaller difference is nobody's reason for an answer
MOST_DRAWS = 40
FEWEST_DRAWS = 5

Verdict = Literal["more than elsewhere", "no more than elsewhere", "inconclusive"]


@dataclass(frozen=True)
class CausalCheck:
    """Probability of an answer before and after a region was hidden, and after regions elsewhere were."""

    answer: str
    region: tuple[int, ...]  # cells
    before: float
    after: float
    elsewhere: tuple[float, ...]  # one a region of the same shape at another place

    @property
    def elsewhere_mean(self) -> float:
        return float(np.mean(self.elsewhere)) if self.elsewhere else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of `elsewhere_mean`: bootstrap over the places (2000 resamples, fixed seed)."""
        if len(self.elsewhere) < 2:
            return float("nan"), float("nan")
        values = np.array(self.elsewhere)
        index = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
        low, high = np.quantile(values[index].mean(axis=1), (0.025, 0.975))
        return float(low), float(high)

    @property
    def verdict(self) -> Verdict:
        """Whether hiding the region lowers the answer by at least MARGIN more than hiding the same shape elsewhere."""
        if len(self.elsewhere) < FEWEST_DRAWS:
            return "inconclusive"
        low, high = self.interval
        if low - self.after > MARGIN:
            return "more than elsewhere"
        return "no more than elsewhere" if high - self.after < MARGIN else "inconclusive"

    def sentence(self, region: str = "the hottest region") -> str:
        """What happened, in words with its numbers and its doubt."""
        after = f"Hiding {region} takes “{self.answer}” from {self.before:.2f} to {self.after:.2f}"
        if not self.elsewhere:
            return f"{after}; no region of that shape fits elsewhere, so there is nothing to compare with."
        if len(self.elsewhere) == 1:
            return f"{after}; the same shape at the one other place takes it to {self.elsewhere_mean:.2f}."
        low, high = self.interval
        return (
            f"{after}; the same shape at {len(self.elsewhere)} other places takes it to {self.elsewhere_mean:.2f} on "
            f"average (95 % interval {low:.2f} to {high:.2f})."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "region": list(self.region),
            "before": self.before,
            "after": self.after,
            "elsewhere": list(self.elsewhere),
            "elsewhere_mean": self.elsewhere_mean if self.elsewhere else None,  # JSON has no NaN
            "interval": list(self.interval) if len(self.elsewhere) > 1 else None,
            "verdict": self.verdict,
        }

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        what = ["before", "hidden", *["elsewhere"] * len(self.elsewhere)]
        return pd.DataFrame({"what": what, "probability": [self.before, self.after, *self.elsewhere]})


def hottest_window(values: np.ndarray, shape: tuple[int, int], share: float = 0.1) -> tuple[int, ...]:
    """The square of cells that holds the most of a map and covers about `share` of it; at least one cell.

    Args:
        values: float [cell], row by row.
        shape: rows and columns of the cells.
    """
    rows, columns = shape
    side = max(1, min(rows, columns, round((share * rows * columns) ** 0.5)))
    table = np.zeros((rows + 1, columns + 1))  # sums of everything above and left
    table[1:, 1:] = values.reshape(shape).cumsum(0).cumsum(1)
    sums = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return tuple(int((top + r) * columns + left + c) for r in range(side) for c in range(side))


def elsewhere(region: Sequence[int], shape: tuple[int, int], most: int = MOST_DRAWS, seed: int = 0) -> np.ndarray:
    """The same shape at other places that do not touch the region: bool [place, cell], at most `most`, by seed."""
    rows, columns = shape
    mask = np.zeros(shape, bool)
    mask.flat[list(region)] = True
    r, c = np.nonzero(mask)
    found = []
    for down in range(-r.min(), rows - r.max()):
        for right in range(-c.min(), columns - c.max()):
            moved = np.zeros(shape, bool)
            moved[r + down, c + right] = True
            if not (moved & mask).any():
                found.append(moved.ravel())
    if len(found) > most:
        chosen = np.random.default_rng(seed).choice(len(found), most, replace=False)
        found = [found[i] for i in sorted(chosen)]
    return np.array(found, bool).reshape(-1, rows * columns)


def causal_check(
    vlm: VLM,
    picture: Picture,
    question: str,
    trace: Trace,
    region: Sequence[int],
    answer: Answer | None = None,
    progress: Progress | None = None,
) -> CausalCheck:
    """Hide `region` (cells of the trace's grid) and the same shape elsewhere; follow the probability of one answer.

    Args:
        trace: of the same model, picture and question.
        answer: one of the trace's; by default the most probable.
    """
    followed = answer or trace.answers[0]
    variants = np.zeros((2, trace.grid.cells), bool)
    variants[1, list(region)] = True  # the first variant hides nothing
    others = elsewhere(region, trace.grid.shape) if len(region) else np.zeros((0, trace.grid.cells), bool)
    found = vlm.answer_probability(picture, question, followed.candidate, np.concatenate([variants, others]), progress)
    before, after, *rest = found.tolist()
    return CausalCheck(followed.text, tuple(int(c) for c in region), before, after, tuple(rest))
