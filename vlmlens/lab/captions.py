"""Pictures of two things, what a sentence says of them, and questions that the sentence answers.

    describe(scene)    # "a red circle left of a blue square"

All of it in words, questions and answers alike, so that a reader of the sentence and a reader of the picture can be
asked the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import ANSWERS, Pattern, Question, all_questions
from vlmlens.lab.scenes import CELLS, COLORS, HELD_OUT_PAIRS, JITTER, SHAPES, SIZES, SPLITS, Scene, Thing, split_of
from vlmlens.lab.text import PAD, WORDS

BEGIN, TELL, END = "<begin>", "<tell>", "<end>"  # a text to compare, a text to be told, where a text ends
VOCABULARY = (*dict.fromkeys((*WORDS, *ANSWERS)), BEGIN, TELL, END)
NUMBER = {word: index for index, word in enumerate(VOCABULARY)}
MOST_CAPTION = 8  # words
KINDS = ("color", "shape", "exist", "relation")


def ordered(scene: Scene) -> tuple[Thing, Thing, str]:
    """The two things in the order of the sentence, and what joins them: by column, else by row."""
    if len(scene.things) != 2:
        raise QuestionError(f"A caption tells of two things; this scene has {len(scene.things)}.")
    first, second = scene.things
    axis = "row" if first.column == second.column else "column"
    if getattr(first, axis) > getattr(second, axis):
        first, second = second, first
    return first, second, "left of" if axis == "column" else "above"


def describe(scene: Scene) -> str:
    """The sentence. Raises QuestionError for a scene without exactly two things."""
    first, second, joined = ordered(scene)
    return f"a {first.color} {first.shape} {joined} a {second.color} {second.shape}"


@dataclass(frozen=True, slots=True)
class Told:
    """A picture, its sentence, and a question that both answer."""

    scene: Scene
    caption: str
    question: str
    answer: str
    kind: str


_BY_KIND = {kind: [q for q in all_questions() if q.kind == kind] for kind in KINDS}
_EXIST = {question.about[0]: question for question in _BY_KIND["exist"]}


def _ask(scene: Scene, kind: str, rng: np.random.Generator) -> Question | None:
    """A question of this kind that the caption answers, or None where it answers none."""
    first, second, joined = ordered(scene)
    if kind == "exist":  # half of them are there; of the others, half mix the colour of one with the shape of the other
        one, other = (first, second) if rng.random() < 0.5 else (second, first)
        if rng.random() < 0.5:
            return _EXIST[Pattern(*one.pair)]
        if rng.random() < 0.5 and one.color != other.color and one.shape != other.shape:
            return _EXIST[Pattern(one.color, other.shape)]
        there = {one.pair, other.pair}
        pairs = [(c, s) for c in COLORS for s in SHAPES if (c, s) not in there and (c == one.color or s == one.shape)]
        return _EXIST[Pattern(*pairs[rng.integers(len(pairs))])]
    axis = "column" if joined == "left of" else "row"
    fitting = [
        question for question in _BY_KIND[kind] if question.answer(scene) is not None and question.axis in ("", axis)
    ]
    return fitting[rng.integers(len(fitting))] if fitting else None


def pairs(split: str, seed: int, count: int) -> list[Told]:
    """Pictures of two things, each with its sentence and one question; the same for the same seed."""
    rng = np.random.default_rng([5, SPLITS.index(split), seed])
    found: list[Told] = []
    allowed = [(c, s) for c in COLORS for s in SHAPES if (c, s) not in HELD_OUT_PAIRS]
    while len(found) < count:
        cells = rng.permutation(CELLS)[:2]
        looks = [allowed[rng.integers(len(allowed))] for _ in cells]
        things = tuple(
            Thing(int(cell), *look, SIZES[rng.integers(2)], JITTER[rng.integers(3)], JITTER[rng.integers(3)])
            for cell, look in zip(cells, looks, strict=True)
        )
        scene = Scene(things, int(rng.integers(2**31)))
        if split_of(scene) != split:
            continue
        question = None
        while question is None:
            kind = KINDS[rng.integers(len(KINDS))]
            question = _ask(scene, kind, rng)
        answer = question.answer(scene)
        assert answer is not None
        found.append(Told(scene, describe(scene), question.text, answer, kind))
    return found


def numbers(texts: Sequence[str], length: int = 0, begin: str = "", end: str = "") -> Tensor:
    """Word numbers [text, word], padded on the right with PAD to `length` at least.

    Raises QuestionError for a word that captions never use.
    """
    rows = []
    for text in texts:
        words = [*begin.split(), *text.split(), *end.split()]
        if unknown := [word for word in words if word not in NUMBER]:
            raise QuestionError(f"Captions know {len(VOCABULARY) - 4} words and not “{unknown[0]}”.")
        rows.append([NUMBER[word] for word in words])
    longest = max(length, *map(len, rows)) if rows else length
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows], dtype=torch.long)
