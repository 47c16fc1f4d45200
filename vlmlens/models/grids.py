"""Where image tokens lie on the picture, one function a way of preparing pictures.

Each takes what the processor returned, the processor, the positions of all image tokens, and the size (width, height)
of the first picture, and returns that picture's grid. Transformers is imported where it is needed, because it takes
seconds and the table of families is read by the first page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vlmlens.trace.segments import Grid, lattice, no_boxes, no_positions

Size = tuple[int, int]


def centre_crop(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """A square of cells over what resizing and centre cropping leave; the rest of the picture is never seen."""
    images = processor.image_processor
    positions = positions[: len(positions) // len(inputs["pixel_values"])]
    side = round(len(positions) ** 0.5)
    width, height = size
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    if getattr(images, "do_center_crop", False):
        shortest = _get(images.size, "shortest_edge")
        scale = min(width, height) / shortest if shortest else None  # source pixels a pixel after resizing
        across = _get(images.crop_size, "width") * (scale or width / _get(images.size, "width"))
        down = _get(images.crop_size, "height") * (scale or height / _get(images.size, "height"))
        left, top = (width - across) / 2, (height - down) / 2
        right, bottom = left + across, top + down
    return Grid.regular((side, side), positions, size, (left, top, right, bottom))


def nowhere(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """No cells: it is not known where the tokens lie."""
    return Grid(no_boxes(), no_positions(), size, (0, 0))


def queried(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """A square of patches over the picture, which is squeezed to it; `positions` are theirs, after a summary's.

    What a Q-Former's queries read of them, [query, patch], stands in the inputs as `through`; their positions follow.
    """
    side = round((len(positions) - 1) ** 0.5)
    patches = Grid.regular((side, side), positions[1:], size)
    through: np.ndarray = inputs["through"]
    everywhere = np.tile(np.array([0, 0, *size], np.float32), (len(through), 1))
    return replace(
        patches,
        wide_boxes=everywhere,
        wide_positions=positions[-1] + 1 + np.arange(len(through)),
        through=through,
    )


def merged(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """Blocks of patches that become one token, as many as the picture's shape asks for, over the whole picture."""
    merge = processor.image_processor.merge_size
    _, rows, columns = (int(patches) for patches in inputs["image_grid_thw"][0])
    shape = rows // merge, columns // merge
    return Grid.regular(shape, positions[: shape[0] * shape[1]], size)


