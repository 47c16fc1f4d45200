"""The card: one row a test, weighed together, with a diagnosis; and the difference of two cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.diagnostics.finding import Evidence, Finding, Supply, Test, Verdict
from vlmlens.diagnostics.statistics import LEVEL, benjamini_hochberg, interval

if TYPE_CHECKING:
    import pandas as pd

    from vlmlens.diagnostics.diagnosis import Diagnosis


@dataclass(frozen=True, eq=False)
class Row:
    """A test's finding after all were weighed. `q` is p after Benjamini and Hochberg, over the card."""

    name: str
    question: str
    verdict: Verdict
    effect: float
    unit: str
    interval: tuple[float, float]
    n: int
    p: float | None
    q: float | None
    sentence: str
    threshold: str
    supply: Supply
    evidence: tuple[Evidence, ...]
    details: Mapping[str, Any]
    draws: np.ndarray  # the effect in every resample of the pictures

    def to_dict(self) -> dict[str, Any]:
        return plain(
            {
                "name": self.name,
                "verdict": self.verdict,
                "effect": self.effect,
                "interval": None if np.isnan(self.interval).any() else list(self.interval),
                "n": self.n,
                "unit": self.unit,
                "p": self.p,
                "q": self.q,
                "sentence": self.sentence,
                "needs": self.supply.sentence(),
                "details": {key: value for key, value in self.details.items() if key != "by_item"},
                "evidence": [{**vars(one), "numbers": dict(one.numbers)} for one in self.evidence],
            }
        )


@dataclass(frozen=True, eq=False)
class Scorecard:
    model: str
    probe: str  # in words: over what it speaks
    weak: str  # why it is weak evidence; "" if it is not
    scoring: str  # how answers were told apart
    seed: int
    pictures: int
    rows: tuple[Row, ...]
    diagnosis: "Diagnosis | None" = None  # None while the card fills

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def sentence(self) -> str:
        """The card in one or two sentences."""
        counts = {verdict: [r.name for r in self.rows if r.verdict == verdict] for verdict in ("PASS", "FAIL")}
        told = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in counts.items() if names)
        diagnosis = f"{self.diagnosis.sentence} " if self.diagnosis else ""
        return f"{diagnosis}{told or 'Nothing can be said'}. Over {self.probe}.{' ' + self.weak if self.weak else ''}"

    def text(self) -> str:
        """The card in lines, for a terminal."""
        found = [f"{self.model} over {self.probe}", *([self.weak] if self.weak else [])]
        for row in self.rows:
            low, high = row.interval
            numbers = "" if np.isnan(low) else f"{row.effect:7.3f}  ({low:.3f} to {high:.3f}), n {row.n}"
            found += [f"{row.name:12} {row.verdict:12} {numbers}".rstrip(), f"{'':12} {row.sentence}"]
        if self.diagnosis:
            counts = ", ".join(f"{name} {count}" for name, count in self.diagnosis.counts.items())
            found += [self.diagnosis.sentence, self.diagnosis.advice, f"By item: {counts}."]
        return "\n".join(found)

    def to_frame(self) -> "pd.DataFrame":
        """One row a test."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "test": row.name,
                    "verdict": row.verdict,
                    "effect": row.effect,
                    "low": row.interval[0],
                    "high": row.interval[1],
                    "unit": row.unit,
                    "n": row.n,
                    "p": row.p,
                    "q": row.q,
                    "sentence": row.sentence,
                }
                for row in self.rows
            ]
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.sentence()}</p>{self.to_frame().to_html(index=False, float_format='%.3f')}"

    def to_dict(self) -> dict[str, Any]:
        diagnosis = self.diagnosis
        return {
            "model": self.model,
            "tests": [row.to_dict() for row in self.rows],
            "diagnosis": diagnosis.name if diagnosis else None,
            "diagnosis_sentence": diagnosis.sentence if diagnosis else None,
            "advice": diagnosis.advice if diagnosis else None,
            "items": dict(diagnosis.counts) if diagnosis else None,
            "seen": plain(diagnosis.probe) if diagnosis else None,
            "probe": self.probe,
            "weak": self.weak,
            "scoring": self.scoring,
            "seed": self.seed,
        }


def weigh(found: Sequence[tuple[Test, Finding, Supply]]) -> tuple[Row, ...]:
    """Rows from findings: a PASS must also hold among this many tests, and no verdict stands on too few items."""
    tested = [index for index, (_, finding, _) in enumerate(found) if finding.p is not None]
    adjusted = benjamini_hochberg([p for _, finding, _ in found if (p := finding.p) is not None])
    q = dict(zip(tested, adjusted, strict=True))
    rows = []
    for index, (test, finding, supply) in enumerate(found):
        verdict, sentence = finding.verdict, finding.sentence
        if verdict in ("PASS", "FAIL") and not supply.enough:
            verdict, sentence = "INCONCLUSIVE", f"{sentence} {supply.sentence()}"
        elif verdict == "PASS" and q.get(index, 0.0) > LEVEL:
            verdict, sentence = "INCONCLUSIVE", f"{sentence} Among so many tests this may be chance (q {q[index]:.2f})."
        rows.append(
            Row(
                test.name,
                test.question,
                verdict,
                finding.effect,
                test.unit,
                finding.interval,
                finding.n,
                finding.p,
                q.get(index),
                sentence,
                test.threshold,
                supply,
                finding.evidence,
                finding.details,
                finding.draws,
            )
        )
    return tuple(rows)


@dataclass(frozen=True)
class Change:
    """One test on two cards: effect of the second minus the first."""

    name: str
    verdicts: tuple[Verdict, Verdict]
    difference: float
    interval: tuple[float, float]
    paired: bool  # the same pictures were resampled for both

    @property
    def differs(self) -> bool:
        """Whether the interval lies wholly on one side of 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


def compare(first: Scorecard, second: Scorecard) -> tuple[Change, ...]:
    """What changed between two models, test by test; NaN where one of them has no effect.

    On the same probe set and seed the same pictures are resampled for both, so that what makes a picture hard for both
    cancels.
    """
    paired = (first.probe, first.seed, first.pictures) == (second.probe, second.seed, second.pictures)
    found = []
    theirs = {row.name: row for row in second.rows}
    for row in first.rows:
        other = theirs.get(row.name)
        if other is None:
            continue
        bounds = (float("nan"), float("nan"))
        if len(row.draws) and len(row.draws) == len(other.draws):
            shuffled = other.draws if paired else np.random.default_rng(0).permutation(other.draws)
            bounds = interval(shuffled - row.draws)
        found.append(Change(row.name, (row.verdict, other.verdict), other.effect - row.effect, bounds, paired))
    return tuple(found)


def plain(value: Any) -> Any:
    """As JSON can hold it: no arrays, no NaN, keys of text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
