"""The middle part: the picture as it is after the changes, to be marked; or the board, to compose a scene anew."""

import io
from dataclasses import replace
from functools import lru_cache
from zlib import crc32

import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitAPIException

from vlmlens.lab.scenes import Scene
from vlmlens.models import as_image
from vlmlens.picture import encode_png, for_display
from vlmlens.ui.board import board
from vlmlens.ui.counterfactual import hints, state
from vlmlens.ui.counterfactual.marks import objects, see, targeted
from vlmlens.ui.painter import Painted, painter
from vlmlens.ui.request import Request
from vlmlens.ui.source import Source

PAINTER, BOARD, MODE = "paint", "board", "stage-mode"
MARKING, COMPOSING = "mark", "compose"
HEIGHT = 372  # pixels: picture, maps, changes, answer and budget stand on one laptop screen
SIDE = 900  # pixels: the longer side of what is sent of a photograph
EXACT = 256  # pixels: pictures up to here are sent as they are


def show(request: Request, image: Image.Image) -> None:
    """`image`: after the changes."""
    scene = state.scene_after(request)
    mode = MARKING
    if scene is not None:
        mode = str(
            st.segmented_control(
                "On the picture",
                [MARKING, COMPOSING],
                format_func={MARKING: "Mark a region", COMPOSING: "Compose the scene"}.__getitem__,
                default=MARKING,
                key=MODE,
                bind="query-params",
                required=True,
                label_visibility="collapsed",
            )
        )
    if mode == COMPOSING and scene is not None:
        _compose(request, scene)
    else:
        _mark(request, scene, image)


def _mark(request: Request, scene: Scene | None, image: Image.Image) -> None:
    now = state.history().now
    target = targeted(now.steps)
    painted = painter(
        _encoded(image),
        size=image.size,
        key=PAINTER,
        before_png=None if now.scene is None and not now.steps else _before(request.source),
        start=_start(request),
        version=_painting(request),
        objects=objects(scene, now.steps),
        target=target is not None,
        height=HEIGHT,
    )
    if not see(painted):
        return
    place = targeted(now.steps)
    if place is not None and painted.to not in (None, now.steps[place].to):
        moved = replace(now.steps[place], to=painted.to)
        state.make(replace(now, steps=(*now.steps[:place], moved, *now.steps[place + 1 :])))
        again()
    if place != target:  # the ring on the picture comes or goes
        again()


@lru_cache(maxsize=8)
def _before(source: Source) -> bytes:
    return _encoded(as_image(source.load()))


def _encoded(image: Image.Image) -> bytes:
    """For the browser: pixels that a model gets exactly, a photograph in a tenth of the time that PNG takes."""
    if max(image.size) <= EXACT:
        return encode_png(image)
    buffer = io.BytesIO()
    for_display(image, SIDE).save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def _painting(request: Request) -> str:
    """Another picture is marked anew."""
    return f"{crc32(request.source.text.encode()):x}"


def _start(request: Request) -> Painted:
    """What is marked when a picture is shown first: where the last change of a region was made."""
    key = f"{PAINTER}-start-{_painting(request)}"
    if key not in st.session_state:
        with_region = [step for step in state.history().now.steps if step.region is not None]
        found = Painted(with_region[-1].region, with_region[-1].to) if with_region else Painted()
        st.session_state[key] = found
    start: Painted = st.session_state[key]
    return start


def _compose(request: Request, scene: Scene) -> None:
    """The board; what stands on it is the scene after."""
    told = st.session_state.get("board-told")
    if told != scene:  # undone, or another scene: the board begins anew
        st.session_state["board-version"] = st.session_state.get("board-version", 0) + 1
        st.session_state["board-told"] = scene
    found = board(scene, key=BOARD, version=str(st.session_state["board-version"]))
    if found != scene:
        st.session_state["board-told"] = found
        state.make(replace(state.history().now, scene=None if found == request.source.scene else found))
        again()
    st.html(hints.truths(request.question, request.source.scene, scene))


def again() -> None:
    """Run the live part once more, with what has just been told."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # the whole page is running
        st.rerun()