def split(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """Idefics 3: tiles, if the picture is larger than one, then the whole picture."""
    _, rows, columns = processor.image_processor.get_number_of_image_patches(size[1], size[0])
    return tiled((max(rows, 1), max(columns, 1)), processor.image_seq_len, positions, size)


def canvas(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """InternVL: as many tiles as come nearest to the picture's shape, then the whole picture."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    images, tile = processor.image_processor, inputs["pixel_values"].shape[-2:]
    columns, rows = get_optimal_tiled_canvas(size[::-1], tuple(tile), images.min_patches, images.max_patches)
    return tiled((rows, columns), processor.image_seq_length, positions, size)


def tiled(tiles: tuple[int, int], each: int, positions: np.ndarray, size: Size) -> Grid:
    """Tiles row by row, a square of `each` cells in every one; then, if there are several, the whole picture as one."""
    side = round(each**0.5)
    detail = tiles[0] * tiles[1] * each
    cells = positions[:detail].reshape(*tiles, side, side).swapaxes(1, 2).ravel()
    grid = Grid.regular((tiles[0] * side, tiles[1] * side), cells, size)
    if detail == each:
        return grid
    whole = Grid.regular((side, side), positions[detail : detail + each], size)
    return Grid(grid.boxes, grid.positions, size, grid.shape, whole.boxes, whole.positions)


def anyres(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """LLaVA-NeXT: the whole picture, squeezed to a square; then tiles of it without the padding around it.

    The tiles' cells stand in rows over all tiles, a separator after each. LLaVA-OneVision scales them down where there
    are too many, and has no tiles where it is given several pictures. Unpadding may cut off a strip narrower than a
    cell, which the whole picture shows; it is counted to the outermost cells.
    """
    tile = inputs["pixel_values"].shape[-1]
    frame = Frame.of(processor, tile, size)
    side = frame.side
    whole = Grid.regular((side, side), positions[: side * side], size)
    if "batch_num_images" in inputs and int(inputs["batch_num_images"][0]) > 1:
        return whole
    shape = _capped(frame.shape, side, getattr(processor, "vision_aspect_ratio", ""))
    edges = []  # of rows and of columns, in pixels of the picture
    for axis, length in enumerate(size[::-1]):
        across = frame.tiles[axis] * tile
        scaled = min(int(np.ceil(length * frame.scale)), across)  # the picture on the tiles; what is left is padding
        places = frame.first[axis] + np.linspace(0, frame.shape[axis], shape[axis] + 1)
        edge = ((places * tile / side - (across - scaled) // 2) / frame.scale).clip(0, length)
        edge[[0, -1]] = 0, length
        edges.append(edge)
    detail = positions[side * side :][: shape[0] * (shape[1] + 1)].reshape(shape[0], shape[1] + 1)[:, :-1]
    return Grid(lattice(*edges), detail.ravel(), size, shape, whole.boxes, whole.positions)


def cornered(inputs: Mapping[str, Any], processor: Any, positions: np.ndarray, size: Size) -> Grid:
    """Mllama: the picture lies in the corner of a canvas of tiles; what it does not cover is no cell.

    Each tile has a summary token and then its patches; there are always as many tiles as the model can take.
    """
    from transformers.models.mllama import image_processing_pil_mllama as mllama

    most, tile = inputs["pixel_values"].shape[2], inputs["pixel_values"].shape[-1]
    each = len(positions) // most
    side = round((each - 1) ** 0.5)
    ratios = mllama.get_all_supported_aspect_ratios(processor.image_processor.max_image_tiles)
    canvas = [tiles * tile for tiles in ratios[int(inputs["aspect_ratio_ids"][0, 0]) - 1]]
    scaled = mllama.get_image_size_fit_to_canvas(size[1], size[0], *canvas, tile)
    edges, numbers = [], []  # of rows and of columns: pixels of the picture, number on the canvas
    for length, inside in zip(size[::-1], scaled, strict=True):
        count = -(-int(inside) * side // tile)
        edges.append((np.arange(count + 1) * tile / side).clip(0, inside) * length / inside)
        numbers.append(np.arange(count))
    rows, columns = np.meshgrid(*numbers, indexing="ij")
    at = (rows // side * (canvas[1] // tile) + columns // side) * each + 1 + rows % side * side + columns % side
    return Grid(lattice(*edges), positions[at.ravel()], size, rows.shape)


@dataclass(frozen=True)
class Frame:
    """How LLaVA-NeXT lays a picture on tiles, each axis rows first: scaled to fit and padded around."""

    tiles: tuple[int, int]
    side: int  # cells of a tile, each way
    first: tuple[int, int]  # cell of all tiles that is not dropped as padding
    shape: tuple[int, int]  # how many are kept from there on
    scale: float  # pixels of the tiles a pixel of the picture

    @classmethod
    def of(cls, processor: Any, tile: int, size: Size) -> "Frame":
        from transformers.image_processing_utils import select_best_resolution
        from transformers.models.llava_next.modeling_llava_next import unpad_image

        patch = getattr(processor, "patch_size", None)
        side = tile // patch if patch else round(processor.num_image_tokens**0.5)
        best = select_best_resolution(size[::-1], processor.image_processor.image_grid_pinpoints)
        tiles = best[0] // tile, best[1] // tile
        rows, columns = tiles[0] * side, tiles[1] * side
        kept = unpad_image(torch.arange(rows * columns).view(1, rows, columns), size[::-1])[0]
        first = divmod(int(kept[0, 0]), columns)
        return cls(tiles, side, first, tuple(kept.shape), min(best[0] / size[1], best[1] / size[0]))


def _capped(shape: tuple[int, ...], side: int, rule: str) -> tuple[int, int]:
    """Rows and columns after the scaling of "anyres_max_9": at most 9 tiles' worth, with some slack."""
    rows, columns = shape
    ratio = (rows * columns / (int(rule.removeprefix("anyres_max_")) * side**2)) ** 0.5 if rule else 1.0
    return (int(rows // ratio), int(columns // ratio)) if ratio > 1.1 else (rows, columns)


def _get(size: Any, name: str) -> Any:
    """A field of a processor's size, which is a mapping or an object depending on transformers' version."""
    return size.get(name) if isinstance(size, Mapping) else getattr(size, name, None)
