"""What is a figure of a lesson? Parameters in, a live run through the library, a chart and named numbers out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmlens.charts import Figure
from vlmlens.errors import UserError
from vlmlens.models import VLM
from vlmlens.progress import Progress

Settings = Mapping[str, str | float]
Load = Callable[[str], VLM]


class FigureError(UserError):
    """A figure cannot be run with these parameters."""


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    name: str
    label: str
    options: tuple[str, ...]
    default: str

    def read(self, text: str) -> str:
        """Raises FigureError."""
        if text not in self.options:
            raise FigureError(f"{self.name}: there is no “{text}”; there are: {', '.join(self.options)}.")
        return text


@dataclass(frozen=True)
class Amount:
    """A number between two ends."""

    name: str
    label: str
    low: float
    high: float
    step: float
    default: float

    def read(self, text: str) -> float:
        """Raises FigureError."""
        try:
            value = float(text)
        except ValueError:
            raise FigureError(f"{self.name}: “{text}” is no number.") from None
        if not self.low <= value <= self.high:
            raise FigureError(f"{self.name}: a number from {self.low:g} to {self.high:g} is needed, got {value:g}.")
        return value


Parameter = Choice | Amount


@dataclass(frozen=True)
class Drawing:
    """A picture, PNG, with what it shows in words."""

    png: bytes
    told: str


@dataclass(frozen=True)
class Shown:
    """What a run found. `numbers` has every number that the figure declares, NaN for one that cannot be told."""

    sentence: str  # with its numbers and their doubt
    numbers: Mapping[str, float | str]
    chart: Figure | None = None
    drawing: Drawing | None = None
    table: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class LessonFigure:
    """One row of the registry."""

    name: str
    told: str  # what it shows
    parameters: tuple[Parameter, ...]
    numbers: Mapping[str, str]  # name, what it is and its unit
    help: str  # Markdown: definition, paper, what it cannot tell
    work: Callable[[Settings, Load, Progress], Shown] = field(repr=False)
    models: Callable[[Settings], tuple[str, ...]] = field(default=lambda settings: (), repr=False)  # that it asks

    def settings(self, given: Mapping[str, str]) -> dict[str, str | float]:
        """All parameters, those not given by their defaults. Raises FigureError for what there is not."""
        known = {parameter.name: parameter for parameter in self.parameters}
        if unknown := [name for name in given if name not in known]:
            has = ", ".join(known) or "none"
            raise FigureError(f"figure “{self.name}” has no parameter “{unknown[0]}”; there are: {has}.")
        return {
            name: parameter.read(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def run(self, settings: Settings, load: Load, progress: Progress | None = None) -> Shown:
        """Raises what the library raises, and Cancelled."""
        return self.work(settings, load, progress or Progress())
