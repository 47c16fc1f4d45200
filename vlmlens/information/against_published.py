"""Is the published fusion ablation confirmed here, by which ruler, and by which not?

    for row in against_published(readings): row.ruler, row.verdict, row.sentence()

The published table says that the wiring moves the image share: .553 image to text, .385 text to image, .168 apart. By
each ruler, at each place, the same two differ by so much here, with a 95 % interval over training seeds (Welch).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from vlmlens.information.ablation import PUBLISHED, Order, Reading, order_probability

HIGH, LOW = "img2txt", "txt2img"
EFFECT = PUBLISHED[HIGH] - PUBLISHED[LOW]
Verdict = Literal["confirmed", "same direction", "contradicted", "cannot say"]


@dataclass(frozen=True)
class Comparison:
    """One ruler at one place: how far apart the two wirings are that lie farthest apart in the published table."""

    ruler: str
    kind: str  # of question
    point: str
    difference: float
    low: float
    high: float
    order: Order  # of all four
    why: str = ""  # there is no difference to tell

    @property
    def name(self) -> str:
        """The ruler, as it is spelt on screen."""
        return self.ruler.replace("behaviour", "behavior")

    @property
    def verdict(self) -> Verdict:
        """Confirmed: the published difference lies in the interval, and none does not. Contradicted: the other way."""
        if self.why:
            return "cannot say"
        if self.low > 0:
            return "confirmed" if self.low <= EFFECT <= self.high else "same direction"
        return "cannot say" if self.low <= EFFECT <= self.high else "contradicted"

    def sentence(self) -> str:
        where = f"{self.name}, {self.kind} questions, {self.point}"
        if self.why:
            return f"{where}: cannot say, {self.why}."
        return (
            f"{where}: {self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}] against {EFFECT:+.3f} published: "
            f"{self.verdict}."
        )


def against_published(readings: Sequence[Reading]) -> list[Comparison]:
    """A comparison for every ruler, kind of question and place that was read."""
    found = []
    for ruler, kind, point in dict.fromkeys((r.ruler, r.kind, r.point) for r in readings):
        rows = [r for r in readings if (r.ruler, r.kind, r.point) == (ruler, kind, point)]
        shares = {name: [r.share for r in rows if r.wiring == name] for name in PUBLISHED}
        one, other = (np.array([x for x in shares[name] if x == x]) for name in (HIGH, LOW))
        found.append(Comparison(ruler, kind, point, *_welch(one, other), order_probability(shares), _why(one, other)))
    return found


def told(found: Sequence[Comparison]) -> str:
    """Which rulers confirm the published table and which contradict it, in a sentence with the counts."""
    parts = []
    for ruler in dict.fromkeys(row.ruler for row in found):
        own = [row for row in found if row.ruler == ruler]
        verdicts = [row.verdict for row in own]
        counts = ", ".join(
            f"{word} in {verdicts.count(word)}"
            for word in ("confirmed", "same direction", "contradicted", "cannot say")
            if word in verdicts
        )
        parts.append(f"by the {own[0].name} ruler {counts} of {len(own)} readings")
    return "; ".join(parts)


def _why(one: np.ndarray, other: np.ndarray) -> str:
    short = [name for name, values in ((HIGH, one), (LOW, other)) if len(values) < 2]
    return f"fewer than two seeds of {' and '.join(short)} have a share there" if short else ""


def _welch(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """The difference of two means and its 95 % interval (Welch 1947); NaN with fewer than two values on a side."""
    if min(len(one), len(other)) < 2:
        return np.nan, np.nan, np.nan
    parts = [float(values.var(ddof=1)) / len(values) for values in (one, other)]
    difference = float(one.mean() - other.mean())
    if sum(parts) == 0:
        return difference, difference, difference
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (one, other), strict=True)
    )
    half = float(student.ppf(0.975, freedom) * np.sqrt(sum(parts)))
    return difference, difference - half, difference + half
