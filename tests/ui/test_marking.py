"""The painter and the board as Python sees them: what the browser tells becomes a region and a scene."""

import pytest

from vlmlens.errors import PictureError
from vlmlens.lab.draw import RADIUS, outline
from vlmlens.lab.scenes import SHAPES, SIZES, Scene, Thing
from vlmlens.ui import board as board_module
from vlmlens.ui import painter as painter_module
from vlmlens.ui.painter import Painted, Region, painter

BOX = Region("box", ((0.1, 0.2), (0.5, 0.6)))
SCENE = Scene((Thing(4, "red", "circle", "large", dx=1),), noise_seed=3)


@pytest.mark.parametrize(
    "painted",
    [
        Painted(),
        Painted(BOX),
        Painted(BOX, (0.0, 1.0)),
        Painted(Region("brush", ((0.5, 0.5),), 0.04), (0.3, 0.3)),
        Painted(Region("lasso", ((0.0, 0.0), (1.0, 0.0), (0.5, 0.9)))),
    ],
)
def test_what_is_sent_to_the_browser_comes_back(painted):
    told = painter_module._told(painted) | {"version": "1"}
    assert painter_module._painted(told, Painted(), "1") == painted


def test_another_version_begins_anew():
    told = painter_module._told(Painted(BOX)) | {"version": "1"}
    start = Painted(Region("box", ((0.0, 0.0), (1.0, 1.0))))
    assert painter_module._painted(told, start, "2") == start
    assert painter_module._painted(None, start, "1") == start
    other = {"version": "1", "things": []}
    assert board_module._composed(other, SCENE, "2") == SCENE
    assert board_module._composed(None, SCENE, "1") == SCENE


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("size", {"size": (0, 5)}),
        ("objects", {"objects": (("star", (0.5, 0.1, 0.5, 0.4)),)}),
        ("tools", {"tools": ("hover",)}),
        ("tools", {"tools": ()}),
    ],
)
def test_an_argument_that_does_not_fit_is_named(name, changed):
    with pytest.raises(ValueError, match=f"^{name}"):
        painter(b"", **{"size": (4, 4), "key": "k"} | changed)


def test_a_composed_scene_keeps_the_noise_of_the_pages():
    told = {"version": "", "things": [thing for thing in SCENE.edit(4, cell=5, color="blue").to_dict()["things"]]}
    assert board_module._composed(told, SCENE, "") == Scene((Thing(5, "blue", "circle", "large", dx=1),), 3)


def test_what_is_no_scene_is_refused():
    thing = SCENE.to_dict()["things"][0]
    for things in ([thing | {"color": "mauve"}], [thing, thing], [thing | {"cell": cell} for cell in range(6)], [{}]):
        with pytest.raises(PictureError):
            board_module._composed({"version": "", "things": things}, SCENE, "")


def test_the_board_has_the_corners_of_the_drawing():
    look = board_module._look()
    for shape in SHAPES:
        for size in SIZES:
            flat = [look["radius"][size] * v for point in look["corners"][shape] for v in point]
            truth = [v for point in outline(shape, 0, 0, RADIUS[size]) for v in point]
            assert flat == pytest.approx(truth, abs=1e-3)
