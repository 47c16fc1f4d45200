"""What do the cards beside the shipped weights say of a wiring, over its training seeds?

    found = cards("img2txt")
    found.accuracy               # Estimate(value=.995, low=.989, high=.998, seeds=3, ...)
    found.by_question["relation"]
    found.short()                # kinds of question that fall short of 97 %

An interval over seeds is Student's t, never narrower than what so many questions allow (Wilson): all seeds are asked
the same ones. Of a single seed it is Wilson's alone.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import t as student

from vlmlens.errors import ModelError
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.questions import KINDS
from vlmlens.lab.sample import take
from vlmlens.lab.weights import HOME, SEEDS, LabName

BAR = 0.97  # held-out accuracy that a wiring should reach where its structure allows it


@dataclass(frozen=True)
class Estimate:
    """A mean over training seeds with its 95 % interval, fractions."""

    value: float
    low: float
    high: float
    seeds: int
    questions: int  # that each seed was asked

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def how(self) -> str:
        if self.seeds == 1:
            return f"one seed, {self.questions} questions, Wilson"
        return f"{self.seeds} seeds, {self.questions} questions each, Student's t and at least Wilson"

    def against(self, bar: float) -> str:
        """ "above" or "below" where the whole interval lies on that side; "cannot say" otherwise."""
        return "above" if self.low >= bar else "below" if self.high < bar else "cannot say"


@dataclass(frozen=True)
class Card:
    """One trained seed, measured on held-out questions."""

    seed: int
    accuracy: float
    blind: float  # accuracy with an empty board in place of the picture
    by_question: dict[str, float]
    questions: int
    sample: tuple[int, float]  # seed and prior of the held-out questions
    ceiling: float  # what the prior allows to a model that never looks
    steps: int
    seconds: float
    never_seen: float  # accuracy on color-shape pairs that training never showed; NaN where not measured
    curve: tuple[dict[str, float], ...] = ()  # recorded while it was trained: step, loss, ...


@dataclass(frozen=True)
class Cards:
    """One wiring over its seeds; `missing` have no weights, `unmeasured` have weights and no figures yet."""

    wiring: str
    cards: tuple[Card, ...]
    missing: tuple[int, ...]
    unmeasured: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many seeds there should be."""
        return len(self.cards) + len(self.missing) + len(self.unmeasured)

    @property
    def told(self) -> str:
        """How many seeds there are, and which are missing."""
        lacks = ", ".join(map(str, self.missing))
        trained = self.count - len(self.missing)
        told = (
            f"{trained} of {self.count} seeds trained (missing: {lacks})" if lacks else f"all {trained} seeds trained"
        )
        if self.unmeasured:
            told += f", {len(self.cards)} of them measured (not yet: {', '.join(map(str, self.unmeasured))})"
        return told

    @property
    def accuracy(self) -> Estimate | None:
        return self._mean([card.accuracy for card in self.cards])

    @property
    def blind(self) -> Estimate | None:
        return self._mean([card.blind for card in self.cards])

    @property
    def ceiling(self) -> float | None:
        """What the prior allows to a model that never looks."""
        return self.cards[0].ceiling if self.cards else None

    @property
    def by_question(self) -> dict[str, Estimate]:
        """By kind of question, in the order of the lab's kinds."""
        if not self.cards:
            return {}
        counts = asked(self.cards[0].sample, self.cards[0].questions)
        kinds = [kind for kind in KINDS if all(kind in card.by_question for card in self.cards)]
        return {
            kind: over_seeds([card.by_question[kind] for card in self.cards], counts.get(kind, 0)) for kind in kinds
        }

    def short(self, bar: float = BAR) -> tuple[str, ...]:
        """Kinds of question whose whole interval lies below the bar, the worst first."""
        found = {kind: each for kind, each in self.by_question.items() if each.against(bar) == "below"}
        return tuple(sorted(found, key=lambda kind: found[kind].value))

    def ceiling_told(self) -> str:
        """Why a wiring cannot reach the bar, with the kinds that fall short as measured; empty where it can."""
        why = WIRINGS[self.wiring].ceiling
        if not why:
            return ""
        if not self.cards:
            return f"{why} Not measured yet: {self.told}."
        short = self.short()
        if not short:
            return f"{why} Measured here, no kind of question falls short of {100 * BAR:.0f} %: this contradicts it."
        falls = ", ".join(f"{kind} {self.by_question[kind].value:.2f}" for kind in short)
        rest = [kind for kind in self.by_question if kind not in short]
        held = f" The others ({', '.join(rest)}) do not." if rest else " That is every kind."
        return f"{why} Measured here, these fall short of {100 * BAR:.0f} %: {falls}.{held}"

    def to_dict(self) -> dict[str, Any]:
        accuracy, blind = self.accuracy, self.blind
        return {
            "wiring": self.wiring,
            "seeds": [card.seed for card in self.cards],
            "missing": list(self.missing),
            "unmeasured": list(self.unmeasured),
            "accuracy": asdict(accuracy) if accuracy else None,
            "blind": asdict(blind) if blind else None,
            "blind_ceiling": self.ceiling,
            "by_question": {kind: asdict(found) for kind, found in self.by_question.items()},
            "short": list(self.short()),
            "steps": [card.steps for card in self.cards],
            "seconds": [card.seconds for card in self.cards],
        }

    def _mean(self, values: Sequence[float]) -> Estimate | None:
        return over_seeds(values, self.cards[0].questions) if values else None


def cards(wiring: str, seeds: Sequence[int] = SEEDS) -> Cards:
    """The cards of a wiring. Raises ModelError for a card that cannot be read."""
    names = [LabName(wiring, seed) for seed in seeds]
    missing = tuple(name.seed for name in names if not name.path.exists())
    found = {name.seed: _read(name) for name in names if name.seed not in missing}
    return Cards(
        wiring,
        tuple(card for card in found.values() if card is not None),
        missing,
        tuple(seed for seed, card in found.items() if card is None),
    )


def half_width(values: Sequence[float] | np.ndarray) -> float:
    """Half of Student's 95 % interval of the mean of two or more values."""
    count = len(values)
    return float(student.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))


def over_seeds(values: Sequence[float], questions: int) -> Estimate:
    """Mean of proportions over training seeds that were all asked the same so many questions."""
    mean, count = float(np.mean(values)), len(values)
    low, high = wilson(mean * questions, questions)
    if count > 1:
        half = half_width(values)
        low, high = max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half))
    return Estimate(mean, low, high, count, questions)


@cache
def asked(sample: tuple[int, float], questions: int) -> Counter[str]:
    """How many held-out questions of each kind a card's figures rest on."""
    seed, prior = sample
    return Counter(item.question.kind for item in take("test", seed, questions, prior=prior))


def _read(name: LabName) -> Card | None:
    """None where there is no card, or no measurement in it."""
    if not name.card.exists():
        return None
    try:
        told = json.loads(name.card.read_text())
        if "held_out" not in told:
            return None
        held = told["held_out"]
        return Card(
            seed=name.seed,
            accuracy=held["accuracy"],
            blind=held["accuracy_blind"],
            by_question=dict(held["by_question"]),
            questions=held["n"],
            sample=(held["seed"], held["prior"]),
            ceiling=held["blind_ceiling"],
            steps=told["steps"],
            seconds=told["seconds"],
            never_seen=told.get("never_seen_pairs", {}).get("accuracy", float("nan")),
            curve=tuple(told.get("curve", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The card {name.card.name} in {HOME.name} is damaged; `vlmlens train {name} --card` measures it anew."
        ) from error
