"""Scenes: what may stand on a board, changing it, and reading it back from text that anyone may have written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import PictureError
from vlmlens.lab.draw import render
from vlmlens.lab.questions import suggestions
from vlmlens.lab.scenes import SPLITS, Scene, Thing, split_of

RED = Thing(4, "red", "circle", "large")
BLUE = Thing(0, "blue", "star", "small", dx=1, dy=-1)
TWO = Scene((RED, BLUE), 7)


def refused(make) -> str:
    with pytest.raises(PictureError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cell", 9), ("cell", -1), ("cell", 1.0), ("cell", True), ("cell", "4"), ("cell", None), ("color", "pink"),
     ("color", ""), ("color", None), ("color", ["red"]), ("shape", "hexagon"), ("size", "huge"), ("dx", 2),
     ("dx", 0.0), ("dy", False), ("dy", "0"), ("dy", -2)],
)  # fmt: skip
def test_a_thing_of_impossible_looks_is_refused_by_name(field, value):
    looks = {"cell": 4, "color": "red", "shape": "circle", "size": "large", "dx": 0, "dy": 0}
    assert field in refused(lambda: Thing(**looks | {field: value}))


def test_a_board_holds_five_things_each_on_its_own_cell():
    things = [Thing(cell, "red", "circle", "large") for cell in range(6)]
    Scene(tuple(things[:5]))
    assert "at most 5" in refused(lambda: Scene(tuple(things)))
    assert "one cell" in refused(lambda: Scene((RED, RED)))


@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "1", 2**63])
def test_noise_has_a_whole_seed(seed):
    assert "noise_seed" in refused(lambda: Scene((RED,), seed))


def test_changing_one_thing_leaves_the_rest():
    changed = TWO.edit(4, color="green", size="small")
    assert changed.at(4) == Thing(4, "green", "circle", "small")
    assert changed.at(0) == BLUE
    assert changed.noise_seed == TWO.noise_seed
    assert TWO.at(4) == RED
    assert TWO.edit(4, cell=8).at(8).color == "red"
    assert TWO.edit(4, cell=8).at(4) is None
    assert TWO.edit(4) == TWO


def test_changes_that_cannot_be_are_refused():
    assert "cell 5" in refused(lambda: TWO.edit(5, color="red"))
    refused(lambda: TWO.edit(4, color="pink"))
    refused(lambda: TWO.edit(4, cell=0))


def test_taking_away_and_putting_back():
    assert TWO.without(4).things == (BLUE,)
    assert TWO.without(8) == TWO
    assert TWO.without(4).add(RED).arrangement() == TWO.arrangement()
    assert TWO.add(Thing(4, "black", "square", "small")).at(4).color == "black"
    full = Scene(tuple(Thing(cell, "red", "circle", "large") for cell in range(5)))
    refused(lambda: full.add(Thing(8, "red", "circle", "large")))


def test_json_gives_the_scene_back(any_scene):
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(any_scene)
    def check(scene):
        assert Scene.from_json(scene.to_json()) == scene
        assert Scene.from_dict(scene.to_dict()) == scene
        assert "\n" not in scene.to_json()

    check()


def test_the_arrangement_forgets_order_jitter_and_noise():
    same = Scene((Thing(0, "blue", "star", "small"), Thing(4, "red", "circle", "large", 1, 1)), 99)
    assert same.arrangement() == TWO.arrangement()
    assert split_of(same) == split_of(TWO)


HOSTILE = [
    "", "null", "3", "[]", "{", '"scene"', "{}", '{"things": null}', '{"things": 3}', '{"things": "abc"}',
    '{"things": {"a": 1}}', '{"things": [null]}', '{"things": [[]]}', '{"things": [{}]}', '{"things": [{"cell": 4}]}',
    '{"things": [{"cell": 4, "color": "red", "shape": "circle", "size": "large", "more": 1}]}',
    '{"things": [{"cell": 4.0, "color": "red", "shape": "circle", "size": "large"}]}',
    '{"things": [{"cell": true, "color": "red", "shape": "circle", "size": "large"}]}',
    '{"things": [{"cell": 1e400, "color": "red", "shape": "circle", "size": "large"}]}',
    '{"things": [{"cell": {}, "color": "red", "shape": "circle", "size": "large"}]}',
    '{"things": [{"cell": 4, "color": {}, "shape": [], "size": "large"}]}',
    '{"things": [], "noise_seed": -1}', '{"things": [], "noise_seed": 1e400}', '{"things": [], "noise_seed": NaN}',
    '{"things": [], "noise_seed": null}', '{"things": [], "noise_seed": []}', '{"things": [], "noise_seed": "x"}',
    '{"things": [], "noise_seed": 99999999999999999999999999}', '{"things": [], "noise_seed": ' + "9" * 5000 + "}",
    '{"things": [], "noise_seed": 1.5}', "[" * 100_000, '{"things": ' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"things": [{"cell": 4, "color": "' + "x" * 10_000 + '", "shape": "star", "size": "large"}]}', "\ud800", "\0",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:60].encode(errors="replace").decode())
def test_text_that_is_no_scene_is_refused(text):
    message = refused(lambda: Scene.from_json(text))
    assert len(message) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["cell", "color", "dx", "noise_seed", "things"]), JSON))
def test_any_value_is_refused_or_makes_a_scene_that_can_be_drawn(changes):
    thing = {"cell": 4, "color": "red", "shape": "circle", "size": "large"}
    thing |= {name: value for name, value in changes.items() if name in ("cell", "color", "dx")}
    data = {"things": [thing]} | {name: value for name, value in changes.items() if name in ("things", "noise_seed")}
    try:
        scene = Scene.from_json(json.dumps(data))
    except PictureError:
        return
    assert Scene.from_json(scene.to_json()) == scene
    assert render(scene).size == (48, 48)
    assert suggestions(scene)
    assert split_of(scene) in SPLITS
