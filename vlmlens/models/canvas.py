"""A picture as one sheet of pixels, whatever a processor cuts it into, and the differentiable way back to the cuts.

Maps of pixels need every pixel to lie in one cell. One function a way of cutting: each takes what the processor
returned, the processor, the grid, and gives the sheet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vlmlens.models.grids import Frame
from vlmlens.trace.segments import Grid


@dataclass(frozen=True, eq=False)
class Canvas:
    """Pixels as the vision encoder gets them, put together."""

    pixels: Tensor  # float [1, colour, row, column]
    cut: Callable[[Tensor], Tensor]  # sheets [batch, colour, row, column] to `pixel_values` for so many items
    tokens: bool = False  # whether the projector gives one image token for each cell, in their order


def merged(inputs: Mapping[str, Any], processor: Any, grid: Grid) -> Canvas:
    """Qwen: patches in rows of numbers, each merged block of them together, every picture twice (as two frames)."""
    images, values = processor.image_processor, inputs["pixel_values"]
    (rows, columns), merge, patch, frames = grid.shape, images.merge_size, images.patch_size, images.temporal_patch_size
    parts = values.view(rows, columns, merge, merge, -1, frames, patch, patch)
    block = merge * patch
    sheet = parts[:, :, :, :, :, 0].permute(4, 0, 2, 5, 1, 3, 6).reshape(1, -1, rows * block, columns * block)

    def cut(sheets: Tensor) -> Tensor:
        split = sheets.view(len(sheets), -1, rows, merge, patch, columns, merge, patch)
        ordered = split.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)  # item, row, column, two of a block, colour, frame
        return ordered.expand(*[-1] * 6, frames, -1, -1).reshape(-1, values.shape[-1])

    return Canvas(sheet, cut)


def tiled(inputs: Mapping[str, Any], processor: Any, grid: Grid) -> Canvas:
    """InternVL, Idefics 3: tiles row by row, then the whole picture as one, if there are several."""
    values = inputs["pixel_values"]
    views = values.reshape(-1, *values.shape[-3:])
    if not grid.wide:
        return Canvas(views, lambda sheets: sheets.view(-1, *values.shape[1:]), tokens=True)
    side = len(grid.wide_positions) ** 0.5
    tiles = round(grid.shape[0] / side), round(grid.shape[1] / side)
    sheet = _joined(views[:-1], tiles)

    def cut(sheets: Tensor) -> Tensor:
        whole = views[-1] + _shrunk(sheets - sheet, views.shape[-1])
        cuts = torch.cat([_split(sheets, tiles), whole[:, None]], 1)
        return cuts.reshape(-1, *values.shape[1:])

    return Canvas(sheet, cut)


def anyres(inputs: Mapping[str, Any], processor: Any, grid: Grid) -> Canvas:
    """LLaVA-NeXT: the whole picture, then tiles of it; the sheet is what is left without the padding around it."""
    values = inputs["pixel_values"]
    views, tile = values[0], values.shape[-1]
    frame = Frame.of(processor, tile, grid.size)
    padded = _joined(views[1:], frame.tiles)
    rows, columns = (
        slice(round(first * tile / frame.side), round((first + kept) * tile / frame.side))
        for first, kept in zip(frame.first, frame.shape, strict=True)
    )
    sheet = padded[:, :, rows, columns]

    def cut(sheets: Tensor) -> Tensor:
        full = padded.repeat(len(sheets), 1, 1, 1)
        full[:, :, rows, columns] = sheets
        whole = views[0] + _shrunk(sheets - sheet, tile)
        return torch.cat([whole[:, None], _split(full, frame.tiles)], 1)

    return Canvas(sheet, cut)


def _joined(views: Tensor, tiles: tuple[int, int]) -> Tensor:
    """Tiles [tile, colour, row, column], row by row, as one sheet [1, colour, row, column]."""
    rows, columns = tiles
    _, colours, height, width = views.shape
    parts = views.view(rows, columns, colours, height, width).permute(2, 0, 3, 1, 4)
    return parts.reshape(1, colours, rows * height, columns * width)


def _split(sheets: Tensor, tiles: tuple[int, int]) -> Tensor:
    """The other way: [batch, tile, colour, row, column]."""
    rows, columns = tiles
    batch, colours, height, width = sheets.shape
    parts = sheets.view(batch, colours, rows, height // rows, columns, width // columns).permute(0, 2, 4, 1, 3, 5)
    return parts.reshape(batch, rows * columns, colours, height // rows, width // columns)


def _shrunk(change: Tensor, side: int) -> Tensor:
    """A change of the tiles as the coarse view shows it: each of its pixels has the mean of what it covers."""
    return interpolate(change, (side, side), mode="area")
