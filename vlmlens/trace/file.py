"""The trace file: one safetensors file, its JSON header in the metadata, a checksum over both.

Opening executes nothing and trusts nothing: every field is checked, and any change to the file is refused.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vlmlens.errors import PictureError, TraceError
from vlmlens.picture import open_picture
from vlmlens.trace.segments import Grid, Segment, no_boxes, no_positions
from vlmlens.trace.trace import Answer, Place, RowRecord, Step, Trace
from vlmlens.trace.watch import ROWS

FORMAT = "vlmlens-trace-1"
MOST_BYTES = 512 * 1024 * 1024
FIELDS = ("attention", "visible", "parts", "update")  # of a RowRecord
TEXTS = ("model", "revision", "version", "question", "picture_hash", "text")  # of a header
REFUSAL = "This is not a trace file that vlmlens wrote, or it was changed since; save the trace again."


def trace_bytes(trace: Trace) -> bytes:
    """The file's content."""
    header = {
        "format": FORMAT,
        "model": trace.model,
        "revision": trace.revision,
        "version": trace.version,
        "question": trace.question,
        "picture_hash": trace.picture_hash,
        "tokens": list(trace.tokens),
        "size": list(trace.grid.size),
        "shape": list(trace.grid.shape),
        "places": [[p.layer, p.kind, p.label, p.competes, p.sinks] for p in trace.places],
        "answers": _written(trace.answers),
        "text": trace.text,
        "rows": {name: list(record.positions) for name, record in trace.rows.items()},
    }
    if trace.steps:
        header["steps"] = [[*_written([step.token]), _written(step.ranked)] for step in trace.steps]
    tensors: dict[str, np.ndarray] = {
        "picture": np.frombuffer(trace.picture, np.uint8),
        "segments": trace.segments.astype(np.int8),
        "boxes": trace.grid.boxes.astype(np.float32),
        "positions": trace.grid.positions.astype(np.int64),
        "peaks": trace.peaks.astype(np.float32),
    }
    if trace.grid.wide:
        tensors["wide_boxes"] = trace.grid.wide_boxes.astype(np.float32)
        tensors["wide_positions"] = trace.grid.wide_positions.astype(np.int64)
    if trace.grid.through is not None:
        tensors["through"] = trace.grid.through.astype(np.float32)
    for name, record in trace.rows.items():
        for field in FIELDS:
            for place, array in enumerate(getattr(record, field)):
                tensors[f"{name}.{field}.{place}"] = np.ascontiguousarray(array)
    text = json.dumps(header, sort_keys=True)
    return save(tensors, {"vlmlens": text, "sha256": _checksum(text, tensors)})


def _written(answers: Sequence[Answer]) -> list[list[Any]]:
    return [[answer.text, answer.probability, answer.candidate] for answer in answers]


def save_trace(trace: Trace, path: str | Path) -> None:
    Path(path).write_bytes(trace_bytes(trace))


