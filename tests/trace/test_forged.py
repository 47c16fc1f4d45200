"""A file with a checksum that is right but content that makes no sense is refused, or does no harm when used."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vlmlens.errors import TraceError
from vlmlens.picture import encode_png
from vlmlens.trace import open_trace, trace_bytes

NASTY = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    [-1],
    ["x", "x"],
    [1, 2, 3],
    {"last": [0]},
    {"x": [0]},
]


@pytest.fixture
def data(make_trace):
    return trace_bytes(make_trace())


def set_header(name, value):
    return lambda header, tensors: header.update({name: value})


def set_tensor(name, change):
    return lambda header, tensors: tensors.update({name: change(tensors[name])})


def put(index, value):
    def change(array):
        array = array.copy()
        array[index] = value
        return array

    return change


NONSENSE = {
    "no tokens": set_header("tokens", []),
    "tokens in one string": set_header("tokens", "abcdefghijk"),
    "tokens that are numbers": set_header("tokens", list(range(11))),
    "a token that is no text": set_header("tokens", ["\ud800"] * 11),
    "a picture without width": set_header("size", [0, 40]),
    "a picture of negative height": set_header("size", [60, -40]),
    "a size of words": set_header("size", ["60", "40"]),
    "a size of halves": set_header("size", [60.5, 40]),
    "no rows of cells": set_header("shape", [0, 6]),
    "a shape that is not the cells'": set_header("shape", [2, 2]),
    "a shape of negatives": set_header("shape", [-2, -3]),
    "no places": set_header("places", []),
    "a place before the first layer": set_header("places", [[-1, "self", "a", True], [1, "self", "b", True]]),
    "a place of an unknown kind": set_header("places", [[0, "selfish", "a", True], [1, "self", "b", True]]),
    "a place in half a layer": set_header("places", [[0.5, "self", "a", True], [1, "self", "b", True]]),
    "a place that perhaps competes": set_header("places", [[0, "self", "a", "no"], [1, "self", "b", True]]),
    "a place that perhaps has sinks": set_header("places", [[0, "self", "a", True, 1], [1, "self", "b", True, False]]),
    "two places in one": set_header("places", [[0, "self", "a", True], [0, "self", "b", True]]),
    "a place more than recorded": set_header("places", [[i, "self", "a", True] for i in range(3)]),
    "no answers": set_header("answers", []),
    "a probability in words": set_header("answers", [["red", "0.5", 0]]),
    "a probability that is no number": set_header("answers", [["red", float("nan"), 0]]),
    "a probability above one": set_header("answers", [["red", 1.5, 0]]),
    "a negative probability": set_header("answers", [["red", -0.1, 0]]),
    "an answer without its candidate": set_header("answers", [["red", 0.5]]),
    "a candidate that is no number": set_header("answers", [["red", 0.5, "0"]]),
    "an answer that is no text": set_header("answers", [[None, 0.5, 0]]),
    "a less probable answer first": set_header("answers", [["red", 0.2, 0], ["blue", 0.7, 1]]),
    "a question that is a list": set_header("question", ["what"]),
    "rows of an unknown kind": set_header("rows", {"first": [0]}),
    "a negative row": set_header("rows", {"last": [-1]}),
    "a row beyond the readout": set_header("rows", {"last": [12]}),
    "half a row": set_header("rows", {"last": [0.5]}),
    "rows in a string": set_header("rows", {"last": "1"}),
    "rows that were not recorded": set_header("rows", {"last": [10], "question": [9]}),
    "an unknown segment": set_tensor("segments", put(0, 9)),
    "a negative segment": set_tensor("segments", put(0, -1)),
    "segments in fractions": set_tensor("segments", lambda a: a.astype(np.float32)),
    "too few segments": set_tensor("segments", lambda a: a[:-1]),
    "a box without an edge": set_tensor("boxes", put((0, 0), np.nan)),
    "a box without end": set_tensor("boxes", put((0, 2), np.inf)),
    "a box inside out": set_tensor("boxes", lambda a: a[:, [2, 1, 0, 3]]),
    "boxes without bottoms": set_tensor("boxes", lambda a: a[:, :3].copy()),
    "a negative position": set_tensor("positions", put(0, -1)),
    "a position beyond the end": set_tensor("positions", put(0, 11)),
    "a position that is no image token": set_tensor("positions", put(0, 0)),
    "one position twice": set_tensor("positions", put(0, 4)),
    "positions in fractions": set_tensor("positions", lambda a: a.astype(np.float64)),
    "a peak that is no number": set_tensor("peaks", put((0, 0), np.nan)),
    "peaks of other positions": set_tensor("peaks", lambda a: a[:, :-1].copy()),
    "peaks without layers": set_tensor("peaks", lambda a: a.ravel()),
    "no picture": set_tensor("picture", lambda a: a[:0]),
    "a picture cut short": set_tensor("picture", lambda a: a[: len(a) // 2]),
    "a picture that is text": set_tensor("picture", lambda a: np.frombuffer(b"no picture", np.uint8)),
    "a picture of wide numbers": set_tensor("picture", lambda a: a.astype(np.int64) + 256),
    "attention that is no number": set_tensor("last.attention.0", put((0, 0, 0), np.nan)),
    "negative attention": set_tensor("last.attention.0", put((0, 0, 0), -0.5)),
    "more attention than there is": set_tensor("last.attention.0", lambda a: a * 2),
    "attention in whole numbers": set_tensor("last.attention.0", lambda a: a.astype(np.int64)),
    "attention without heads": set_tensor("last.attention.0", lambda a: a[:0]),
    "a head less at one place": set_tensor("last.attention.0", lambda a: a[:-1].copy()),
    "attention of two rows": set_tensor("last.attention.0", lambda a: a.repeat(2, axis=1)),
    "sight that is not yes or no": set_tensor("last.visible.0", lambda a: a.astype(np.uint8)),
    "parts that are no number": set_tensor("last.parts.0", put((0, 0, 0), np.inf)),
    "parts of other segments": set_tensor("last.parts.0", lambda a: a[:, :-1].copy()),
    "parts of another width": set_tensor("last.parts.0", lambda a: a[:, :, :-1].copy()),
    "an update of another width": set_tensor("last.update.0", lambda a: a[:, :-1].copy()),
    "parts in words": set_tensor("last.parts.0", lambda a: a.astype(bool)),
    "an update missing": lambda header, tensors: tensors.pop("last.update.0"),
    "every update missing": lambda header, tensors: [tensors.pop(f"last.update.{i}") for i in range(2)],
    "every part missing": lambda header, tensors: [tensors.pop(f"last.parts.{i}") for i in range(2)],
    "attention missing": lambda header, tensors: tensors.pop("last.attention.1"),
    "a tensor too many": lambda header, tensors: tensors.update(more=np.zeros(3)),
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_refused(change, data, resign):
    with pytest.raises(TraceError):
        open_trace(resign(data, change))


def survives(forged, use) -> bool:
    """Whether the file opens; if it does, whatever is done with it must work."""
    try:
        trace = open_trace(forged)
    except TraceError:
        return False
    use(trace)
    return True


@pytest.mark.filterwarnings("error")
def test_any_value_of_any_field_is_refused_or_harmless(data, resign, use):
    header = {}
    resign(data, lambda found, _: header.update(found))
    survivors = [
        (name, value) for name in header for value in NASTY if survives(resign(data, set_header(name, value)), use)
    ]
    free = {"model", "revision", "version", "question", "picture_hash", "text"}  # any text may stand in these
    survivors.remove(("rows", {"last": [0]}))  # the same record, said to be of another row
    assert {name for name, _ in survivors} <= free
    assert all(isinstance(value, str) for _, value in survivors)


@pytest.mark.filterwarnings("error")
def test_any_value_of_any_array_is_refused_or_harmless(data, resign, use):
    tensors = {}
    resign(data, lambda _, found: tensors.update(found))
    rng = np.random.default_rng(0)
    values = [np.nan, np.inf, -1, 0, 1, 2, 1e30, -128, 127, 1e-42]
    survivors = 0
    for name, array in tensors.items():
        for value in values:
            with np.errstate(invalid="ignore"):
                number = np.array(value).astype(array.dtype)
            one = tuple(int(rng.integers(n)) for n in array.shape)
            for where in (one, ...):
                survivors += survives(resign(data, set_tensor(name, put(where, number))), use)
        for dtype in (bool, np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64):
            survivors += survives(resign(data, set_tensor(name, lambda a, d=dtype: a.astype(d))), use)
        for shape in ((0,), (1,), (-1,), (1, -1), (-1, 1), (1, 1, -1)):
            changed = np.zeros(shape, array.dtype) if -1 not in shape else array.reshape(shape)
            survivors += survives(resign(data, set_tensor(name, lambda _, c=changed: c)), use)
    assert survivors  # the same dtype again, if nothing else


def test_odd_but_true_traces_are_kept(make_trace, use, assert_same):
    """What an edited or partly watched pass really gives: rows that see nothing, no contributions, no rows at all."""
    trace = make_trace()
    record = trace.rows["last"]
    blind = replace(
        record, attention=tuple(0 * a for a in record.attention), visible=tuple(v & False for v in record.visible)
    )
    lean = replace(record, parts=(), update=())
    from PIL import Image

    for odd in (
        replace(trace, rows={"last": blind}),
        replace(trace, rows={"last": lean}),
        replace(trace, rows={}),
        replace(trace, picture=encode_png(Image.new("RGB", (1, 1)))),
        replace(trace, question="¿“”\n\t\0\U0001f600", text=""),
    ):
        opened = open_trace(trace_bytes(odd))
        assert_same(opened, odd)
        use(opened)


def test_the_forger_of_these_tests_can_write_a_true_file(data, resign, use, make_trace, assert_same):
    forged = resign(data, lambda header, tensors: json.dumps(header))
    assert_same(open_trace(forged), make_trace())
    use(open_trace(forged))
