"""Planted models whose right share is known: does a ruler find it?

A ruler that is meant to say what a model uses must find these; one that says how it is wired may fail, and the page
says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vlmlens.rulers.ruler import Reading

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "n/a"]


def additive_share(table: np.ndarray) -> float:
    """Of p(answer | picture, question) made of logits that are a sum: the picture's part of what moves them.

    log p = a(question, answer) + b(picture, answer) + a constant of each pair. Both sides are what is left of the
    centred logits when the other is averaged out; a side moves them by the mean distance between two of its own.
    """
    logits = np.log(np.maximum(table, 1e-300))
    logits = logits - logits.mean(axis=-1, keepdims=True)
    picture, question = (_apart(logits.mean(axis=axis)) for axis in (1, 0))
    return picture / (picture + question)


def _apart(rows: np.ndarray) -> float:
    """The mean Euclidean distance between two rows [row, answer]."""
    found = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    return float(found.sum() / (len(rows) * (len(rows) - 1)))


@dataclass(frozen=True)
class Truth:
    """What every ruler should say of one planted model."""

    model: str
    share: float | Callable[[np.ndarray], float]  # or how it follows from p(answer | picture, question)
    tolerance: float
    why: str

    def expected(self, table: np.ndarray) -> float:
        return self.share(table) if callable(self.share) else self.share


TRUTHS = {
    truth.model: truth
    for truth in (
        Truth("planted:blind", 0.0, 0.02, "Nothing of what is shown gets in: the answer is the question's alone."),
        Truth(
            "planted:sees-but-ignores",
            0.0,
            0.02,
            "The picture is carried through every layer, and the answer is made of the words alone.",
        ),
        Truth("planted:image-only", 1.0, 0.02, "Whatever is asked, it answers one and the same question."),
        Truth(
            "planted:additive",
            additive_share,
            0.15,
            "Its logits are a sum of a part of the question's and a part of the picture's; the right share is how far "
            "the picture's part moves them, of how far both do.",
        ),
        Truth(
            "planted:xor",
            0.5,
            0.1,
            "One bit of the picture and one of the question decide together; they can change places.",
        ),
    )
}


def judge(reading: Reading, expected: float, tolerance: float) -> Verdict:
    """PASS where the share is within the tolerance, FAIL where its whole interval is beyond, and n/a for no share."""
    if not reading.told:
        return "n/a"
    if abs(reading.share - expected) <= tolerance:
        return "PASS"
    low, high = (reading.share, reading.share) if reading.low != reading.low else (reading.low, reading.high)
    beyond = low > expected + tolerance or high < expected - tolerance
    return "FAIL" if beyond else "INCONCLUSIVE"
