"""The painter: a picture on which a person marks a region of pixels, and says where it shall go.

    painted = painter(png, size=(640, 480), key="paint", before_png=original, target=True)
    painted.region, painted.to

The mark is kept in the browser: reruns and other pictures of the same size leave it alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import streamlit as st

from vlmlens.perturb.region import Region
from vlmlens.ui.browser import component, nothing, shelve

Tool = Literal["brush", "box", "lasso", "object"]
Box = tuple[float, float, float, float]  # left, top, right, bottom in fractions of the picture
HEIGHT = 520  # pixels, the tallest the picture is drawn

_COMPONENT = component("painter", Path(__file__).parent, ("marks.js", "hand.js", "look.js", "painter.js"))


@dataclass(frozen=True)
class Painted:
    """What the user marked."""

    region: Region | None = None
    to: tuple[float, float] | None = (
        None  # where the centre of the region's bounding box goes; None until it is dragged
    )


def painter(
    image_png: bytes,
    *,
    size: tuple[int, int],
    key: str,
    before_png: bytes | None = None,
    start: Painted = Painted(),
    version: str = "",
    objects: Sequence[tuple[str, Box]] = (),
    tools: Sequence[Tool] = ("box", "brush", "lasso", "object"),
    target: bool = False,
    height: int = HEIGHT,
    on_change: Callable[[], None] | None = None,
) -> Painted:
    """Show a picture and return what the user marked on it.

    Args:
        image_png: the picture in any format a browser reads. Sent when it changes, whatever else does.
        size: its width and height in pixels: the step of the arrow keys. Points come back as fractions of it.
        key: keeps the mark over reruns; one a page.
        before_png: the picture before a change, which a button or the space bar shows; None for no such button.
        start: what is marked at first.
        version: another one than before throws the user's mark away for `start`, when the page undoes, say.
        objects: name and box of what a click takes with the tool "object", which is hidden without any.
        tools: what the pointer can do; the first is active.
        target: whether the region has a handle that is dragged to where it shall go.
        height: pixels the picture may take.
        on_change: called when the mark changed.

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    _check(size, objects, tools)
    with st.container(gap=None):
        pictures = {"shown": shelve(image_png, key=f"{key}-shown"), "before": None}
        if before_png is not None:
            pictures["before"] = shelve(before_png, key=f"{key}-before")
        data = {
            "pictures": pictures,
            "size": list(size),
            "start": _told(start),
            "version": version,
            "objects": [{"name": name, "box": list(box)} for name, box in objects],
            "tools": [tool for tool in tools if objects or tool != "object"],
            "target": target,
            "height": height,
        }
        state = _COMPONENT(key=key, data=data, on_mark_change=on_change or nothing)
    return _painted(state.mark, start, version)


def _told(painted: Painted) -> dict[str, Any]:
    region = painted.region
    mark = region and {"kind": region.kind, "points": [list(point) for point in region.points], "radius": region.radius}
    return {"region": mark, "to": painted.to and list(painted.to)}


def _painted(state: dict[str, Any] | None, start: Painted, version: str) -> Painted:
    """What the browser told last, unless the page has begun anew since."""
    if not state or state["version"] != version:
        return start
    mark, to = state["region"], state["to"]
    region = mark and Region(
        mark["kind"], tuple((float(x), float(y)) for x, y in mark["points"]), float(mark["radius"])
    )
    return Painted(region or None, (float(to[0]), float(to[1])) if to else None)


def _check(size: tuple[int, int], objects: Sequence[tuple[str, Box]], tools: Sequence[Tool]) -> None:
    if min(size) < 1:
        raise ValueError(f"size: a picture has at least one pixel, got {size}")
    if wrong := [name for name, (left, top, right, bottom) in objects if not (left < right and top < bottom)]:
        raise ValueError(f"objects: a box needs left < right and top < bottom; not so for {wrong}")
    if not tools or set(tools) - set(get_args(Tool)):
        raise ValueError(f"tools: one or more of {get_args(Tool)}, got {list(tools)}")
