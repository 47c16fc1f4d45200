"""A lab scene: up to five coloured shapes on a 3x3 board, as frozen data.

    scene = Scene((Thing(cell=4, color="red", shape="circle", size="large"),))
    scene.edit(4, color="blue")      # the same scene with one thing changed
    scene.without(4)                 # and with one thing less

Cells are numbered row by row from 0. Pixels come from `vlmlens.lab.draw`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from vlmlens.errors import PictureError

BOARD = 3  # cells a side
CELLS = BOARD * BOARD
MOST_THINGS = 5

COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "black")
SHAPES = ("circle", "square", "triangle", "star")
SIZES = ("small", "large")
JITTER = (-1, 0, 1)  # pixels of the 48-pixel picture

# Colour-shape pairs that no training scene ever shows: the compositional hold-out.
HELD_OUT_PAIRS = frozenset({("orange", "star"), ("purple", "square"), ("cyan", "triangle"), ("black", "circle")})


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape on the board. `dx`, `dy` shift it inside its cell."""

    cell: int
    color: str
    shape: str
    size: str
    dx: int = 0
    dy: int = 0

    def __post_init__(self) -> None:
        for value, allowed, name in (
            (self.cell, range(CELLS), "cell"),
            (self.color, COLORS, "color"),
            (self.shape, SHAPES, "shape"),
            (self.size, SIZES, "size"),
            (self.dx, JITTER, "dx"),
            (self.dy, JITTER, "dy"),
        ):
            if type(value) is not type(allowed[0]) or value not in allowed:  # in Python, True and 1.0 are in range(9)
                choices = ", ".join(map(str, allowed))
                raise PictureError(f"{value!r:.40} is no {name} of a lab scene; choose from {choices}.")

    @property
    def row(self) -> int:
        return self.cell // BOARD

    @property
    def column(self) -> int:
        return self.cell % BOARD

    @property
    def pair(self) -> tuple[str, str]:
        return self.color, self.shape

    def __str__(self) -> str:
        return f"{self.size} {self.color} {self.shape}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is on the board, and the seed of the pixel noise."""

    things: tuple[Thing, ...] = ()
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if len(self.things) > MOST_THINGS:
            raise PictureError(f"A lab scene holds at most {MOST_THINGS} things, this one has {len(self.things)}.")
        if len({thing.cell for thing in self.things}) < len(self.things):
            raise PictureError("Two things stand on one cell; move one of them.")
        if type(self.noise_seed) is not int or not 0 <= self.noise_seed < 2**63:
            raise PictureError("A scene's noise_seed is a whole number from 0 up.")

    def at(self, cell: int) -> Thing | None:
        return next((thing for thing in self.things if thing.cell == cell), None)

    def without(self, cell: int) -> "Scene":
        """The scene with the thing on this cell taken away."""
        return replace(self, things=tuple(thing for thing in self.things if thing.cell != cell))

    def edit(self, cell: int, /, **changes: Any) -> "Scene":
        """The scene with the thing on this cell changed (`color`, `shape`, `size`, or `cell` to move it)."""
        thing = self.at(cell)
        if thing is None:
            raise PictureError(f"Nothing stands on cell {cell} of this scene; add a thing there first.")
        changed = replace(thing, **changes)
        return replace(self, things=tuple(changed if other is thing else other for other in self.things))

    def add(self, thing: Thing) -> "Scene":
        """The scene with one thing more, in place of what stood on its cell."""
        return replace(self, things=(*self.without(thing.cell).things, thing))

    def arrangement(self) -> str:
        """What a person would call the same scene: the things and their cells, without jitter and noise."""
        ordered = sorted(self.things, key=lambda thing: thing.cell)
        return ";".join(f"{thing.cell} {thing}" for thing in ordered)

    def to_dict(self) -> dict[str, Any]:
        return {"things": [asdict(thing) for thing in self.things], "noise_seed": self.noise_seed}

    def to_json(self) -> str:
        """One line, the same for the same scene."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Scene":
        """The scene that `to_dict` described. Raises PictureError for anything else."""
        try:
            things = tuple(Thing(**thing) for thing in data["things"])
        except (TypeError, KeyError, ValueError) as error:
            raise PictureError("This is not a lab scene; compose one on the board and copy its link.") from error
        return cls(things, data.get("noise_seed", 0))

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PictureError("This is not a lab scene; compose one on the board and copy its link.") from error
        if not isinstance(data, dict):
            raise PictureError("This is not a lab scene; compose one on the board and copy its link.")
        return cls.from_dict(data)


SPLITS = ("train", "validation", "test")


def split_of(scene: Scene) -> str:
    """Which split an arrangement belongs to: by a hash of what stands where, so splits never share a scene.

    Eight tenths train, one tenth each validation and test. The empty board belongs to all and counts as "train".
    """
    digest = hashlib.sha256(scene.arrangement().encode()).digest()[0] / 256
    return "train" if digest < 0.8 or not scene.things else "validation" if digest < 0.9 else "test"
