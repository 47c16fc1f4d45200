"""A folder of pictures with its questions in a CSV or JSONL file, read into a probe set.

Columns: `picture` (a path inside the folder), `question`, `answer`; if wanted `options` (separated by |, in JSONL a
list) and `region` (left top right bottom in fractions of the picture; several boxes separated by ;).
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vlmlens.diagnostics.probe import ProbeError, ProbeSet, Region
from vlmlens.errors import PictureError
from vlmlens.picture import open_picture

COLUMNS = ("picture", "question", "answer")
NAMES = ("probe.csv", "probe.jsonl", "questions.csv", "questions.jsonl")
MOST_LINES = 100_000
MOST_OPTIONS = 64


def read_probe(path: str | Path) -> ProbeSet:
    """The probe set in a CSV or JSONL file, or in a folder that holds one.

    Raises:
        ProbeError: no such file, a column is missing, a line is wrong, or a picture lies outside the folder or cannot
            be read. The message names the file and the line.
    """
    file = _file(Path(path).expanduser())
    folder = file.parent.resolve()
    pictures: dict[Path, int] = {}
    questions: dict[str, int] = {}
    asked: set[tuple[int, int]] = set()
    answers: dict[tuple[int, int], str] = {}
    regions: dict[tuple[int, int], Region] = {}
    given: dict[int, list[str]] = defaultdict(list)  # options that the file names
    seen: dict[int, list[str]] = defaultdict(list)  # true answers to the question
    for where, line in _lines(file):
        picture = _inside(folder, _text(line, "picture", where), where)
        question = _text(line, "question", where)
        pair = (pictures.setdefault(picture, len(pictures)), questions.setdefault(question, len(questions)))
        if pair in asked:
            raise ProbeError(f"{where}: this picture was asked “{question[:60]}” already; leave one of the lines out.")
        asked.add(pair)
        if answer := str(line.get("answer") or "").strip().lower():
            answers[pair] = answer
            seen[pair[1]].append(answer)
        given[pair[1]] += _options(line.get("options"), where)
        if region := _region(line.get("region"), where):
            regions[pair] = region
    if not asked:
        raise ProbeError(f"“{file.name}” holds no questions; write one a line.")
    options = [tuple(dict.fromkeys([*given[q], *seen[q]])) for q in range(len(questions))]
    if short := [text for text, q in questions.items() if len(options[q]) < 2]:
        raise ProbeError(
            f"“{file.name}”: “{short[0][:60]}” has fewer than two possible answers; name them in a column options, "
            "separated by |."
        )
    if large := [text for text, q in questions.items() if len(options[q]) > MOST_OPTIONS]:
        raise ProbeError(
            f"“{file.name}”: “{large[0][:60]}” has more than {MOST_OPTIONS} options; ask closed questions."
        )
    table = np.zeros((len(pictures), len(questions)), bool)
    table[tuple(np.array(sorted(asked)).T)] = True
    return ProbeSet(
        pictures=tuple(pictures),
        questions=tuple(questions),
        options=tuple(options),
        asked=table,
        answers=answers,
        regions=regions,
        ensemble=f"{len(asked)} questions about {len(pictures)} pictures of “{file.name}”",
    )


def _file(path: Path) -> Path:
    if path.is_dir():
        found = [path / name for name in NAMES if (path / name).is_file()]
        if not found:
            raise ProbeError(f"The folder “{path}” holds none of {', '.join(NAMES)}; name the file with the questions.")
        return found[0]
    if not path.is_file():
        raise ProbeError(f"There is no file “{path}”; name a CSV or JSONL file, or the folder it lies in.")
    return path


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each line stands, in words, and what it holds."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"“{file.name}” cannot be read as UTF-8 text; save it anew as CSV or JSONL.") from error
    lines = _json_lines if file.suffix.lower() in (".jsonl", ".ndjson", ".json") else _csv_lines
    for count, found in enumerate(lines(file.name, text)):
        if count >= MOST_LINES:
            raise ProbeError(f"“{file.name}” has more than {MOST_LINES} questions; take a sample of them.")
        yield found


def _csv_lines(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        names = [str(column).strip().lower() for column in reader.fieldnames or ()]
        reader.fieldnames = names
        _has_columns(name, names)
        for line in reader:
            where = f"“{name}”, line {reader.line_num}"
            if None in line or None in line.values():
                raise ProbeError(f"{where} does not have {len(names)} columns as the first line has; quote commas.")
            yield where, line
    except csv.Error as error:
        raise ProbeError(
            f"“{name}”, line {reader.line_num}, is not CSV ({error}); quote texts that hold quotes."
        ) from error


def _json_lines(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        where = f"“{name}”, line {number}"
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ProbeError(f"{where}, is not JSON; write one object a line.") from error
        if not isinstance(found, dict):
            raise ProbeError(f"{where}, is no JSON object; write {{…}} with {', '.join(COLUMNS)}.")
        _has_columns(where, list(found))
        yield where, found


def _has_columns(name: str, columns: list[str]) -> None:
    if missing := [column for column in COLUMNS if column not in columns]:
        raise ProbeError(f"{name if '“' in name else f'“{name}”'} has no {' and no '.join(missing)}; add it.")


def _text(line: dict[str, Any], column: str, where: str) -> str:
    value = line.get(column)
    if not isinstance(value, str) or not value.strip():
        raise ProbeError(f"{where} has an empty {column}; fill it in or leave the line out.")
    return value.strip()


def _inside(folder: Path, name: str, where: str) -> Path:
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder) and not Path(name).is_absolute()
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, or links in a circle
        raise ProbeError(f"{where}: “{name[:60]!s}” is no path of a picture.") from error
    if not inside:
        raise ProbeError(
            f"{where}: “{name[:60]}” lies outside the folder; put the picture inside and name it from there."
        )
    try:
        open_picture(path)
    except PictureError as error:
        raise ProbeError(f"{where}: {error}") from error
    return path


def _options(value: Any, where: str) -> list[str]:
    if value in (None, ""):
        return []
    found = value.split("|") if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(option, str | int | float) for option in found):
        raise ProbeError(f"{where}: options are texts separated by |, in JSONL a list of texts.")
    return [text for option in found if (text := str(option).strip().lower())]


def _region(value: Any, where: str) -> Region | None:
    if value in (None, "", []):
        return None
    try:
        rows = (
            [box.replace(",", " ").split() for box in value.split(";") if box.strip()]
            if isinstance(value, str)
            else value
        )
        rows = [rows] if rows and not isinstance(rows[0], list) else rows
        boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in rows)
    except (TypeError, ValueError, IndexError) as error:
        raise ProbeError(f"{where}: a region is left top right bottom in fractions, as in 0.1 0.2 0.5 0.6.") from error
    if not boxes or any(not (0 <= a < c <= 1 and 0 <= b < d <= 1) for a, b, c, d in boxes):
        raise ProbeError(f"{where}: a region lies inside the picture, 0 to 1, with left < right and top < bottom.")
    return boxes
