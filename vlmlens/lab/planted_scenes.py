"""Scenes and questions whose answers need only the words, only the picture, either, or both: truth by construction.

    pictures, questions, weights = planted("both", seed=0)

A model that answers rightly must show the atom that each row of `PLANTED` names; which it is follows from which scenes
are asked which questions, and holds for any model that reads both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vlmlens.lab.questions import all_questions
from vlmlens.lab.scenes import CELLS, Scene, Thing

COPIES = 4  # scenes of every arrangement: places and sizes vary, what is asked does not


@dataclass(frozen=True)
class Planted:
    sentence: str
    atom: str  # of a PID: the one that must dominate
    colors: Callable[[int], tuple[str, ...]]  # arrangement -> the colour of each shape asked about
    weights: Callable[[int, int], float]  # arrangement, shape asked about -> how often the pair occurs


# Two shapes are asked about; in training both go with both colours.
ASKED = ("circle", "triangle")
PAIR = ("red", "green")

PLANTED: dict[str, Planted] = {
    "text": Planted(
        "Every circle is red and every triangle green: the question alone settles the answer.",
        "unique_2",
        lambda arrangement: PAIR,
        lambda arrangement, asked: 1.0,
    ),
    "image": Planted(
        "All things of a scene share one colour: the picture alone settles the answer.",
        "unique_1",
        lambda arrangement: (PAIR[arrangement],) * 2,
        lambda arrangement, asked: 1.0,
    ),
    "either": Planted(
        "Red scenes are only asked about circles, green ones about triangles: either settles the answer.",
        "redundant",
        lambda arrangement: (PAIR[arrangement],) * 2,
        lambda arrangement, asked: float(arrangement == asked),
    ),
    "both": Planted(
        "The circle is red and the triangle green, or the other way round: neither settles the answer alone.",
        "synergistic",
        lambda arrangement: PAIR if arrangement == 0 else PAIR[::-1],
        lambda arrangement, asked: 1.0,
    ),
}


def planted(name: str, seed: int = 0) -> tuple[list[Scene], list[str], np.ndarray]:
    """Scenes, questions, and weights [scene, question]."""
    row = PLANTED[name]
    rng = np.random.default_rng([5, seed])
    scenes, weights = [], []
    for arrangement in (0, 1) * COPIES:
        cells = rng.permutation(CELLS)
        things = [
            Thing(int(cell), color, shape, str(rng.choice(["small", "large"])))
            for cell, color, shape in zip(cells, row.colors(arrangement), ASKED, strict=False)
        ]
        scenes.append(Scene(tuple(things), int(rng.integers(2**31))))
        weights.append([row.weights(arrangement, asked) for asked in range(len(ASKED))])
    questions = [q.text for shape in ASKED for q in all_questions() if q.kind == "color" and q.about[0].shape == shape]
    return scenes, questions, np.array(weights)
