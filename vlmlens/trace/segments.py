"""What a token position stands for, and where the image tokens lie on the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Segment(IntEnum):
    """Every token position belongs to exactly one."""

    BOS = 0
    INSTRUCTION = 1
    IMAGE = 2
    QUESTION = 3
    ANSWER = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class Grid:
    """Geometry of the image tokens, in pixels of the picture as uploaded.

    `boxes[i]` belongs to token position `positions[i]`; image tokens without a place (separators) are in neither.
    """

    boxes: np.ndarray  # float [cell, 4]: left, top, right, bottom
    positions: np.ndarray  # int [cell]
    size: tuple[int, int]  # width, height of the picture
    shape: tuple[int, int]  # rows, columns of the cells

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
        rows, columns = shape
        xs, ys = np.linspace(left, right, columns + 1), np.linspace(top, bottom, rows + 1)
        boxes = [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns)]
        return cls(np.array(boxes, np.float32), np.asarray(positions, np.int64), size, shape)

    @property
    def cells(self) -> int:
        return len(self.boxes)

    def covers_all(self) -> bool:
        """Whether every pixel of the picture lies in a cell; LLaVA-1.5's centre crop, say, leaves some out."""
        area = (self.boxes[:, 2] - self.boxes[:, 0]).clip(0) * (self.boxes[:, 3] - self.boxes[:, 1]).clip(0)
        return bool(area.sum() >= 0.999 * self.size[0] * self.size[1])
