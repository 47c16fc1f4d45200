"""The lab's words: a tokenizer of a few dozen words and a one-block text encoder, pretrained, then frozen."""

import torch
from torch import Tensor, nn

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import all_questions, normalise
from vlmlens.lab.vision import WIDTH, Block

PAD = 0
WORDS: tuple[str, ...] = ("<pad>", *sorted({word for question in all_questions() for word in question.text.split()}))
IDS = {word: index for index, word in enumerate(WORDS)}
MOST_WORDS = 12


def known_words(text: str) -> list[str]:
    """The words of a question as the lab spells them.

    Raises QuestionError where a word is unknown or the question is too long.
    """
    words = normalise(text).split()
    unknown = [word for word in words if word not in IDS]
    if unknown:
        named = ", ".join(f"“{word}”" for word in dict.fromkeys(unknown[:3]))
        raise QuestionError(
            f"Lab models know {len(WORDS) - 1} words and not {named}. Pick a suggestion, or ask about colors, shapes, "
            "sizes, numbers and places."
        )
    if len(words) > MOST_WORDS:
        raise QuestionError(f"Lab models read questions of up to {MOST_WORDS} words, this one has {len(words)}.")
    return words


def encode(questions: list[str]) -> Tensor:
    """Word ids [question, word], padded on the right with PAD."""
    ids = [[IDS[word] for word in known_words(text)] for text in questions]
    longest = max(map(len, ids))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])


class TextEncoder(nn.Module):
    """Word ids [batch, word] to features [batch, word, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), WIDTH)
        self.positions = nn.Parameter(torch.randn(MOST_WORDS, WIDTH) * 0.02)
        self.block = Block()

    def forward(self, ids: Tensor) -> Tensor:
        return self.block(self.words(ids) + self.positions[: ids.shape[1]], ids != PAD)
