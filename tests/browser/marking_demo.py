"""The board and the painter on one page: what is composed is marked beside it. What Python was told is written out."""

import time
from functools import cache

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from vlmlens.lab.draw import PIXELS, draw
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.perturb.region import Region
from vlmlens.picture import encode_png
from vlmlens.ui.board import board
from vlmlens.ui.painter import Painted, painter

SIDE = 480
SCENE = Scene(
    (Thing(0, "red", "circle", "large", dx=1), Thing(4, "blue", "star", "small"), Thing(8, "green", "square", "large")),
    7,
)
START = Painted(Region("box", ((0.1, 0.2), (0.5, 0.4))))


def boxes(scene: Scene) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Name of each thing and the cell it stands on, in fractions."""
    third = 16 / PIXELS
    return [
        (str(thing), (thing.column * third, thing.row * third, (thing.column + 1) * third, (thing.row + 1) * third))
        for thing in scene.things
    ]


@cache
def grainy(scene: Scene) -> Image.Image:
    """As heavy as a photograph: Streamlit sends what is light with every run."""
    image = draw(scene, SIDE)
    grain = np.random.default_rng(0).integers(-4, 5, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(image, int) + grain, 0, 255).astype(np.uint8))


@cache
def original_png(scene: Scene) -> bytes:
    return encode_png(grainy(scene))


def show() -> None:
    st.set_page_config(layout="wide")
    with st.container(horizontal=True):
        anew = st.toggle("begin anew", key="anew")
        fill = st.toggle("fill", key="fill")
        target = st.toggle("target", key="target")
        slow = st.toggle("slow", key="slow")
    left, right = st.columns(2)
    with left:
        scene = board(SCENE, key="board", version=str(anew))
        st.write(f"scene: {scene.to_json()}")
    shown = original = original_png(scene)
    painted: Painted | None = st.session_state.get("painted")
    if fill and painted and painted.region and painted.region.kind == "box":
        corners = [tuple(v * SIDE for v in point) for point in painted.region.points]
        after = grainy(scene).copy()
        ImageDraw.Draw(after).rectangle(corners, fill="black")
        shown = encode_png(after)
    with right:
        painted = painter(
            shown,
            size=(SIDE, SIDE),
            key="paint",
            before_png=original if fill else None,
            start=START if anew else Painted(),
            version=str(anew),
            objects=boxes(scene),
            target=target,
        )
        st.write(f"painted: {painted}")
    if slow:
        time.sleep(1)
    if painted != st.session_state.get("painted"):
        st.session_state.painted = painted
        if fill:
            st.rerun()


if __name__ == "__main__":
    show()
