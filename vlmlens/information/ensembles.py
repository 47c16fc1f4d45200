"""Over which pictures and questions an interventional decomposition speaks: sets made from one picture and question.

    pictures = PICTURE_SETS["whole-picture changes"].make(picture, strength, seed)
    questions = QUESTION_SETS["same kind"].make(question, scene)

A set is one row. The first picture and the first question are always the person's own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from vlmlens.lab.questions import all_questions, by_text, normalise
from vlmlens.lab.sample import crossed
from vlmlens.lab.scenes import COLORS, SHAPES, SIZES, Scene
from vlmlens.models import Picture, as_image
from vlmlens.perturb import apply
from vlmlens.perturb.pixels import mean_color

REGIONS = 4  # a side, where regions are hidden
MOST_QUESTIONS = 16
CHANGES = (
    "blur",
    "noise",
    "contrast",
    "brightness",
    "grayscale",
    "hue",
    "downscale",
    "jpeg",
    "rotate",
    "flip",
    "shuffle",
    "hide",
)

TEMPLATES = (
    "{question}",
    "Look at the picture. {question}",
    "{question} Answer with one word.",
    "In this image, {question}",
    "Please tell me: {question}",
    "Question: {question} Short answer:",
)


@dataclass(frozen=True)
class PictureSet:
    name: str
    words: str  # completes "over ..."
    lab: bool  # only for lab scenes
    make: Callable[[Picture, float, int], list[Picture]]  # picture, strength 0 to 1, seed


@dataclass(frozen=True)
class QuestionSet:
    name: str
    words: str
    lab: bool  # only for questions that the lab knows
    make: Callable[[str, Picture], list[str]]


def _changed(picture: Picture, strength: float, seed: int) -> list[Picture]:
    image = as_image(picture)
    return [picture, *(apply(name, image, strength, seed).image for name in CHANGES)]


def _hidden(picture: Picture, strength: float, seed: int) -> list[Picture]:
    image = as_image(picture)
    found: list[Picture] = [picture]
    for row in range(REGIONS):
        for column in range(REGIONS):
            left, right = (image.width * index // REGIONS for index in (column, column + 1))
            top, bottom = (image.height * index // REGIONS for index in (row, row + 1))
            inside = image.crop((left, top, right, bottom))
            hidden = image.copy()
            hidden.paste(Image.blend(inside, Image.new("RGB", inside.size, mean_color(image)), strength), (left, top))
            found.append(hidden)
    return found


def _edited(picture: Picture, strength: float, seed: int) -> list[Picture]:
    """Every thing of a scene with each of its other colours, shapes and sizes, and without it; a sample of these."""
    if not isinstance(picture, Scene):
        return [picture]
    edits: list[Scene] = []
    for index, thing in enumerate(picture.things):
        others = [replace(thing, color=c) for c in COLORS if c != thing.color]
        others += [replace(thing, shape=s) for s in SHAPES if s != thing.shape]
        others += [replace(thing, size=s) for s in SIZES if s != thing.size]
        for other in others:
            edits.append(Scene((*picture.things[:index], other, *picture.things[index + 1 :]), picture.noise_seed))
        edits.append(Scene((*picture.things[:index], *picture.things[index + 1 :]), picture.noise_seed))
    chosen = np.random.default_rng([8, seed]).permutation(len(edits))[: round(8 + 40 * strength)]
    return [picture, *(edits[i] for i in sorted(chosen))]


def _donors(picture: Picture, strength: float, seed: int) -> list[Picture]:
    return [picture, *crossed(100 + seed, round(7 + 24 * strength))[0]]


def _same_kind(question: str, picture: Picture) -> list[str]:
    known = by_text().get(normalise(question))
    if known is None:
        return [question]
    kind = [q.text for q in all_questions() if q.kind == known.kind and q.axis == known.axis and q != known]
    if isinstance(picture, Scene):  # first those that have an answer here
        answered = {q.text for q in all_questions() if q.answer(picture) is not None}
        kind.sort(key=lambda text: text not in answered)
    return [question, *kind][:MOST_QUESTIONS]


def _any_kind(question: str, picture: Picture) -> list[str]:
    own = normalise(question)
    rest = [q.text for q in all_questions() if q.text != own]
    if isinstance(picture, Scene):
        rest = [q.text for q in all_questions() if q.answer(picture) is not None and q.text != own]
    step = max(1, len(rest) // (MOST_QUESTIONS - 1))
    return [question, *rest[::step]][:MOST_QUESTIONS]


def _rephrased(question: str, picture: Picture) -> list[str]:
    return [template.format(question=question.strip()) for template in TEMPLATES]


PICTURE_SETS = {
    row.name: row
    for row in (
        PictureSet("scene edits", "this scene with one thing recoloured, reshaped, resized or gone", True, _edited),
        PictureSet(
            "hidden regions", f"this picture with one of {REGIONS} x {REGIONS} regions faded out", False, _hidden
        ),
        PictureSet(
            "whole-picture changes", "this picture blurred, noised, turned, shuffled and so on", False, _changed
        ),
        PictureSet("other lab scenes", "this picture and other lab scenes", False, _donors),
    )
}
QUESTION_SETS = {
    row.name: row
    for row in (
        QuestionSet("same kind", "questions of the same kind", True, _same_kind),
        QuestionSet("any kind", "questions of any kind", True, _any_kind),
        QuestionSet("rephrased", "the same question in other words", False, _rephrased),
    )
}
