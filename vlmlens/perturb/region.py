"""Where in a picture something is changed, in fractions of its sides: the region survives another size, and a link."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from vlmlens.errors import PictureError

Point = tuple[float, float]

MOST_POINTS = 2000
DIGITS = 5  # of a coordinate: a twentieth of a pixel on 5000
LEAST_RADIUS = 0.71  # pixels: a stroke meets the centre of every pixel that it starts in

_SHAPES = {
    "box": "a box has two corners",
    "lasso": "a lasso has three points or more",
    "brush": "a brush stroke has a point or more, and a radius above 0",
    "cells": "cells are pairs of corners",
}


@dataclass(frozen=True)
class Region:
    """A box, a lasso, a brush stroke or a union of boxes; (0, 0) is the upper left corner, (1, 1) the lower right.

    What lies outside the picture is cut off. A pixel belongs to the region if its centre does.
    """

    kind: Literal["box", "lasso", "brush", "cells"]
    points: tuple[Point, ...]  # box: 2 corners; lasso: polygon; brush: the stroke's path; cells: pairs of corners
    radius: float = 0.0  # brush: in fractions of the shorter side

    def __post_init__(self) -> None:
        if self.kind not in _SHAPES:
            raise PictureError(f"There is no region of kind {self.kind}; there are {', '.join(_SHAPES)}.")
        try:
            points = tuple((round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in self.points)
            radius = round(float(self.radius), DIGITS)
        except (TypeError, ValueError, OverflowError) as error:
            raise PictureError("A region's points are pairs of numbers, in fractions of the picture.") from error
        if not np.isfinite([radius, *(value for point in points for value in point)]).all():
            raise PictureError("A region's points must be finite numbers; draw the region again.")
        if len(points) > MOST_POINTS:
            raise PictureError(
                f"A region has at most {MOST_POINTS} points, this one {len(points)}; draw a simpler one."
            )
        fits = {
            "box": len(points) == 2,
            "lasso": len(points) >= 3,
            "brush": len(points) >= 1 and radius > 0,
            "cells": len(points) >= 2 and len(points) % 2 == 0,
        }
        if not fits[self.kind]:
            raise PictureError(f"The region is empty or half drawn: {_SHAPES[self.kind]}.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "radius", radius)

    @classmethod
    def box(cls, left: float, top: float, right: float, bottom: float) -> "Region":
        return cls("box", ((left, top), (right, bottom)))

    @classmethod
    def cells(cls, shape: tuple[int, int], chosen: Iterable[int]) -> "Region":
        """Cells of a grid [rows, columns], counted row by row: the patches of a model, for instance."""
        rows, columns = shape
        corners: list[Point] = []
        for cell in chosen:
            row, column = divmod(int(cell), columns)
            corners += [(column / columns, row / rows), ((column + 1) / columns, (row + 1) / rows)]
        return cls("cells", tuple(corners))

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """The pixels of a picture of `size` (width, height) that the region holds, bool [height, width].

        Raises PictureError where it lies outside or holds no pixel.
        """
        points = np.array(self.points)
        width, height = size
        reach = self.radius * min(size) / np.array(size) if self.kind == "brush" else 0.0
        if ((points.max(axis=0) + reach <= 0) | (points.min(axis=0) - reach >= 1)).any():
            raise PictureError("The region lies outside the picture; draw it on the picture.")
        found = _MASKS[self.kind](points * size, self.radius * min(size), width, height)
        if not found.any():
            raise PictureError(f"The region holds no pixel of the {width} x {height} picture; draw a larger one.")
        return found

    def to_json(self) -> dict[str, Any]:
        """{"box": [x, y, x, y]} and so on, the points in one row; a brush with its "radius"."""
        content: dict[str, Any] = {self.kind: [value for point in self.points for value in point]}
        return content | ({"radius": self.radius} if self.kind == "brush" else {})

    @classmethod
    def from_json(cls, content: Any) -> "Region":
        kinds = [kind for kind in _SHAPES if isinstance(content, dict) and kind in content]
        if len(kinds) != 1 or set(content) - {kinds[0], "radius"}:
            raise PictureError(f'A region is written as {{"box": [x, y, x, y]}}, or with {", ".join(_SHAPES)}.')
        flat = content[kinds[0]]
        if not isinstance(flat, list) or len(flat) % 2:
            raise PictureError(f"The points of a {kinds[0]} are written in one row, x before y.")
        return cls(kinds[0], tuple(zip(flat[::2], flat[1::2], strict=True)), content.get("radius", 0.0))  # type: ignore[arg-type]

    @classmethod
    def parse(cls, text: str) -> "Region":
        """box:x,y,x,y as it is typed; a brush as brush:radius:x,y,..."""
        kind, _, numbers = text.partition(":")
        radius, _, rest = numbers.rpartition(":")
        try:
            flat = [float(number) for number in rest.split(",")]
            content = {kind: flat} | ({"radius": float(radius)} if radius else {})
        except ValueError as error:
            raise PictureError(f"A region is typed as box:0.1,0.1,0.5,0.5, in fractions; got {text}.") from error
        return cls.from_json(content)


# Each kind: points in pixels [point, 2], radius in pixels, width, height


def _cells(points: np.ndarray, radius: float, width: int, height: int) -> np.ndarray:
    """A box, or several: from the first pixel whose centre is inside to before the first that is past it."""
    found = np.zeros((height, width), bool)
    first = np.ceil(np.minimum(points[::2], points[1::2]) - 0.5).clip(0, (width, height)).astype(int)
    past = np.ceil(np.maximum(points[::2], points[1::2]) - 0.5).clip(0, (width, height)).astype(int)
    for (left, top), (right, bottom) in zip(first, past, strict=True):
        found[top:bottom, left:right] = True
    return found


def _lasso(points: np.ndarray, radius: float, width: int, height: int) -> np.ndarray:
    """Even-odd: a pixel is inside if a line from it to the left crosses the outline an odd number of times."""
    x0, y0 = points.T[:, :, None]  # [point, 1]
    x1, y1 = np.roll(points, -1, axis=0).T[:, :, None]
    rows = np.arange(height) + 0.5
    edge, row = np.nonzero((y0 <= rows) != (y1 <= rows))
    slope = (x1 - x0)[edge, 0] / (y1 - y0)[edge, 0]
    crossing = x0[edge, 0] + (rows[row] - y0[edge, 0]) * slope
    crossings = np.zeros((height, width + 1), int)
    np.add.at(crossings, (row, np.ceil(crossing - 0.5).clip(0, width).astype(int)), 1)
    return crossings.cumsum(axis=1)[:, :width] % 2 == 1


def _brush(points: np.ndarray, radius: float, width: int, height: int) -> np.ndarray:
    """Every pixel within the radius of the stroke, piece by piece."""
    radius = max(radius, LEAST_RADIUS)
    found = np.zeros((height, width), bool)
    for start, end in pairwise([*points, points[-1]]):
        low = np.floor(np.minimum(start, end) - radius).clip(0, (width, height)).astype(int)
        high = np.ceil(np.maximum(start, end) + radius).clip(0, (width, height)).astype(int)
        x = np.arange(low[0], high[0]) + 0.5 - start[0]
        y = np.arange(low[1], high[1])[:, None] + 0.5 - start[1]
        along = end - start
        share = ((x * along[0] + y * along[1]) / max(along @ along, 1e-12)).clip(0, 1)  # of the way, the nearest point
        near = (x - share * along[0]) ** 2 + (y - share * along[1]) ** 2 <= radius**2
        found[low[1] : high[1], low[0] : high[0]] |= near
    return found


_MASKS: dict[str, Callable[[np.ndarray, float, int, int], np.ndarray]] = {
    "box": _cells,
    "lasso": _lasso,
    "brush": _brush,
    "cells": _cells,
}
