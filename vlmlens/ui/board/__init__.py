"""The board: a lab scene composed by hand, drawn as the lab draws it.

    scene = board(Scene(), key="board")

Things are dragged from cell to cell, changed with the palette beside, undone and redone, all in the browser.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlmlens.lab.draw import BACKGROUND, CELL_PIXELS, RADIUS, RGB, outline
from vlmlens.lab.scenes import BOARD, COLORS, MOST_THINGS, SHAPES, SIZES, Scene
from vlmlens.ui.browser import component, nothing

_COMPONENT = component("board", Path(__file__).parent, ("moves.js", "hand.js", "look.js", "board.js"))


def _look() -> dict[str, Any]:
    """The numbers of vlmlens.lab.draw: corners of radius 1, and radii in pixels of the 48-pixel picture."""
    corners = {shape: [[round(x, 4), round(y, 4)] for x, y in outline(shape, 0, 0, 1)] for shape in SHAPES}
    return {
        "side": BOARD,
        "most": MOST_THINGS,
        "pixels": CELL_PIXELS,
        "background": _css(BACKGROUND),
        "colors": {color: _css(RGB[color]) for color in COLORS},
        "corners": corners,
        "radius": {size: RADIUS[size] for size in SIZES},
    }


def _css(rgb: tuple[int, int, int]) -> str:
    return "#" + bytes(rgb).hex()


def board(scene: Scene, *, key: str, version: str = "", on_change: Callable[[], None] | None = None) -> Scene:
    """Show a board to compose a scene on, and return what stands on it.

    Args:
        scene: what stands on it at first.
        key: keeps the scene and its undo over reruns; one a page.
        version: another one than before throws the user's scene away for `scene`.
        on_change: called when the scene changed.

    Raises:
        PictureError: the browser told of a scene that is none.
    """
    data = {"look": _look(), "scene": scene.to_dict(), "version": version}
    state = _COMPONENT(key=key, data=data, on_scene_change=on_change or nothing)
    return _composed(state.scene, scene, version)


def _composed(state: Mapping[str, Any] | None, scene: Scene, version: str) -> Scene:
    """What the browser told last, unless the page has begun anew since. The noise stays that of the page's scene."""
    if not state or state["version"] != version:
        return scene
    return Scene.from_dict({"things": state["things"], "noise_seed": scene.noise_seed})
