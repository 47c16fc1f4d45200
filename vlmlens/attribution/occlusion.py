"""Occlusion (Zeiler and Fergus, ECCV 2014): a window of two by two patches slides over the picture."""

import torch
from captum.attr import Occlusion

from vlmlens.attribution.case import Case, Map, by_cell, plain_fill, single
from vlmlens.progress import Progress

WINDOW = 2  # patches a side


def occlusion(case: Case, progress: Progress) -> Map:
    progress.step(0, "windows filled")
    eyes, grid = case.eyes, case.trace.grid
    sides = [axis for axis in range(1, eyes.pixels.ndim) if eyes.cells.shape[axis] > 1]
    windows, strides = list(eyes.pixels.shape[1:]), list(eyes.pixels.shape[1:])
    stride = 1
    while -(-grid.shape[0] // stride) * -(-grid.shape[1] // stride) > case.passes:
        stride += 1
    for axis, cells in zip(sides, grid.shape, strict=True):
        patch = eyes.pixels.shape[axis] // cells
        windows[axis - 1] = min(WINDOW * stride * patch, eyes.pixels.shape[axis])
        strides[axis - 1] = stride * patch
    with case.computing(), torch.no_grad():
        found = Occlusion(case.of_pixels).attribute(
            eyes.pixels,
            sliding_window_shapes=tuple(windows),
            strides=tuple(strides),
            baselines=plain_fill(eyes),
            perturbations_per_eval=case.vlm.variants_at_once,
        )
    sums = by_cell(found, eyes.cells, grid.cells)
    pixels = by_cell(torch.ones_like(found), eyes.cells, grid.cells)
    side = WINDOW * stride
    note = f"Windows of {side} x {side} patches, {stride} apart; a patch has the mean of those over it."
    return single("occlusion", sums / pixels, f"nats of {case.explained()}", note=note)
