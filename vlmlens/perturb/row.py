"""What a kind of change is: one row with its name, what it needs, and the function that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageColor

from vlmlens.errors import PictureError

Value = int | float | str


@dataclass(frozen=True)
class Option:
    """Something a change can be told beside its strength. A colour is "#rrggbb", or "" for the default in words."""

    name: str
    label: str
    kind: Literal["whole", "number", "choice", "color"]
    default: Value
    low: float = 0
    high: float = 1
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Value:
        """The value as this option takes it. Raises PictureError."""
        if self.kind == "choice":
            if value not in self.choices:
                raise PictureError(f"{self.name} is one of {', '.join(self.choices)}, got {value}.")
            return str(value)
        if self.kind == "color":
            return self._color(value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or (self.kind == "whole" and value != int(value)):
            kind = "a whole number" if self.kind == "whole" else "a number"
            raise PictureError(f"{self.name} is {kind} from {self.low:g} to {self.high:g}, got {value}.")
        return int(value) if self.kind == "whole" else float(value)

    def _color(self, value: Any) -> str:
        try:
            return value and "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(value)[:3])
        except (ValueError, TypeError, AttributeError) as error:
            raise PictureError(f"{self.name} is a colour such as #2060d0 or red, got {value}.") from error


@dataclass(frozen=True, eq=False)
class Given:
    """What a change is given to work on."""

    image: Image.Image  # RGB
    strength: float  # above 0, up to 1
    rng: np.random.Generator
    where: np.ndarray | None  # bool [height, width]: the region
    to: tuple[float, float] | None  # where the region's centre goes, in fractions of the picture
    donor: Image.Image | None  # RGB, of the same size
    options: Mapping[str, Any]

    @property
    def region(self) -> np.ndarray:
        """The region, or all of the picture where none was given: bool [height, width]."""
        return np.ones(self.image.size[::-1], bool) if self.where is None else self.where


@dataclass(frozen=True)
class Perturbation:
    """One kind of change. At strength 0 nothing changes, at 1 the most.

    A change of the whole picture is kept to a region where one is given, unless it reaches `beyond` the region.
    """

    name: str
    label: str
    sentence: str
    group: Literal["region", "whole"]
    change: Callable[[Given], Image.Image]
    needs_region: bool = False
    needs_target: bool = False
    needs_donor: bool = False
    beyond: bool = False  # writes pixels outside the region, too
    strength: float = 0.5  # what a control starts with
    stream: int | None = None  # of chance, its own for every row that draws; None: the seed does not matter
    options: tuple[Option, ...] = ()

    @property
    def random(self) -> bool:
        return self.stream is not None

    def settings(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Every option with its value. Raises PictureError for one that this change does not have."""
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise PictureError(f"{self.name} has no option {name}; {has}.")
        return {name: option.check(given.get(name, option.default)) for name, option in known.items()}
