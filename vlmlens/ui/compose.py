"""The composer: a lab scene put together cell by cell."""

import numpy as np
import streamlit as st

from vlmlens.lab.draw import draw
from vlmlens.lab.sample import take
from vlmlens.lab.scenes import BOARD, CELLS, COLORS, MOST_THINGS, SHAPES, SIZES, Scene, Thing
from vlmlens.ui.jobs import DIALOG
from vlmlens.ui.source import Source

EMPTY = "—"
LOOKS = {
    f"{size} {color} {shape}": (color, shape, size) for size in SIZES[::-1] for color in COLORS for shape in SHAPES
}


def _closed() -> None:
    st.session_state[DIALOG] = False


@st.dialog("Compose a lab scene", width="large", on_dismiss=_closed)
def compose(start: Scene) -> None:
    """A board of nine pickers beside the drawing; the scene is used when the person says so."""
    st.caption(f"Up to {MOST_THINGS} things, one a cell. Type in a cell to search, for instance “red circle”.")
    board, drawing = st.columns([3, 2], gap="medium")
    options = [EMPTY, *LOOKS]
    chosen: dict[int, str] = {}
    with board:
        for row in range(BOARD):
            for column, place in enumerate(st.columns(BOARD, gap="small")):
                cell = row * BOARD + column
                key = f"cell-{cell}"
                if key not in st.session_state:
                    thing = start.at(cell)
                    st.session_state[key] = EMPTY if thing is None else str(thing)
                chosen[cell] = place.selectbox(f"Row {row + 1}, column {column + 1}", options, key=key)
        left, right = st.columns(2)
        left.button("Surprise me", on_click=_shuffle, width="stretch")
        right.button("Clear", on_click=_clear, width="stretch")
    things = tuple(_thing(start, cell, look) for cell, look in chosen.items() if look != EMPTY)
    with drawing:
        if len(things) > MOST_THINGS:
            st.error(
                f"{len(things)} things are too many: the models were trained on up to {MOST_THINGS}. Clear a cell."
            )
            return
        scene = Scene(things, start.noise_seed)
        st.image(draw(scene, 300), caption=_spoken(scene), width="stretch")
        if st.button("Use this scene", type="primary", width="stretch"):
            st.session_state.source = Source.of_scene(scene)
            _closed()
            _forget()
            st.rerun()


def open_composer(start: Scene) -> None:
    """Start the dialog from this scene, not from where it was left."""
    _forget()
    st.session_state[DIALOG] = True
    compose(start)


def _thing(start: Scene, cell: int, look: str) -> Thing:
    """What stands on a cell: as it was where nobody changed it, its place in the cell included."""
    before = start.at(cell)
    return before if before is not None and str(before) == look else Thing(cell, *LOOKS[look])


def _forget() -> None:
    for cell in range(CELLS):
        st.session_state.pop(f"cell-{cell}", None)


def _shuffle() -> None:
    scene = take("test", int(np.random.default_rng().integers(2**31)), 1)[0].scene
    for cell in range(CELLS):
        thing = scene.at(cell)
        st.session_state[f"cell-{cell}"] = EMPTY if thing is None else str(thing)


def _clear() -> None:
    for cell in range(CELLS):
        st.session_state[f"cell-{cell}"] = EMPTY


def _spoken(scene: Scene) -> str:
    return ", ".join(map(str, scene.things)) or "an empty board"
