"""How answers changed: two ranked lists of one model side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.trace import Answer

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # of each list
LEAST = 1e-12  # a probability below this is called this, so that log-odds stay finite


@dataclass(frozen=True)
class Pair:
    """One answer before and after; NaN where a list does not name it, which says only that it was improbable there."""

    text: str
    candidate: int
    before: float
    after: float


@dataclass(frozen=True)
class AnswerChange:
    """What became of the answers."""

    pairs: tuple[Pair, ...]  # the most probable of either, the most probable in one of them first
    before: Answer  # the best of each
    after: Answer
    divergence: float  # bits, Jensen-Shannon
    exact: bool  # whether both lists name every answer; if not, the divergence is a lower bound
    odds_before: (
        float  # nats: log-odds of the best answer before, against all others; NaN where a list does not name it
    )
    odds_after: float

    @property
    def flipped(self) -> bool:
        """Whether the best answer is another. By candidate: two tokens can read alike."""
        return self.before.candidate != self.after.candidate

    @property
    def odds_change(self) -> float:
        return self.odds_after - self.odds_before

    def sentence(self) -> str:
        """What became of the answer, in words with its numbers."""
        was, now = self.before, self.after
        bits = f"{'' if self.exact else 'at least '}{self.divergence:.3f} bits apart"
        if self.flipped:
            return f"“{was.text}” ({was.probability:.2f}) becomes “{now.text}” ({now.probability:.2f}); {bits}."
        return f"“{was.text}” stays, {was.probability:.2f} before and {now.probability:.2f} after; {bits}."

    def to_frame(self) -> "pd.DataFrame":
        """One row an answer: answer, before, after, difference."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "answer": [pair.text for pair in self.pairs],
                "before": [pair.before for pair in self.pairs],
                "after": [pair.after for pair in self.pairs],
            }
        )
        table["difference"] = table["after"] - table["before"]
        return table

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.text,
            "after": self.after.text,
            "flipped": self.flipped,
            "divergence_bits": self.divergence,
            "divergence_is_exact": self.exact,
            "log_odds_before": _plain(self.odds_before),
            "log_odds_after": _plain(self.odds_after),
            "answers": [{"answer": p.text, "before": _plain(p.before), "after": _plain(p.after)} for p in self.pairs],
        }


def compare_answers(before: Sequence[Answer], after: Sequence[Answer], shown: int = SHOWN) -> AnswerChange:
    """Pair two ranked lists, the most probable first, by candidate."""
    old, new = ({answer.candidate: answer for answer in ranked} for ranked in (before, after))

    def pair(candidate: int) -> Pair:
        was, now = old.get(candidate), new.get(candidate)
        named = was or now
        assert named is not None  # it comes from one of the lists
        return Pair(named.text, candidate, *(math.nan if a is None else a.probability for a in (was, now)))

    top = dict.fromkeys(answer.candidate for answer in (*before[:shown], *after[:shown]))
    pairs = sorted(map(pair, top), key=lambda p: -float(np.nanmax([p.before, p.after])))
    divergence, exact = _divergence(old, new)
    best = before[0].candidate
    return AnswerChange(
        tuple(pairs), before[0], after[0], divergence, exact, _log_odds(old, best), _log_odds(new, best)
    )


def _divergence(old: dict[int, Answer], new: dict[int, Answer]) -> tuple[float, bool]:
    """Bits, and whether they are exact. What only one list names counts, in both, to one rest: never too much."""
    common = [candidate for candidate in old if candidate in new]
    exact = len(common) == len(old) == len(new)
    table = np.array([[ranked[candidate].probability for candidate in common] for ranked in (old, new)])
    rest = (1 - table.sum(axis=1, keepdims=True)).clip(0)
    table = np.concatenate([table, rest], axis=1)
    table /= table.sum(axis=1, keepdims=True)
    exact &= bool(rest.max() < 1e-4)
    middle = table.mean(axis=0)
    ratio = np.divide(table, middle, out=np.ones_like(table), where=table > 0)
    return max(0.0, float((table * np.log2(ratio)).sum(axis=1).mean())), exact


def _log_odds(ranked: dict[int, Answer], candidate: int) -> float:
    """Nats, against all others; NaN where the list does not name the candidate."""
    if candidate not in ranked:
        return math.nan
    own = ranked[candidate].probability
    others = sum(answer.probability for other, answer in ranked.items() if other != candidate)
    return math.log(max(own, LEAST)) - math.log(max(others, 1 - own, LEAST))


def _plain(number: float) -> float | None:
    """A number as JSON has it, which knows no NaN."""
    return None if math.isnan(number) else number
