"""Probe sets: pictures with questions, closed answer sets, and where on a picture the answer lies.

probe = lab_probe(seed=0)                        # 64 scenes x 16 questions, all crossed
probe = own_probe(picture, question, options)    # one picture and its variants: weak evidence
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmlens.errors import UserError
from vlmlens.lab.questions import Question, all_questions, by_text, normalise
from vlmlens.lab.sample import crossed
from vlmlens.lab.scenes import BOARD, Scene
from vlmlens.models import Picture, as_image
from vlmlens.perturb import PERTURBATIONS, apply

Box = tuple[float, float, float, float]  # left, top, right, bottom, in fractions of the picture
Region = tuple[Box, ...]

# What the lab probe asks, in this order, four of each: sets of options that several questions share come first.
ASKED_KINDS = (("color", ""), ("where", "column"), ("size", ""), ("relation", "column"), ("where", "row"))
CHANGES = tuple(row.name for row in PERTURBATIONS.values() if row.group == "whole" and not row.needs_donor)
VARIANT_SEEDS = 3  # enough for a verdict on dependency
VARIANT_STRENGTHS = (0.3, 0.8)


class ProbeError(UserError):
    """A probe set cannot be read, or says nothing that a test could use."""


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """What is asked of which picture. Where every question is asked of every picture, the set is crossed."""

    pictures: tuple[Picture, ...]
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]  # of each question: the answers that are told apart
    asked: np.ndarray  # bool [picture, question]
    answers: dict[tuple[int, int], str]  # (picture, question) -> the true one, where known
    regions: dict[tuple[int, int], Region]  # where the answer lies, where known
    ensemble: str  # in words: over what it speaks
    weak: str = ""  # why it is weak evidence, if it is

    @property
    def is_crossed(self) -> bool:
        return bool(self.asked.all()) and len(self.pictures) > 1

    @property
    def items(self) -> np.ndarray:
        """int [item, 2]: picture and question of every pair asked, picture by picture."""
        return np.argwhere(self.asked)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every option once."""
        return tuple(dict.fromkeys(option for options in self.options for option in options))


def lab_probe(seed: int = 0, scenes: int = 64, questions: int = 16) -> ProbeSet:
    """Held-out lab scenes crossed with questions that have an answer on each; truth and regions are known."""
    if not 2 <= scenes <= 4096 or not 1 <= questions <= len(_lab_questions()) or seed < 0:
        most = len(_lab_questions())
        raise ProbeError(f"A lab probe has 2 to 4096 scenes and 1 to {most} questions, and its seed is 0 or more.")
    drawn, _, _ = crossed(seed, scenes)
    chosen = _lab_questions()[:questions]
    pairs = [(s, q) for s in range(scenes) for q in range(questions)]
    return ProbeSet(
        pictures=tuple(drawn),
        questions=tuple(question.text for question in chosen),
        options=tuple(question.candidates for question in chosen),
        asked=np.ones((scenes, questions), bool),
        answers={(s, q): str(chosen[q].answer(drawn[s])) for s, q in pairs},
        regions={(s, q): lab_region(chosen[q], drawn[s]) for s, q in pairs},
        ensemble=f"{scenes} held-out lab scenes and {questions} questions, all crossed",
    )


def lab_region(question: Question, scene: Scene) -> Region:
    """The cells of the things that a question speaks of, in the order in which it names them."""
    cells = [thing.cell for pattern in question.about for thing in scene.things if pattern.matches(thing)]
    return tuple(
        (c % BOARD / BOARD, c // BOARD / BOARD, (c % BOARD + 1) / BOARD, (c // BOARD + 1) / BOARD) for c in cells
    )


def own_probe(picture: Picture, question: str, options: Sequence[str] = (), seed: int = 0) -> ProbeSet:
    """One picture, its changed variants, and one question. What is true of the variants is not known.

    Args:
        options: the answers to tell apart; of a lab question they are known.

    Raises:
        ProbeError: no question, or fewer than two options.
    """
    if not question.strip():
        raise ProbeError("The question is empty; type one.")
    known = by_text().get(normalise(question))
    told = tuple(dict.fromkeys(options)) or (known.candidates if known else ())
    if len(told) < 2:
        raise ProbeError("Name at least two possible answers; what the model says is told apart among them.")
    image = as_image(picture)
    variants = [
        apply(name, image, strength, seed + number).image
        for name in CHANGES
        for strength in VARIANT_STRENGTHS
        for number in range(VARIANT_SEEDS)
    ]
    return ProbeSet(
        pictures=(picture, *variants),
        questions=(question.strip(),),
        options=(told,),
        asked=np.ones((1 + len(variants), 1), bool),
        answers={},
        regions={},
        ensemble=f"one picture and {len(variants)} changed variants of it",
        weak="All pictures are variants of one: what is found may hold for it alone.",
    )


def _lab_questions() -> list[Question]:
    named = [q for q in all_questions() if all(p.shape is not None and p.color is None for p in q.about)]
    return [q for kind, axis in ASKED_KINDS for q in [q for q in named if (q.kind, q.axis) == (kind, axis)][:4]]
