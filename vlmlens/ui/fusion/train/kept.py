"""What the disk holds of runs, read again only when it has changed."""

from functools import lru_cache
from pathlib import Path

from vlmlens.lab.runs import Run
from vlmlens.lab.training.curve import Curve, read
from vlmlens.lab.training.loop import Point
from vlmlens.ui.fusion.train import work


def curve(run: Run) -> Curve:
    path = run.folder / "curve.jsonl"
    try:
        found = path.stat()
    except OSError:
        return Curve()
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(64)
def _read(path: Path, _changed: int, _size: int) -> Curve:
    return read(path)


def points(run: Run) -> list[Point]:
    """Of a run in training those in memory, else those on the disk."""
    mine = work.find(run.name)
    return list(mine.points) if mine is not None and mine.going else list(curve(run).points)
