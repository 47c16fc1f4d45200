"""Which lessons are there? Those that ship, and those of a folder of one's own.

A broken file takes nothing else with it: it is listed with what is wrong with it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from vlmlens.lessons.lesson import LEVELS, Lesson, LessonError
from vlmlens.lessons.parse import read

HOME = Path(__file__).resolve().parents[2] / "assets" / "lessons"
OWN = "VLMLENS_LESSONS"  # names a folder with lessons of one's own


@dataclass(frozen=True)
class Shelf:
    lessons: dict[str, Lesson]  # by name, the easier ones first
    broken: dict[str, str]  # by name: what is wrong


def files() -> list[Path]:
    """Of every lesson; one of one's own takes the place of the shipped one of the same name."""
    folders = [HOME, *([Path(own)] if (own := os.environ.get(OWN)) else [])]
    found = {path.stem: path for folder in folders for path in sorted(folder.glob("*.md"))}
    return list(found.values())


def shelf() -> Shelf:
    """All lessons, read anew where a file has changed."""
    lessons: list[Lesson] = []
    broken: dict[str, str] = {}
    for path in files():
        found = _read(path, path.stat().st_mtime_ns)
        if isinstance(found, Lesson):
            lessons.append(found)
        else:
            broken[path.stem] = found
    lessons.sort(key=lambda lesson: (LEVELS.index(lesson.level), lesson.minutes, lesson.title))
    return Shelf({lesson.name: lesson for lesson in lessons}, broken)


_kept: dict[Path, tuple[int, Lesson | str]] = {}


def _read(path: Path, changed: int) -> Lesson | str:
    kept = _kept.get(path)
    if kept is None or kept[0] != changed:
        where = f"assets/lessons/{path.name}" if path.parent == HOME else path.name
        try:
            kept = changed, read(path, where)
        except LessonError as error:
            kept = changed, str(error)
        _kept[path] = kept
    return kept[1]
