"""The picture component: a picture with attention maps over it, read and marked without a round trip to Python.

    seen = picture(png, boxes, Maps(labels, values, heads), tokens, size=(640, 480), key="inspect")
    seen.region  # cells the user brushed or boxed

Layers, heads, words and colours are chosen in the browser; only the marked region comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from vlmlens.ui.browser import component, nothing, picture_id
from vlmlens.ui.picture.blocks import block, pack, pack_words

Segment = Literal["bos", "instruction", "image", "question", "answer", "latent"]
Tool = Literal["hover", "brush", "box"]
HEIGHT = 520  # pixels, the tallest the picture is drawn
ATTENTION = "of the attention"  # the unit whose values are told in percent

_SCRIPTS = ("draw.js", "scene.js", "link.js", "tools.js", "strip.js", "words.js", "tip.js", "view.js", "picture.js")
_COMPONENT = component("picture", Path(__file__).parent, _SCRIPTS)


@dataclass(frozen=True)
class Maps:
    """A value for each image cell, slice by slice (a slice is a layer, mostly). NaN where nothing was recorded."""

    labels: tuple[str, ...]  # one a slice: "layer 3", "readout"
    values: np.ndarray  # [slice, head, cell], the answer row's attention unless `unit` says else; >= 0 unless signed
    heads: int  # 1 for maps that have none
    tokens: np.ndarray | None = None  # [slice, token_row, cell], head-mean attention of other rows, >= 0
    token_rows: tuple[int, ...] = ()  # position in the token strip of each token_row
    words: np.ndarray | None = None  # [slice, cell], str; a word the model has at each cell, "" for none
    unit: str = ATTENTION  # told after a value: "drop of the log-probability"


@dataclass(frozen=True)
class Token:
    """One position of the sequence; `cells` are indices into the boxes, of what an image token with a place shows."""

    text: str
    segment: Segment
    cells: tuple[int, ...] = ()


@dataclass(frozen=True)
class Selection:
    """What the user marked."""

    region: tuple[int, ...] = ()  # cells, ascending


def picture(
    image_png: bytes,
    boxes: np.ndarray,
    maps: Maps | None,
    tokens: Sequence[Token],
    *,
    size: tuple[int, int],
    key: str,
    crisp_png: bytes | None = None,
    region: Sequence[int] = (),
    default_slice: int = 0,
    signed: bool = False,
    tools: Sequence[Tool] = ("hover", "brush", "box"),
    height: int | None = None,
    link: str = "",
    on_change: Callable[[], None] | None = None,
) -> Selection:
    """Show a picture under its attention maps and return the region the user marked on it.

    Args:
        image_png: the picture in any format a browser reads.
        boxes: [cell, 4], left, top, right, bottom in pixels of a picture of `size`. Cells may overlap and leave gaps.
        maps: None for the picture alone.
        tokens: the sequence, in order; empty for no token strip.
        size: width and height of the picture as uploaded.
        key: keeps the layer, head and region over reruns; one a page.
        crisp_png: the picture as uploaded, when `image_png` is what the model gets. A switch shows either.
        region: cells the page itself marks, outlined with dashes.
        default_slice: shown until the user picks a layer.
        signed: the values have a sign, and the colours a true zero.
        tools: what the pointer can do; the first is active.
        height: pixels the picture may take, 520 if None.
        link: pictures of a page with the same link share the cursor, by place; empty for a cursor of its own.
        on_change: called when the marked region changed.

    Raises:
        ValueError: an argument does not fit the others; the message names it.
    """
    boxes = np.asarray(boxes, dtype="<f4").reshape(-1, 4)
    _check(boxes, maps, tokens, region, default_slice, signed, tools)
    sections = {"picture": image_png, "boxes": boxes.tobytes()}
    if crisp_png is not None:
        sections["crisp"] = crisp_png
    described: dict[str, Any] | None = None
    if maps is not None:
        described = {"labels": maps.labels, "heads": maps.heads, "rows": maps.token_rows, "unit": maps.unit}
        for name, values in (("values", maps.values), ("looks", maps.tokens)):
            if values is not None:
                codes, scales = pack(values)
                sections |= {name: codes, f"{name}_scales": scales.tobytes()}
        if maps.words is not None:
            described["vocabulary"], sections["words"] = pack_words(maps.words)
    header = {
        "size": size,
        "height": HEIGHT if height is None else height,
        "maps": described,
        "tokens": [asdict(token) for token in tokens],
        "region": [int(cell) for cell in region],
        "defaultSlice": default_slice,
        "signed": signed,
        "tools": list(tools),
        "link": link,
    }
    state = _COMPONENT(key=key, data=block(header, sections), on_region_change=on_change or nothing)
    return _selection(state.region, picture_id(image_png), len(boxes))


def _selection(state: dict[str, Any] | None, shown: str, cells: int) -> Selection:
    """A region drawn on another picture is none."""
    if not state or state["picture"] != shown:
        return Selection()
    return Selection(tuple(sorted(int(cell) for cell in state["cells"] if 0 <= cell < cells)))


def _check(
    boxes: np.ndarray,
    maps: Maps | None,
    tokens: Sequence[Token],
    region: Sequence[int],
    default_slice: int,
    signed: bool,
    tools: Sequence[Tool],
) -> None:
    cells = len(boxes)
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("boxes: every cell needs left < right and top < bottom, in pixels of the picture")
    if any(not 0 <= cell < cells for cell in region):
        raise ValueError(f"region: cells must be 0 to {cells - 1}, got {list(region)}")
    if any(not 0 <= cell < cells for token in tokens for cell in token.cells):
        raise ValueError(f"tokens: a token's cells must be 0 to {cells - 1}")
    if unknown := {token.segment for token in tokens} - set(get_args(Segment)):
        raise ValueError(f"tokens: unknown segment {sorted(unknown)}; one of {get_args(Segment)}")
    if not tools or set(tools) - set(get_args(Tool)):
        raise ValueError(f"tools: one or more of {get_args(Tool)}, got {list(tools)}")
    if maps is None:
        return
    slices = len(maps.labels)
    if slices == 0 or maps.values.shape != (slices, maps.heads, cells):
        raise ValueError(f"maps.values: expected {(slices, maps.heads, cells)}, got {maps.values.shape}")
    if not 0 <= default_slice < slices:
        raise ValueError(f"default_slice: must be 0 to {slices - 1}, got {default_slice}")
    if np.isinf(maps.values).any() or (not signed and (maps.values < 0).any()):
        raise ValueError("maps.values: must be finite, and not negative unless signed=True")
    rows = (slices, len(maps.token_rows), cells)
    if (maps.tokens is not None or maps.token_rows) and (maps.tokens is None or maps.tokens.shape != rows):
        raise ValueError(f"maps.tokens: expected {rows}, got {getattr(maps.tokens, 'shape', None)}")
    words = maps.words
    if words is not None and not (words.shape == (slices, cells) and all(isinstance(word, str) for word in words.flat)):
        raise ValueError(f"maps.words: expected str {(slices, cells)}, got {words.dtype} {words.shape}")
    if any(not 0 <= row < len(tokens) for row in maps.token_rows):
        raise ValueError(f"maps.token_rows: positions must be 0 to {len(tokens) - 1}, got {maps.token_rows}")
