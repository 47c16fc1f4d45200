"""Can the contrastive map better the answer, without training? Both published forms (Song et al., arXiv 2601.08151).

    refined = suppress(vlm, picture, question, trace, contrast(trace))      # (a) soft suppression
    refined = crop_again(vlm, picture, question, trace, contrast(trace))    # (b) second pass with the crop added

`suppress` multiplies the hidden states of the patches of lowest contrast as they enter the late layer. `crop_again`
asks once more with what the highest contrast lies in as a second picture. Both can be done at random, as a control.

A layer that normalises what enters it, as nearly all do, reads a state by its direction and not by its length: a factor
above 0 changes nothing that the late layer itself reads, only what the layers after it do, and nothing at all where
there are none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vlmlens.attention.contrast import Contrast
from vlmlens.attention.maps import image_maps
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture
from vlmlens.models.inside import branched
from vlmlens.trace import Answer, Branch, Grid, Scale, Trace

if TYPE_CHECKING:
    import pandas as pd

RHO = 0.5  # of the cells
FACTOR = 0.3
SHARE = 0.5  # of the positive contrast
LEAST = 1 / 3  # of each side of the picture: a smaller crop is a blur
BY_DIRECTION = (
    " A layer normalises what enters it: a factor above 0 is felt only after it. Choose an earlier late layer, or 0."
)
UNMOVED = 1e-5  # of probability: sums of float32 in another order differ by as much

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the uploaded picture


@dataclass(frozen=True, eq=False)
class Refined:
    """One answer before and after."""

    form: str  # a name in `FORMS`
    how: str  # in words
    before: tuple[Answer, ...]  # most probable first
    after: tuple[Answer, ...]
    probabilities: np.ndarray  # float64 [2, candidate]: before, after
    control: np.ndarray  # float64 [draw, candidate]: after the same at random
    cells: tuple[int, ...] = ()  # suppressed
    box: Box | None = None  # shown again
    note: str = ""  # why nothing changes, where nothing does

    @property
    def changed(self) -> bool:
        """Whether another answer comes first."""
        return self.before[0].candidate != self.after[0].candidate

    @property
    def moved(self) -> float:
        """The largest change of any candidate's probability."""
        return float(np.abs(self.probabilities[1] - self.probabilities[0]).max())

    def sentence(self) -> str:
        """What it did to the answer."""
        old, new = self.before[0], self.after[0]
        if self.moved <= UNMOVED:
            return f"{self.how}, nothing changes: the answer stays “{old.text}” ({old.probability:.2f}).{self.note}"
        if self.changed:
            return (
                f"{self.how}, the answer changes from “{old.text}” ({old.probability:.2f}) to “{new.text}” "
                f"({new.probability:.2f})."
            )
        return f"{self.how}, the answer stays “{old.text}”: {old.probability:.2f} before, {new.probability:.2f} after."

    def to_dict(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "before": {answer.text: answer.probability for answer in self.before},
            "after": {answer.text: answer.probability for answer in self.after},
            "changed": self.changed,
            "cells": list(self.cells),
            "box": None if self.box is None else list(self.box),
            "sentence": self.sentence(),
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row for each answer that is ranked before or after."""
        import pandas as pd

        named = {answer.candidate: answer.text for answer in (*self.before, *self.after)}
        before, after = self.probabilities[:, list(named)]
        return pd.DataFrame({"answer": list(named.values()), "before": before, "after": after})


def suppress(
    vlm: VLM,
    picture: Picture,
    question: str,
    trace: Trace,
    contrast: Contrast,
    rho: float = RHO,
    factor: float = FACTOR,
    draws: int = 0,
    seed: int = 0,
) -> Refined:
    """Soft suppression: the hidden states of the patches of lowest contrast are scaled as they enter the late layer.

    Costs one pass and what comes after that layer once more.

    Args:
        trace: of the same model, picture and question.
        rho: the fraction of the cells that is suppressed, above 0 to 1.
        factor: what their states are multiplied by, 0 to 1.
        draws: how many times to suppress as many cells at random, as a control.

    Raises:
        NotApplicable: a fraction out of its range, or a model whose decoder has no patches to suppress.
    """
    if not 0 < rho <= 1 or not 0 <= factor <= 1:
        raise NotApplicable(f"rho lies above 0 and up to 1, factor from 0 to 1; got {rho:g} and {factor:g}.")
    if trace.grid.through is not None:
        raise NotApplicable(
            f"The patches themselves enter no layer of {vlm.name}'s decoder; none can be suppressed there."
        )
    prepared = vlm.prepare(vlm.image(picture), question)
    place = image_maps(trace)[0][contrast.late]  # it sees the picture, so states of patches enter it
    count = max(1, round(rho * trace.grid.cells))
    rng = np.random.default_rng([7, seed])
    chosen = [lowest(contrast, count), *(rng.permutation(trace.grid.cells)[:count] for _ in range(draws))]
    marked = np.stack([np.isin(np.arange(trace.grid.cells), cells) for cells in chosen])
    branches = [
        Branch(place.layer, (Scale(place.layer, tuple(np.flatnonzero(tokens).tolist()), factor),))
        for tokens in trace.grid.tokens(marked, trace.length, whole=True)
    ]
    clean, scaled = branched(vlm, prepared, branches)
    found = torch.cat([clean[None], scaled]).double().softmax(-1).numpy()
    layer = "the readout" if place.kind == "readout" else place.label.partition(":")[0]
    how = f"With the {count} of {trace.grid.cells} patches of lowest contrast scaled by {factor:g} entering {layer}"
    cells = tuple(sorted(int(cell) for cell in chosen[0]))
    return _refined("suppress", how, vlm, found, cells=cells, note=BY_DIRECTION if factor else "")


def crop_again(
    vlm: VLM,
    picture: Picture,
    question: str,
    trace: Trace,
    contrast: Contrast,
    share: float = SHARE,
    least: float = LEAST,
    draws: int = 0,
    seed: int = 0,
) -> Refined:
    """A second pass that is shown, after the picture, what the highest contrast lies in as a second picture.

    Args:
        trace: of the same model, picture and question.
        share, least: see `hot_box`.
        draws: how many crops of the same size to show from anywhere instead, as a control.

    Raises:
        NotApplicable: a fraction out of its range, no cell of positive contrast, or a model that reads one picture.
    """
    image = vlm.image(picture)
    box = hot_box(contrast.values, trace.grid, share, least)
    rng = np.random.default_rng([8, seed])
    boxes = [box, *(random_box(box, image.size, rng) for _ in range(draws))]
    asked = [vlm.prepare(image, question), *(vlm.prepare_with(image, image.crop(b), question) for b in boxes)]
    with vlm.lock:
        found = torch.cat([vlm.run(prepared, None)[0] for prepared in asked]).double().softmax(-1).numpy()
    how = f"Shown pixels {box[0]} to {box[2]} across and {box[1]} to {box[3]} down as a second picture"
    return _refined("crop", how, vlm, found, box=box)


def _refined(form: str, how: str, vlm: VLM, found: np.ndarray, **more: Any) -> Refined:
    """From probabilities [before, after, then the draws; candidate]."""
    return Refined(form, how, vlm.rank(found[0]), vlm.rank(found[1]), found[:2], found[2:], **more)


@dataclass(frozen=True)
class Form:
    """One way to use the map; `refine` takes (vlm, picture, question, trace, contrast, **settings)."""

    name: str  # for people
    sentence: str
    control: str  # what `draws` does, in words
    refine: Callable[..., Refined]


FORMS = {
    "suppress": Form(
        "soft suppression",
        "The states of the patches of lowest contrast are scaled down as they enter the late layer.",
        "as many patches at random",
        suppress,
    ),
    "crop": Form(
        "second pass with the crop",
        "The question is asked again with what the highest contrast lies in as a second picture.",
        "a crop of the same size from anywhere",
        crop_again,
    ),
}


def lowest(contrast: Contrast, count: int) -> np.ndarray:
    """The cells of lowest contrast, int [count]."""
    return np.argsort(contrast.values, kind="stable")[:count]


def hot_box(values: np.ndarray, grid: Grid, share: float = SHARE, least: float = LEAST) -> Box:
    """The smallest box of whole cells around the hottest one that holds a share of the positive contrast.

    It is then made square and at least as large as asked for, as far as the picture goes: image processors cut off what
    sticks out of a square.

    Args:
        values: [cell].
        share: of the sum of the positive values, 0 to 1.
        least: of each side of the picture, 0 to 1.
    """
    if not 0 <= share <= 1 or not 0 <= least <= 1:
        raise NotApplicable(f"share and least are fractions from 0 to 1; got {share:g} and {least:g}.")
    positive = np.clip(values, 0, None).astype(float)
    if not positive.any():
        raise NotApplicable("No patch gained attention from the early layer to the late one; there is nothing to crop.")
    rows, columns = grid.shape
    table = np.zeros((rows + 1, columns + 1))  # sums of everything above and left
    table[1:, 1:] = positive.reshape(grid.shape).cumsum(0).cumsum(1)
    row, column = divmod(int(positive.argmax()), columns)
    top, bottom = np.arange(row + 1)[:, None, None, None], np.arange(row + 1, rows + 1)[:, None, None]
    left, right = np.arange(column + 1)[:, None], np.arange(column + 1, columns + 1)
    held = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    area = (bottom - top) * (right - left)
    fits = held >= (share - 1e-9) * table[-1, -1]
    best = np.where(fits, area - held / (1 + table[-1, -1]), np.inf)  # of equal boxes the one that holds more
    up, down, back, on = np.unravel_index(best.argmin(), best.shape)
    cells = grid.boxes.reshape(rows, columns, 4)[up : row + 1 + down, back : column + 1 + on].reshape(-1, 4)
    (left_at, top_at), (right_at, bottom_at) = cells[:, :2].min(axis=0), cells[:, 2:].max(axis=0)
    side = max(right_at - left_at, bottom_at - top_at)
    width, height = grid.size
    x = _span(left_at, right_at, max(side, least * width), width)
    y = _span(top_at, bottom_at, max(side, least * height), height)
    return x[0], y[0], x[1], y[1]


def _span(low: float, high: float, length: float, limit: int) -> tuple[int, int]:
    """A span around low to high of at least `length`, in whole pixels from 0 to `limit`."""
    first, end = max(0, math.floor(low)), min(limit, math.ceil(high))
    whole = min(limit, max(end - first, math.ceil(length)))
    start = min(max(0, (first + end - whole) // 2), limit - whole)
    return start, start + whole


def random_box(box: Box, size: tuple[int, int], rng: np.random.Generator) -> Box:
    """A box of the same size from anywhere in the picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    left, top = (int(rng.integers(limit - length + 1)) for limit, length in zip(size, (width, height), strict=True))
    return left, top, left + width, top + height
