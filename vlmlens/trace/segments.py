"""What a token position stands for, and where the image tokens lie on the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np


class Segment(IntEnum):
    """Every token position belongs to exactly one."""

    BOS = 0
    INSTRUCTION = 1
    IMAGE = 2
    QUESTION = 3
    ANSWER = 4
    LATENT = 5  # a learned query (Q-Former, Perceiver): no word, no place, the same for every input

    @property
    def word(self) -> str:
        return self.name.lower()


def no_boxes() -> np.ndarray:
    return np.zeros((0, 4), np.float32)


def no_positions() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Grid:
    """Geometry of the image tokens, in pixels of the picture as uploaded.

    Cells are what maps are drawn in: `boxes[i]` belongs to the token at `positions[i]`. A model that reads the picture
    in tiles also reads it once as a whole, coarsely: `wide_boxes[j]` belongs to the token at `wide_positions[j]`, which
    shows many cells. Image tokens without a place (separators) are in neither.

    The queries of a resampler have no place of their own. They are wide tokens over the whole picture, and `through`
    says how much each reads of every cell; the cells' own tokens are then those that only the resampler reads.
    """

    boxes: np.ndarray  # float [cell, 4]: left, top, right, bottom
    positions: np.ndarray  # int [cell]
    size: tuple[int, int]  # width, height of the picture
    shape: tuple[int, int]  # rows, columns of the cells
    wide_boxes: np.ndarray = field(default_factory=no_boxes)  # float [wide token, 4]
    wide_positions: np.ndarray = field(default_factory=no_positions)  # int [wide token]
    through: np.ndarray | None = None  # float32 [wide token, cell]; rows sum to 1

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int],
        positions: Sequence[int] | np.ndarray,
        size: tuple[int, int],
        extent: tuple[float, float, float, float] | None = None,
    ) -> "Grid":
        """Equal cells, row by row, over `extent` (left, top, right, bottom; by default the whole picture)."""
        left, top, right, bottom = extent or (0.0, 0.0, float(size[0]), float(size[1]))
        columns, rows = np.linspace(left, right, shape[1] + 1), np.linspace(top, bottom, shape[0] + 1)
        return cls(lattice(rows, columns), np.asarray(positions, np.int64), size, shape)

    @property
    def cells(self) -> int:
        return len(self.boxes)

    @property
    def placed(self) -> np.ndarray:
        """Positions of all image tokens that have a place, int [token]: those of the cells, then the wide ones."""
        return np.concatenate([self.positions, self.wide_positions])

    @cached_property
    def overlap(self) -> np.ndarray:
        """How much of what a wide token shows of the cells lies in each, float32 [wide token, cell]; rows sum to 1.

        By area, but for a resampler's queries, where it is `through`.
        """
        if self.through is not None:
            return self.through
        one, other = self.wide_boxes[:, None], self.boxes[None]
        sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
        area = sides.clip(0).prod(axis=-1)
        found: np.ndarray = area / np.maximum(area.sum(axis=1, keepdims=True), 1e-12)
        return found

    @property
    def read(self) -> np.ndarray:
        """Positions of the image tokens that the rest of the model reads of the cells, int [token]."""
        return self.placed if self.through is None else self.wide_positions

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of positions [..., position] on the cells [..., cell]; a wide token's is divided by `overlap`."""
        own: np.ndarray = values[..., self.positions]
        return own + values[..., self.wide_positions] @ self.overlap.astype(own.dtype) if self.wide else own

    def tokens(self, cells: np.ndarray, length: int, whole: bool = False) -> np.ndarray:
        """The tokens that show some of these cells: bool [..., cell] to [..., position], of `length` positions.

        With `whole`, of the wide ones only those that show nothing else. A resampler's queries stay: they read on, of
        what is left.
        """
        cells = np.asarray(cells, bool)
        found = np.zeros((*cells.shape[:-1], length), bool)
        found[..., self.positions] = cells
        if self.wide and self.through is None:
            touched = (self.overlap > 0).T.astype(np.float32)
            rest = ~cells if whole else cells
            found[..., self.wide_positions] = (rest.astype(np.float32) @ touched > 0) != whole
        return found

    def places(self, image: np.ndarray) -> bool:
        """Whether all image tokens, bool [position], have one place each, but for a separator after each row."""
        placed = self.placed
        without = int(image.sum()) - len(placed)
        if len(self.positions) != self.cells or len(set(placed.tolist())) != len(placed):
            return False
        return bool(image[placed].all()) and 0 <= without <= self.shape[0]

    def shown(self) -> dict[int, tuple[int, ...]]:
        """The cells that each token with a place shows, by position; a resampler's query those it reads the most of.

        These are the cells that it reads more of than if it read all alike.
        """
        own = {int(position): (cell,) for cell, position in enumerate(self.positions)}
        least = 0.0 if self.through is None else 1 / self.cells
        touched = zip(self.wide_positions.tolist(), self.overlap > least, strict=True)
        return own | {position: tuple(np.flatnonzero(cells).tolist()) for position, cells in touched}

    @property
    def wide(self) -> bool:
        return len(self.wide_positions) > 0

    def covers_all(self) -> bool:
        """Whether every pixel of the picture lies in a cell; LLaVA-1.5's centre crop, say, leaves some out."""
        area = (self.boxes[:, 2] - self.boxes[:, 0]).clip(0) * (self.boxes[:, 3] - self.boxes[:, 1]).clip(0)
        return bool(area.sum() >= 0.999 * self.size[0] * self.size[1])


def lattice(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Boxes between the edges of rows and columns, row by row, float32 [row * column, 4]."""
    left, top = np.meshgrid(columns[:-1], rows[:-1])
    right, bottom = np.meshgrid(columns[1:], rows[1:])
    return np.stack([left, top, right, bottom], axis=-1).reshape(-1, 4).astype(np.float32)