def open_trace(source: str | Path | bytes) -> Trace:
    """The trace in a file or in its bytes. Raises TraceError for anything that `save_trace` did not write."""
    if isinstance(source, bytes):
        data = source
    else:
        path = Path(source)
        try:
            if not path.is_file():
                raise TraceError(f"There is no trace file at {path}.")
            if path.stat().st_size > MOST_BYTES:
                raise TraceError(f"{path.name} is larger than {MOST_BYTES >> 20} MB; no trace is.")
            data = path.read_bytes()
        except OSError as error:
            raise TraceError(f"{path} cannot be read ({error.strerror}); check its path and permissions.") from error
    try:
        text, checksum = _metadata(data)
        tensors = load(data)
        if _checksum(text, tensors) != checksum:
            raise TraceError(REFUSAL)
        return _build(json.loads(text), tensors)
    except TraceError:
        raise
    # A file from elsewhere can break any of these steps in any of these ways; all mean the same to the reader.
    except (
        SafetensorError,
        PictureError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:
        raise TraceError(REFUSAL) from error


def _metadata(data: bytes) -> tuple[str, str]:
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= min(len(data) - 8, 100_000_000):
        raise TraceError(REFUSAL)
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata["vlmlens"], metadata["sha256"]


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _build(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Trace:
    """The trace, every field of it checked."""
    if header["format"] != FORMAT:
        raise TraceError(f"This trace file has the format {header['format']!r}; this version reads {FORMAT}.")
    json.dumps(header, ensure_ascii=False).encode()  # refuses half characters, which no table can hold
    _check(all(isinstance(header[name], str) for name in TEXTS))
    tokens, places = header["tokens"], tuple(Place(*place) for place in header["places"])
    length = len(tokens)
    segments, boxes, positions, peaks = (
        _take(tensors, name, dtype)
        for name, dtype in (("segments", "i1"), ("boxes", "f4"), ("positions", "i8"), ("peaks", "f4"))
    )
    wide_boxes, wide_positions = no_boxes(), no_positions()
    if "wide_positions" in tensors:
        wide_boxes, wide_positions = _take(tensors, "wide_boxes", "f4"), _take(tensors, "wide_positions", "i8")
    through = _take(tensors, "through", "f4") if "through" in tensors else None
    _check(isinstance(tokens, list) and length > 0 and all(isinstance(token, str) for token in tokens))
    _check(segments.shape == (length,) and set(segments.tolist()) <= {int(s) for s in Segment})
    _check(all(_is_whole(n, 1) for n in header["size"]) and all(_is_whole(n) for n in header["shape"]))
    grid = Grid(boxes, positions, tuple(header["size"]), tuple(header["shape"]), wide_boxes, wide_positions, through)
    _check(len(grid.size) == len(grid.shape) == 2 and grid.shape[0] * grid.shape[1] == len(positions))
    for some, where in ((boxes, positions), (wide_boxes, wide_positions)):
        _check(some.shape == (len(where), 4) and bool((some[:, :2] < some[:, 2:]).all()))
    if through is not None:
        _check(grid.wide and through.shape == (len(wide_positions), len(positions)))
        _check(bool((through >= 0).all() and (np.abs(through.sum(axis=1) - 1) < 1e-3).all()))
    _check(set(grid.placed.tolist()) <= set(np.flatnonzero(segments == Segment.IMAGE).tolist()))
    _check(len(set(grid.placed.tolist())) == len(grid.placed))
    _check(peaks.ndim == 2 and peaks.shape[1] == length and bool((peaks >= 0).all()))
    _check(0 < len(places) == len({(place.layer, place.kind) for place in places}))
    for place in places:
        _check(_is_whole(place.layer) and isinstance(place.label, str) and isinstance(place.competes, bool))
        _check(isinstance(place.sinks, bool))
        _check(place.kind in ("self", "cross", "readout"))
    answers = _answers(header["answers"])
    steps = tuple(Step(_answers([token])[0], _answers(ranked)) for token, ranked in header.get("steps", ()))
    said = int((segments == Segment.ANSWER).sum())
    _check(len(steps) in (0, said))
    picture = _take(tensors, "picture", "u1").tobytes()
    open_picture(picture)
    _check(set(header["rows"]) <= set(ROWS))
    rows = {name: _record(name, found, length, len(places), tensors) for name, found in header["rows"].items()}
    _check(not tensors)  # nothing is left over
    _check("answer" not in rows or len(rows["answer"].positions) == said)
    return Trace(
        **{name: header[name] for name in TEXTS},
        picture=picture,
        tokens=tuple(tokens),
        segments=segments,
        grid=grid,
        places=places,
        answers=answers,
        rows=rows,
        peaks=peaks,
        steps=steps,
    )


def _answers(found: Any) -> tuple[Answer, ...]:
    """Ranked answers out of a header."""
    answers = tuple(Answer(*answer) for answer in found)
    _check(len(answers) > 0 and all(isinstance(a.text, str) and isinstance(a.probability, float) for a in answers))
    _check(all(_is_whole(a.candidate) for a in answers))
    chances = np.array([1.0, *(a.probability for a in answers), 0.0])
    _check(bool((np.diff(chances) <= 1e-6).all()))
    return answers


def _record(name: str, positions: Any, length: int, places: int, tensors: dict[str, np.ndarray]) -> RowRecord:
    """The record of some rows, its arrays taken out of `tensors`."""
    _check(isinstance(positions, list) and 0 < len(positions) == len(set(positions)))
    _check(all(_is_whole(position) and position <= length for position in positions))
    with_parts = f"{name}.parts.0" in tensors
    arrays = {
        field: tuple(_take(tensors, f"{name}.{field}.{i}", "?" if field == "visible" else "f4") for i in range(places))
        for field in (FIELDS if with_parts else FIELDS[:2])
    }
    record = RowRecord(tuple(positions), **arrays)
    heads, rows = len(record.attention[0]), len(positions)
    for attention, visible in zip(record.attention, record.visible, strict=True):
        _check(heads > 0 and attention.shape == (heads, rows, length) and visible.shape == (rows, length))
        _check(bool((attention >= 0).all() and (attention.sum(axis=-1) < 1.01).all()))
    if all(parts.shape[1:2] == (Segment.LATENT,) for parts in record.parts):  # written before there were latents
        record = replace(record, parts=tuple(np.pad(parts, ((0, 0), (0, 1), (0, 0))) for parts in record.parts))
    for parts, update in zip(record.parts, record.update, strict=True):
        _check(parts.shape == (rows, len(Segment), update.shape[-1]) and update.shape == parts[:, 0].shape)
    return record


def _take(tensors: dict[str, np.ndarray], name: str, dtype: str) -> np.ndarray:
    """An array of the right kind, all numbers finite, out of those not yet read."""
    array = tensors.pop(name)
    _check(array.dtype == np.dtype(dtype) and bool(np.isfinite(array).all()))
    return array


def _is_whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value < 2**31


def _check(sound: bool) -> None:
    if not sound:
        raise TraceError(REFUSAL)
