"""How planted models read a text: one question of the lab's, anywhere in words of any kind.

    Reading.of("a note says the circle is red. what color is the circle?")

The words around the question are its context. A word there that could be the answer is a hint; the trained text encoder
reads the question alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import ANSWERS, EMPTY, SYNONYMS, by_text, readable
from vlmlens.lab.text import IDS, MOST_WORDS, PAD, WORDS, known_words

MOST_CONTEXT = 250  # words
MOST_CHARACTERS = 5000

CONTEXT = len(WORDS)  # ids from here on are words of the context, and those after it hints at an answer
HINT = CONTEXT + 1


@dataclass(frozen=True)
class Reading:
    """A text, word by word."""

    words: tuple[str, ...]
    ids: tuple[int, ...]  # of each word: the lab's own in the question, CONTEXT, or HINT + the answer it names

    @classmethod
    def of(cls, text: str) -> "Reading":
        """Raises QuestionError where there is nothing to answer, or too many words around it."""
        raw = "".join(ch if ch.isalnum() else " " for ch in readable(text, MOST_CHARACTERS).lower()).split()
        if not raw:
            raise QuestionError(EMPTY)
        if len(raw) > MOST_CONTEXT:
            raise QuestionError(
                f"Planted models read up to {MOST_CONTEXT} words, question and context; this text has {len(raw)}."
            )
        words = [SYNONYMS.get(word, word) for word in raw]
        asked = _question(words)
        if asked is None:
            known = known_words(text)  # as the trained lab models read it, and refuse it
            return cls(tuple(known), tuple(IDS[word] for word in known))
        candidates = by_text()[" ".join(words[asked])].candidates

        def around(word: str) -> int:
            return HINT + ANSWERS.index(word) if word in candidates else CONTEXT

        before, after = raw[: asked.start], raw[asked.stop :]
        inside = words[asked]
        ids = (*map(around, before), *(IDS[word] for word in inside), *map(around, after))
        return cls((*before, *inside, *after), ids)


def _question(words: Sequence[str]) -> slice | None:
    """Where the last question of the lab's stands among these words; of two that end together, the longer."""
    for stop in range(len(words), 0, -1):
        for start in range(max(0, stop - MOST_WORDS), stop):
            if " ".join(words[start:stop]) in by_text():
                return slice(start, stop)
    return None


def encode(texts: Sequence[str]) -> Tensor:
    """Ids [text, word], padded on the right with PAD."""
    rows = [Reading.of(text).ids for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
