"""What each word, and each part of the picture, does for an answer: hide it alone and see what the answer loses.

Hiding is a knock-out (docs/definitions.md). An effect is the drop of the answer's log-odds; below 0 where the answer
gains by the hiding.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.models import VLM, Picture
from vlmlens.models.many import log_odds
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.trace import Knockout, Segment

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 3  # parts of the picture each way
LEAST = 0.1  # nats: a smaller change of an effect is not worth a word
Asked = tuple[Picture, str]  # a picture and a question


@dataclass(frozen=True, eq=False)
class Effects:
    """Log-odds of an answer with one part of the input hidden at a time."""

    answer: str
    against: str | None  # the other answer that it is weighed against; None: all others
    words: tuple[str, ...]  # of the question, as the model's tokens
    parts: tuple[int, int]  # rows and columns of the parts of the picture
    regions: tuple[tuple[int, ...], ...]  # cells of each part, row by row
    whole: float  # nats: log-odds with nothing hidden
    hidden: np.ndarray  # nats: log-odds without each, [word and then region]

    @property
    def drop(self) -> np.ndarray:
        """Nats, [word and then region]."""
        lost: np.ndarray = self.whole - self.hidden
        return lost

    @property
    def of_words(self) -> np.ndarray:
        return self.drop[: len(self.words)]

    @property
    def of_regions(self) -> np.ndarray:
        return self.drop[len(self.words) :]


@dataclass(frozen=True)
class PairedEffect:
    """One part of the input before and after; None where the other run has no such part."""

    name: str  # as it was before; a word that was replaced reads “old → new”
    before: float | None
    after: float | None


@dataclass(frozen=True, eq=False)
class EffectChange:
    """The effects on one answer in two runs."""

    answer: str
    against: str | None
    pairs: tuple[PairedEffect, ...]

    def sentence(self) -> str:
        """Which part's effect changed the most; a part that one run lacks has no effect there."""
        rival = f" against “{self.against}”" if self.against else ""
        changes = [abs((pair.after or 0.0) - (pair.before or 0.0)) for pair in self.pairs]
        place = int(np.argmax(changes))
        if changes[place] < LEAST:
            return f"For “{self.answer}”{rival}, the effect of no word and no part changed by {LEAST} nats."
        most = self.pairs[place]
        was, now = ("–" if value is None else f"{value:+.2f}" for value in (most.before, most.after))
        return f"For “{self.answer}”{rival}, {most.name} changed the most: {was} nats before, {now} after."

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(
            {
                "part": [pair.name for pair in self.pairs],
                "before": [pair.before for pair in self.pairs],
                "after": [pair.after for pair in self.pairs],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "against": self.against,
            "effects": [{"part": p.name, "before": p.before, "after": p.after} for p in self.pairs],
            "sentence": self.sentence(),
        }


def effects(
    vlm: VLM,
    picture: Picture,
    question: str,
    candidate: int | None = None,
    against: int | None = None,
    progress: Progress | None = None,
) -> Effects:
    """Hide each word of the question and each of at most 3 x 3 parts of the picture, all in one batch or few.

    Args:
        candidate: the answer that is followed; by default the model's own.
        against: weigh it against this answer alone, not against all others.
    """
    prepared = vlm.prepare(vlm.image(picture), question)
    return _effects(vlm, prepared, candidate, against, progress)


def effects_before_and_after(vlm: VLM, before: Asked, after: Asked, progress: Progress | None = None) -> EffectChange:
    """The effects on the answer of the run before, in both runs; against the other run's answer where it is another.

    Words stand side by side as the longest common subsequences of the two questions say.
    """
    ready = [vlm.prepare(vlm.image(picture), question) for picture, question in (before, after)]
    with vlm.lock:
        best = [int(vlm.run(prepared, None)[0].argmax()) for prepared in ready]
    against = best[1] if best[1] != best[0] else None
    was, now = (_effects(vlm, prepared, best[0], against, progress) for prepared in ready)
    return paired(was, now)


def paired(before: Effects, after: Effects) -> EffectChange:
    """Effects of the parts that two runs share side by side, and those that only one has."""
    pairs = _words(before, after)
    parts = before.of_regions.tolist(), after.of_regions.tolist()
    if before.parts == after.parts:
        pairs += map(PairedEffect, _names(before.parts), *parts)
    else:
        pairs += [PairedEffect(name, was, None) for name, was in zip(_names(before.parts), parts[0], strict=True)]
        pairs += [PairedEffect(name, None, now) for name, now in zip(_names(after.parts), parts[1], strict=True)]
    return EffectChange(before.answer, before.against, tuple(pairs))


def _effects(
    vlm: VLM, prepared: Prepared, candidate: int | None, against: int | None, progress: Progress | None
) -> Effects:
    asked = np.flatnonzero(prepared.segments == Segment.QUESTION)
    rows, columns = prepared.grid.shape
    parts = min(BLOCKS, rows), min(BLOCKS, columns)
    regions = _regions(prepared.grid.shape, parts)
    cells = np.zeros((len(regions), prepared.grid.cells), bool)
    for row, region in zip(cells, regions, strict=True):
        row[list(region)] = True
    words = np.zeros((len(asked), prepared.length), bool)
    words[np.arange(len(asked)), asked] = True
    keys = np.concatenate([np.zeros((1, prepared.length), bool), words, prepared.grid.tokens(cells, prepared.length)])
    found = []
    starts = range(0, len(keys), vlm.variants_at_once)
    for start in (progress or Progress()).over(starts, len(starts), "batch"):
        with vlm.lock:
            logits, _ = vlm.run(prepared, None, [Knockout(keys[start : start + vlm.variants_at_once])])
        candidate = int(logits[0].argmax()) if candidate is None else candidate  # the first variant hides nothing
        found.append(log_odds(logits, candidate, against))
    odds = np.concatenate(found)
    assert candidate is not None
    return Effects(
        vlm.answer_text(candidate),
        None if against is None else vlm.answer_text(against),
        tuple(prepared.tokens[i].strip() or prepared.tokens[i] for i in asked),
        parts,
        regions,
        float(odds[0]),
        odds[1:],
    )


def _regions(shape: tuple[int, int], parts: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Cells of so many parts, as equal as may be, row by row; none where the grid has no cells."""
    numbers = np.arange(shape[0] * shape[1]).reshape(shape)
    return tuple(
        tuple(int(cell) for cell in part.ravel())
        for band in (np.array_split(numbers, parts[0]) if parts[0] else [])
        for part in np.array_split(band, parts[1], axis=1)
    )


def _names(parts: tuple[int, int]) -> list[str]:
    """The parts of the picture in words, row by row: "picture, top left"."""
    across = {0: (), 1: ("",), 2: (" left", " right"), 3: (" left", " center", " right")}[parts[1]]
    down = {0: (), 1: ("",), 2: (" top", " bottom"), 3: (" top", " middle", " bottom")}[parts[0]]
    return [f"picture{','[: len(row + column)]}{row}{column}" for row in down for column in across]


def _words(before: Effects, after: Effects) -> list[PairedEffect]:
    old, new = before.of_words.tolist(), after.of_words.tolist()
    pairs: list[PairedEffect] = []
    for _, a, b, c, d in SequenceMatcher(None, before.words, after.words, autojunk=False).get_opcodes():
        both = min(b - a, d - c)
        for i, j in zip(range(a, a + both), range(c, c + both), strict=True):
            was, now = before.words[i], after.words[j]
            pairs.append(PairedEffect(was if was == now else f"{was} → {now}", old[i], new[j]))
        pairs += [PairedEffect(before.words[i], old[i], None) for i in range(a + both, b)]
        pairs += [PairedEffect(after.words[j], None, new[j]) for j in range(c + both, d)]
    return pairs
