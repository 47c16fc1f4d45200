"""How well a model answers the lab's questions, by kind of question, with the picture and without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.lab.questions import KINDS
from vlmlens.lab.sample import PRIOR, Item, best_blind_accuracy, take
from vlmlens.lab.scenes import Scene

AnswerMany = Callable[[Sequence[Scene], Sequence[str]], list[str]]


@dataclass(frozen=True)
class Evaluation:
    """Accuracies are fractions of `n` held-out questions; intervals are Wilson's, 95 %."""

    n: int
    seed: int
    prior: float
    accuracy: float
    interval: tuple[float, float]
    accuracy_blind: float  # the picture replaced by an empty board
    blind_interval: tuple[float, float]
    blind_ceiling: float  # what the prior allows to a model that never looks
    by_question: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "seed": self.seed,
            "prior": self.prior,
            "accuracy": round(self.accuracy, 5),
            "accuracy_interval": [round(x, 5) for x in self.interval],
            "accuracy_blind": round(self.accuracy_blind, 5),
            "accuracy_blind_interval": [round(x, 5) for x in self.blind_interval],
            "blind_ceiling": round(self.blind_ceiling, 5),
            "by_question": {kind: round(value, 5) for kind, value in self.by_question.items()},
        }


def wilson(right: float, n: float) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def evaluate(answer_many: AnswerMany, seed: int = 0, n: int = 2000, prior: float = PRIOR) -> Evaluation:
    """Ask `n` held-out questions (the test split, by `seed`), once with the picture and once with an empty board."""
    items = take("test", seed, n, prior=prior)
    right = _right(answer_many, items, [item.scene for item in items])
    blind = _right(answer_many, items, [Scene(noise_seed=item.scene.noise_seed) for item in items])
    kind = np.array([item.question.kind for item in items])
    return Evaluation(
        n=n,
        seed=seed,
        prior=prior,
        accuracy=float(right.mean()),
        interval=wilson(int(right.sum()), n),
        accuracy_blind=float(blind.mean()),
        blind_interval=wilson(int(blind.sum()), n),
        blind_ceiling=best_blind_accuracy(prior, [item.question for item in items]),
        by_question={name: float(right[kind == name].mean()) for name in KINDS if (kind == name).any()},
    )


def novel_accuracy(answer_many: AnswerMany, seed: int = 0, n: int = 1000) -> dict[str, Any]:
    """Accuracy on questions about colour-shape pairs that training never showed, and its interval."""
    items = take("test", seed, n, novel_pairs=True)
    right = _right(answer_many, items, [item.scene for item in items])
    low, high = wilson(int(right.sum()), n)
    return {"n": n, "accuracy": round(float(right.mean()), 5), "interval": [round(low, 5), round(high, 5)]}


def _right(answer_many: AnswerMany, items: Sequence[Item], scenes: Sequence[Scene]) -> np.ndarray:
    given = answer_many(scenes, [item.question.text + "?" for item in items])
    return np.array([a == item.answer for a, item in zip(given, items, strict=True)])
