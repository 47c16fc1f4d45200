"""What the tests of the trace file share."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from vlmlens.attention import budget, contributions, default_place, hottest_window, image_maps, sinks
from vlmlens.picture import open_picture
from vlmlens.trace import file


@pytest.fixture
def assert_same():
    """Two traces agree in every field, bit by bit, and in what is computed from them."""

    def check(one, other):
        for name in (
            "model",
            "revision",
            "question",
            "picture",
            "picture_hash",
            "tokens",
            "places",
            "answers",
            "text",
            "version",
        ):
            assert getattr(one, name) == getattr(other, name), name
        assert (one.grid.through is None) == (other.grid.through is None)
        assert (one.grid.size, one.grid.shape) == (other.grid.size, other.grid.shape)
        arrays = [
            (one.segments, other.segments),
            (one.peaks, other.peaks),
            (one.grid.boxes, other.grid.boxes),
            (one.grid.positions, other.grid.positions),
            (one.grid.wide_boxes, other.grid.wide_boxes),
            (one.grid.wide_positions, other.grid.wide_positions),
        ]
        if one.grid.through is not None:
            arrays.append((one.grid.through, other.grid.through))
        assert one.rows.keys() == other.rows.keys()
        for rows, record in one.rows.items():
            assert record.positions == other.rows[rows].positions
            for name in ("attention", "visible", "parts", "update"):
                arrays += zip(getattr(record, name), getattr(other.rows[rows], name), strict=True)
        for a, b in arrays:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)

    return check


@pytest.fixture
def use():
    """Everything that a page does with a trace, so that whatever could break on it breaks here."""

    def every(trace):
        for rows, record in trace.rows.items():
            budget(trace, rows).to_frame()
            if record.parts:
                contributions(trace, rows).to_frame()
            trace.attention(rows), trace.cross(rows), trace.visible(rows)
        if "last" in trace.rows:
            trace.to_frame().to_csv()
            for _, maps in zip(*image_maps(trace), strict=True):
                hottest_window(maps[:, 0].mean(axis=0), trace.grid.shape)
            default_place(trace)
        json.dumps(trace.to_dict(), allow_nan=False).encode()
        open_picture(trace.picture).resize(trace.grid.size)
        trace.grid.boxes[np.ones(trace.grid.shape, bool).ravel()]
        trace.grid.covers_all()
        f"{trace.answer} {trace.answers[0].probability:.2f} {sinks(trace)} {trace.layers}".encode()
        file.open_trace(file.trace_bytes(trace))

    return every


@pytest.fixture
def resign(tmp_path):
    """The bytes of a trace file with changes, under a checksum that is right for them.

    resign(data, change) calls change(header, tensors), which may alter both.
    """

    def forge(data, change):
        path = tmp_path / "forged"
        path.write_bytes(data)
        with safe_open(path, "np") as opened:
            header = json.loads(opened.metadata()["vlmlens"])
        tensors = load(data)
        change(header, tensors)
        text = json.dumps(header)
        return save(tensors, {"vlmlens": text, "sha256": file._checksum(text, tensors)})

    return forge
