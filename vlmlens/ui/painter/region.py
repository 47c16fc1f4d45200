"""A part of a picture that a person marked."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Region:
    """Points in fractions of the picture, so that they outlive a change of its size."""

    kind: Literal["box", "lasso", "brush", "cells"]
    points: tuple[tuple[float, float], ...]  # box: 2 corners; lasso: polygon; brush: path; cells: pairs of corners
    radius: float = 0.0  # brush: in fractions of the shorter side
