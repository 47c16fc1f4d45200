"""The trace file: one safetensors file, its JSON header in the metadata, a checksum over both.

Opening executes nothing and trusts nothing: every field is checked, and any change to the file is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vlmlens.errors import TraceError
from vlmlens.trace.segments import Grid, Segment
from vlmlens.trace.trace import Answer, Place, RowRecord, Trace
from vlmlens.trace.watch import ROWS

FORMAT = "vlmlens-trace-1"
MOST_BYTES = 512 * 1024 * 1024
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
        "places": [[p.layer, p.kind, p.label, p.competes] for p in trace.places],
        "answers": [[a.text, a.probability] for a in trace.answers],
        "text": trace.text,
        "rows": {name: list(record.positions) for name, record in trace.rows.items()},
    }
    tensors: dict[str, np.ndarray] = {
        "picture": np.frombuffer(trace.picture, np.uint8),
        "segments": trace.segments.astype(np.int8),
        "boxes": trace.grid.boxes.astype(np.float32),
        "positions": trace.grid.positions.astype(np.int64),
        "peaks": trace.peaks.astype(np.float32),
    }
    for name, record in trace.rows.items():
        for field in ("attention", "visible", "parts", "update"):
            for place, array in enumerate(getattr(record, field)):
                tensors[f"{name}.{field}.{place}"] = np.ascontiguousarray(array)
    text = json.dumps(header, sort_keys=True)
    return save(tensors, {"vlmlens": text, "sha256": _checksum(text, tensors)})


def save_trace(trace: Trace, path: str | Path) -> None:
    Path(path).write_bytes(trace_bytes(trace))


def open_trace(source: str | Path | bytes) -> Trace:
    """The trace in a file or in its bytes. Raises TraceError for anything that `save_trace` did not write."""
    if isinstance(source, bytes):
        data = source
    else:
        path = Path(source)
        if not path.is_file():
            raise TraceError(f"There is no trace file at {path}.")
        if path.stat().st_size > MOST_BYTES:
            raise TraceError(f"{path.name} is larger than {MOST_BYTES >> 20} MB; no trace is.")
        data = path.read_bytes()
    try:
        text, checksum = _metadata(data)
        tensors = load(data)
        if _checksum(text, tensors) != checksum:
            raise TraceError(REFUSAL)
        return _build(json.loads(text), tensors)
    except TraceError:
        raise
    # A file from elsewhere can break any of these steps in any of these ways; all mean the same to the reader.
    except (SafetensorError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
            RecursionError, MemoryError) as error:  # fmt: skip
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


def _build(header: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> Trace:
    if header["format"] != FORMAT:
        raise TraceError(f"This trace file has the format {header['format']!r}; this version reads {FORMAT}.")
    tokens = tuple(map(str, header["tokens"]))
    length = len(tokens)
    places = tuple(Place(int(la), k, str(label), bool(c)) for la, k, label, c in header["places"])
    grid = Grid(tensors["boxes"], tensors["positions"], tuple(header["size"]), tuple(header["shape"]))
    segments = tensors["segments"]
    sound = (
        segments.shape == (length,)
        and set(segments.tolist()) <= {int(s) for s in Segment}
        and grid.boxes.shape == (len(grid.positions), 4)
        and all(0 <= p < length for p in grid.positions.tolist())
        and tensors["peaks"].shape[1:] == (length,)
        and len(grid.size) == len(grid.shape) == 2
        and all(place.kind in ("self", "cross", "readout") for place in places)
        and bool(header["answers"])
        and set(header["rows"]) <= set(ROWS)
    )
    if not sound:
        raise TraceError(REFUSAL)
    records = {}
    for name, positions in header["rows"].items():
        arrays: dict[str, tuple[np.ndarray, ...]] = {}
        for field in ("attention", "visible", "parts", "update"):
            found = [tensors.get(f"{name}.{field}.{place}") for place in range(len(places))]
            present = [array for array in found if array is not None]
            if len(present) not in (0, len(places)) or (field in ("attention", "visible") and not present):
                raise TraceError(REFUSAL)
            arrays[field] = tuple(present)
        rows = len(positions)
        fits = (
            all(a.ndim == 3 and a.shape[1:] == (rows, length) for a in arrays["attention"])
            and all(a.shape == (rows, length) and a.dtype == bool for a in arrays["visible"])
            and all(a.ndim == 3 and a.shape[:2] == (rows, len(Segment)) for a in arrays["parts"])
            and all(a.ndim == 2 and a.shape[0] == rows for a in arrays["update"])
            and all(np.isfinite(a).all() for field in ("attention", "parts", "update") for a in arrays[field])
        )
        if not fits:
            raise TraceError(REFUSAL)
        records[name] = RowRecord(tuple(map(int, positions)), **arrays)
    return Trace(
        model=str(header["model"]),
        revision=str(header["revision"]),
        question=str(header["question"]),
        picture=tensors["picture"].astype(np.uint8).tobytes(),
        picture_hash=str(header["picture_hash"]),
        tokens=tokens,
        segments=segments,
        grid=grid,
        places=places,
        answers=tuple(Answer(str(text), float(p)) for text, p in header["answers"]),
        text=str(header["text"]),
        rows=records,
        peaks=tensors["peaks"],
        version=str(header["version"]),
    )
