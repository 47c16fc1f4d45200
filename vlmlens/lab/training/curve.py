"""A run's curve on disk: one line of JSON a step, appended; what a killed process left torn is cut off."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmlens.lab.training.checkpoint import CheckpointError, write
from vlmlens.lab.training.loop import Point
from vlmlens.lab.training.watch import Measured


@dataclass(frozen=True)
class Curve:
    """The points of one run, by step."""

    points: tuple[Point, ...] = ()

    @property
    def measured(self) -> tuple[tuple[int, Measured], ...]:
        """Steps at which more was measured, and what."""
        return tuple((point.step, point.measured) for point in self.points if point.measured is not None)

    @property
    def last(self) -> Point | None:
        return self.points[-1] if self.points else None

    def smooth(self, over: int = 20) -> tuple[tuple[int, float], ...]:
        """Step and mean loss of up to `over` steps before it, itself included; nats."""
        found, total = [], 0.0
        for i, point in enumerate(self.points):
            total += point.loss - (self.points[i - over].loss if i >= over else 0.0)
            found.append((point.step, total / min(i + 1, over)))
        return tuple(found)


def read(path: Path) -> Curve:
    """The curve as far as it can be read; the first line that is torn or out of order ends it."""
    points: list[Point] = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return Curve()
    for line in lines:
        try:
            point = _point(json.loads(line))
        except (ValueError, KeyError, TypeError):
            break
        if point.step != len(points) + 1:
            break
        points.append(point)
    return Curve(tuple(points))


def cut(path: Path, step: int) -> Curve:
    """Forget what came after `step`: the steps that will be made again. Raises CheckpointError where that fails."""
    kept = Curve(read(path).points[:step])
    write(path, b"".join(_lines(kept.points)))
    return kept


class Pen:
    """Appends points. A reader sees each as soon as it is written; `settle` puts them on the disk for good."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab")  # noqa: SIM115

    def add(self, point: Point) -> None:
        """Raises CheckpointError where the disk is full."""
        try:
            self._file.write(next(_lines([point])))
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error

    def settle(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # what could not be flushed
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"The curve could not be written to {self.path.parent}: {error.strerror or error}. What was saved before "
            "is intact; make room and resume."
        )


def _lines(points: Iterable[Point]) -> Iterator[bytes]:
    for point in points:
        told: dict[str, Any] = {"step": point.step, "loss": point.loss, "seconds": round(point.seconds, 3)}
        if point.added:
            told["added"] = point.added
        if point.measured is not None:
            told["measured"] = point.measured.to_dict()
        yield json.dumps(told).encode() + b"\n"


def _point(data: dict[str, Any]) -> Point:
    measured = data.get("measured")
    return Point(
        int(data["step"]),
        float(data["loss"]),
        float(data["seconds"]),
        float(data.get("added", 0.0)),
        None if measured is None else Measured.from_dict(measured),
    )
