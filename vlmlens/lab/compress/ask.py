"""What does a trained compressor answer to one question about one picture, and of which patches was it told?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vlmlens.lab.compress.model import CompressedModel
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.text import encode
from vlmlens.threads import one_thread


@dataclass(frozen=True, eq=False)
class Heard:
    """One question to one picture, told in so many tokens."""

    compressor: str
    keep: int
    question: str
    answers: tuple[tuple[str, float], ...]  # with their probabilities, the most probable first
    shares: np.ndarray  # [token, patch], sums to one over patches

    @property
    def answer(self) -> str:
        return self.answers[0][0]

    @property
    def probability(self) -> float:
        return self.answers[0][1]

    @property
    def survives(self) -> np.ndarray:
        """How many tokens' worth is told of each patch, [patch], sums to the tokens; 1 for a patch that was kept."""
        found: np.ndarray = self.shares.sum(0)
        return found

    @property
    def left_out(self) -> int:
        """Patches of which nothing is told."""
        return int((self.survives < 1e-6).sum())

    @property
    def half(self) -> int:
        """The fewest patches that half of the telling is about."""
        falling = np.sort(self.survives)[::-1].cumsum() / len(self.shares)
        return int(np.searchsorted(falling, 0.5 - 1e-9)) + 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "compressor": self.compressor,
            "tokens": self.keep,
            "question": self.question,
            "answers": {text: round(probability, 6) for text, probability in self.answers[:5]},
            "shares": self.shares.round(5).tolist(),
        }


def ask(model: CompressedModel, pixels: np.ndarray, question: str, keep: int) -> Heard:
    """pixels uint8 [48, 48, rgb].

    Raises QuestionError where the lab does not know a word, UserError where the compressor has no such budget.
    """
    ids = encode([question])
    torch.get_num_threads()  # torch sets a new thread up at its first use, and would undo a limit set before
    with torch.inference_mode(), one_thread("openmp"):
        image, words, mask = model.encode(torch.from_numpy(pixels[None]), ids)
        told = model.tell(image, words, mask, keep)
        probabilities = model.fuse(told, words, mask)[0].double().softmax(-1).tolist()
    ranked = sorted(zip(ANSWERS, probabilities, strict=True), key=lambda pair: -pair[1])
    return Heard(model.compression.name, keep, question, tuple(ranked), told.shares[0].double().numpy())


def overlap(one: Heard, other: Heard) -> float:
    """How much of the telling two answers share, 0 to 1: the sum over patches of the smaller of their parts."""
    parts = [heard.survives / heard.survives.sum() for heard in (one, other)]
    return float(np.minimum(*parts).sum())
