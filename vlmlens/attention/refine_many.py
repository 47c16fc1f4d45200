"""Does refining answers by the contrastive map raise accuracy over a probe set, and more than chance would?

study = refine_many(vlm, items, "suppress", rho=.5, factor=0)   # items: (picture, question, true answer)
study.sentence()
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vlmlens.attention.contrast import contrast
from vlmlens.attention.refine import FORMS
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress
from vlmlens.trace import Watch

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 4
RESAMPLES = 10_000
HOME = Path(__file__).resolve().parents[2] / "assets" / "attention"

Probe = tuple[Picture, str, str]  # picture, question, true answer in one word


@dataclass(frozen=True)
class Change:
    """A mean paired difference of accuracies and its 95 % interval: bootstrap over items, fixed seed."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, difference: np.ndarray) -> "Change":
        """From differences [item]; one item has no interval."""
        count = len(difference)
        if count < 2:
            return cls(float(difference.mean()), float("nan"), float("nan"))
        values, often = np.unique(difference, return_counts=True)  # few values, so resampling is drawing their counts
        means = np.random.default_rng(0).multinomial(count, often / count, RESAMPLES) @ values / count
        low, high = np.quantile(means, (0.025, 0.975))
        return cls(float(difference.mean()), float(low), float(high))

    @property
    def tells(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} points (95 % interval {100 * self.low:+.1f} to {100 * self.high:+.1f})"

    def to_dict(self) -> dict[str, Any]:
        return {"mean": _number(self.mean), "interval": [_number(self.low), _number(self.high)]}


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value of so many answers turned right and so many turned wrong (McNemar)."""
    total = gained + lost
    tail = sum(comb(total, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**total)


@dataclass(frozen=True, eq=False)
class RefineStudy:
    """Right or wrong, item by item: before, after, and after the same at random."""

    form: str
    settings: dict[str, Any]
    before: np.ndarray  # bool [item]
    after: np.ndarray  # bool [item]
    control: np.ndarray  # bool [item, draw]

    @property
    def gained(self) -> int:
        """Answers turned right."""
        return int((self.after & ~self.before).sum())

    @property
    def lost(self) -> int:
        """Answers turned wrong."""
        return int((self.before & ~self.after).sum())

    @property
    def p_value(self) -> float:
        return mcnemar(self.gained, self.lost)

    @property
    def change(self) -> Change:
        return Change.of(self.after * 1.0 - self.before)

    @property
    def control_change(self) -> Change:
        return Change.of(self.control.mean(axis=1) - self.before)

    @property
    def over_control(self) -> Change:
        return Change.of(self.after - self.control.mean(axis=1))

    def sentence(self) -> str:
        """What it did to accuracy, with its doubt, and whether the map had a part in it."""
        form, change, over = FORMS[self.form], self.change, self.over_control
        count = len(self.before)
        if count < 2:
            return f"{form.name.capitalize()}: one question tells nothing about accuracy."
        moved = f"{self.gained} turned right, {self.lost} wrong; exact McNemar p = {self.p_value:.2g}"
        told = f"{form.name.capitalize()} over {count} questions: accuracy {self.before.mean():.3f} to "
        told += f"{self.after.mean():.3f}, {change}, {moved}"
        if self.gained + self.lost == 0:
            told += ": no answer changed between right and wrong"
        elif not change.tells:
            told += ": no change that can be told from none"
        against = f" Against {form.control}: {over}"
        if not over.tells:
            return f"{told}.{against}; no difference that can be told from none."
        return f"{told}.{against}; where the map points is {'better' if over.mean > 0 else 'worse'} than chance."

    def to_dict(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "settings": dict(self.settings),
            "items": len(self.before),
            "draws": self.control.shape[1],
            "accuracy_before": float(self.before.mean()),
            "accuracy_after": float(self.after.mean()),
            "accuracy_control": float(self.control.mean()),
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p_value,
            "change": self.change.to_dict(),
            "control_change": self.control_change.to_dict(),
            "over_control": self.over_control.to_dict(),
            "sentence": self.sentence(),
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row an item; `control` is the share of draws that were right."""
        import pandas as pd

        return pd.DataFrame({"before": self.before, "after": self.after, "control": self.control.mean(axis=1)})


def refine_many(
    vlm: VLM,
    items: Sequence[Probe],
    form: str,
    early: int | Literal["auto"] = "auto",
    late: int | Literal["auto"] = "auto",
    fusion: Sequence[int] = (),
    review: int | None = None,
    draws: int = DRAWS,
    progress: Progress | None = None,
    **settings: float,
) -> RefineStudy:
    """Refine the answer to every item, and as a control do the same at random.

    Args:
        items: pictures with questions and their true answers, one word each.
        form: a name in `FORMS`.
        early, late, fusion, review: which layers to contrast, see `contrast`.
        draws: of the control, for each item.
        settings: of the form.

    Raises:
        NotApplicable: no such form, no items, or a form that this model cannot take.
    """
    *_, last = refining(vlm, items, form, early, late, fusion, review, draws, progress, **settings)
    return last


def refining(
    vlm: VLM,
    items: Sequence[Probe],
    form: str,
    early: int | Literal["auto"] = "auto",
    late: int | Literal["auto"] = "auto",
    fusion: Sequence[int] = (),
    review: int | None = None,
    draws: int = DRAWS,
    progress: Progress | None = None,
    **settings: float,
) -> Iterator[RefineStudy]:
    """As `refine_many`, item by item: yields what is known so far."""
    if form not in FORMS:
        raise NotApplicable(f"There is no form “{form}”; there are {', '.join(FORMS)}.")
    if not items or draws < 1:
        raise NotApplicable(f"A study needs items and draws of its control; got {len(items)} and {draws}.")
    before: list[bool] = []
    after: list[bool] = []
    control: list[list[bool]] = []
    for number, (picture, question, answer) in (progress or Progress()).over(enumerate(items), len(items), "question"):
        trace = vlm.inspect(picture, question, watch=Watch(("last",), contributions=False), new_tokens=0)
        found = contrast(trace, early, late, fusion, review)
        refined = FORMS[form].refine(vlm, picture, question, trace, found, draws=draws, seed=number, **settings)
        right = [
            vlm.answer_text(int(p.argmax())) == answer.strip().lower()
            for p in (*refined.probabilities, *refined.control)
        ]
        before.append(right[0])
        after.append(right[1])
        control.append(right[2:])
        yield RefineStudy(form, settings, np.array(before), np.array(after), np.array(control))


@cache
def measured() -> dict[str, Any]:
    """What `benchmarks/refine.py` measured on lab:llava, with how and when."""
    found: dict[str, Any] = json.loads((HOME / "refine.json").read_text())
    return found


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 5)  # JSON has no NaN
