"""A trace file gives back what was saved, without the model, and any change to it is refused."""

import json
import pickle
import zipfile

import numpy as np
import pytest

from vlmlens.attention import budget, contributions
from vlmlens.errors import TraceError
from vlmlens.trace import open_trace, trace_bytes

MUTATIONS = 250  # of each of four kinds


def refused(source) -> str:
    with pytest.raises(TraceError) as caught:
        open_trace(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.fixture
def data(make_trace):
    return trace_bytes(make_trace())


def split(data):
    """The header of a safetensors file as JSON, and what follows it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def join(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_what_was_saved_comes_back(make_trace, assert_same, tmp_path):
    trace = make_trace(layers=3, heads=2, grid=(3, 2))
    trace.save(tmp_path / "a.trace")
    for source in (tmp_path / "a.trace", str(tmp_path / "a.trace"), trace_bytes(trace)):
        assert_same(open_trace(source), trace)


def test_a_models_trace_comes_back(any_model, scenes, assert_same, use):
    trace = any_model.inspect(scenes[0], "what color is the circle?")
    opened = open_trace(trace_bytes(trace))
    assert_same(opened, trace)
    use(opened)
    for rows in trace.rows:
        for measure in (budget, contributions):
            assert measure(opened, rows).to_frame().equals(measure(trace, rows).to_frame())


def flip(rng, data):
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(changed)


def truncate(rng, data):
    start = rng.integers(len(data)) if rng.random() < 0.2 else 0
    return data[start : rng.integers(len(data))]


def insert(rng, data):
    where = rng.integers(len(data) + 1)
    return data[:where] + rng.bytes(rng.integers(1, 64)) + data[where:]


def edit_header(rng, data):
    """A header of right length and sound JSON that says something else about the same bytes."""
    header, body = split(data)
    names = [name for name in header if name != "__metadata__"]
    name, other = rng.choice(names, 2, replace=False)
    match rng.integers(8):
        case 0:
            header[name]["shape"] = [int(n) for n in rng.permutation([*header[name]["shape"], 1])]
        case 1:
            header[name]["shape"] = [int(rng.integers(-3, 2**40))] * int(rng.integers(0, 5))
        case 2:
            header[name]["dtype"] = str(rng.choice(["F32", "I32", "F16", "BF16", "BOOL", "U8", "I64", "F8_E4M3", "?"]))
        case 3:
            header[name], header[other] = header[other], header[name]
        case 4:
            header[name]["data_offsets"] = rng.integers(0, 2 * len(body), 2).tolist()
        case 5:
            del header[name]
        case 6:
            text = header["__metadata__"]["vlmlens"]
            where = rng.integers(len(text))
            header["__metadata__"]["vlmlens"] = text[:where] + str(rng.integers(10)) + text[where + 1 :]
        case 7:
            header[str(rng.choice(["__metadata__", name]))] = [None, [], {}, "", 7, {"vlmlens": 3}][rng.integers(6)]
    return join(header, body)


@pytest.mark.parametrize("mutate", [flip, truncate, insert, edit_header])
def test_a_changed_file_is_refused_or_says_the_same(mutate, make_trace, data, assert_same):
    rng = np.random.default_rng(0)
    trace, refusals = make_trace(), 0
    for _ in range(MUTATIONS):
        try:
            opened = open_trace(mutate(rng, data))
        except TraceError:
            refusals += 1
        else:
            assert_same(opened, trace)
    assert refusals > 0.8 * MUTATIONS


@pytest.mark.parametrize("depth", [500, 100_000])
@pytest.mark.parametrize("bracket", [b"[]", b'{"a":}'], ids=["lists", "objects"])
def test_a_deeply_nested_header_is_refused(depth, bracket, data):
    opening, closing = bracket[:-1] * depth, bracket[-1:] * depth
    bomb = opening + b"1" + closing
    refused(join(bomb, b""))
    header, body = split(data)
    header["__metadata__"]["vlmlens"] = bomb.decode()
    refused(join(header, body))


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_claims_another_length_is_refused(length, data):
    refused(length.to_bytes(8, "little") + data[8:])


def test_other_files_are_refused(tmp_path, data):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("trace", data)
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    others = (
        (tmp_path / "a.zip").read_bytes(),
        (tmp_path / "a.npz").read_bytes(),
        pickle.dumps({"a": 1}),
        b"",
        b"\0" * 9,
    )
    for content in others:
        (tmp_path / "other").write_bytes(content)
        refused(tmp_path / "other")
        refused(content)


def test_a_pickle_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    refused(pickle.dumps(Evil()))
    assert not (tmp_path / "ran").exists()


def test_paths_without_a_trace_are_refused(tmp_path):
    assert "no trace file" in refused(tmp_path)
    assert "no trace file" in refused(tmp_path / "missing")
    refused("x" * 5000)
    refused("nul\0byte")


def test_a_huge_file_is_refused_by_size(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**30)
    assert "larger" in refused(tmp_path / "huge")


def test_another_format_is_named(data, resign):
    def later(header, _tensors):
        header["format"] = "vlmlens-trace-99"

    assert "vlmlens-trace-99" in refused(resign(data, later))
