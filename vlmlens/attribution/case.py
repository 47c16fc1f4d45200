"""What every method gets and gives: a case (model, picture, question, answer) in, a map over the cells out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture, Prepared
from vlmlens.models.inside import Eyes
from vlmlens.trace import Answer, Trace

if TYPE_CHECKING:
    import pandas as pd

PASSES = 400  # forward passes that a sampling method may spend


@dataclass(frozen=True, eq=False)
class Case:
    """One question whose answer is to be explained; with `against`, why this answer and not that one."""

    vlm: VLM
    picture: Picture
    question: str
    trace: Trace
    against: Answer | None = None
    chosen: Answer | None = None  # the answer to explain; the model's own if None
    fusion: tuple[int, ...] = ()  # layers found by a masking sweep
    review: int | None = None
    passes: int = PASSES
    seed: int = 0

    @property
    def answer(self) -> Answer:
        """The one that is explained."""
        return self.chosen or self.trace.answers[0]

    @cached_property
    def prepared(self) -> Prepared:
        return self.vlm.prepare(self.vlm.image(self.picture), self.question)

    @cached_property
    def eyes(self) -> Eyes:
        """Raises NotApplicable where pixels do not belong to cells."""
        return self.vlm.eyes(self.prepared)

    @property
    def projector(self) -> nn.Module:
        """Its output: a token for each cell. Raises NotApplicable where the vision encoder gives others."""
        if self.eyes.projector is None:
            raise NotApplicable(
                f"{self.vlm.info.family} does not make one token of each patch at once; there is no layer to take the "
                "gradient by."
            )
        return self.eyes.projector

    def score(self, logits: Tensor) -> Tensor:
        """What methods explain, nats [batch], from logits [batch, candidate].

        The answer's log-odds, which do not saturate where it is nearly certain; with `against`, the difference of the
        two log-probabilities.
        """
        mine = logits[:, self.answer.candidate]
        if self.against is not None:
            return mine - logits[:, self.against.candidate]
        others = logits.clone()
        others[:, self.answer.candidate] = -torch.inf
        return mine - others.logsumexp(-1)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """The model to oneself, gradients on."""
        with self.vlm.lock, torch.enable_grad(), self.vlm.listening():
            yield

    def of_pixels(self, pixels: Tensor) -> Tensor:
        """The score of pictures as the vision encoder gets them."""
        return self.score(self.eyes.logits(pixels).float())

    @property
    def named(self) -> str:
        """The answer whose probability is followed; with `against`, of these two alone."""
        return self.answer.text if self.against is None else f"{self.answer.text} over {self.against.text}"

    def explained(self) -> str:
        """What `score` is, in words."""
        return "log-odds" if self.against is None else f"lead over “{self.against.text}”"


@dataclass(frozen=True, eq=False)
class Map:
    """What one method marks on the picture, slice by slice (a slice is a layer, mostly)."""

    method: str
    labels: tuple[str, ...]
    values: np.ndarray  # float32 [slice, head, cell]
    unit: str  # of a value, in words
    signed: bool = False
    first: int = 0  # the slice to show
    words: np.ndarray | None = None  # str [slice, cell]
    note: str = ""  # what was chosen or spent

    def cells(self, place: int | None = None) -> np.ndarray:
        """One slice, mean over heads, [cell]."""
        mean: np.ndarray = self.values[self.first if place is None else place].mean(axis=0)
        return mean

    def to_dict(self) -> dict[str, Any]:
        """All slices, mean over heads."""
        return {
            "method": self.method,
            "unit": self.unit,
            "note": self.note,
            "slices": {label: self.cells(place).tolist() for place, label in enumerate(self.labels)},
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row a slice, head and cell."""
        import pandas as pd

        slices, heads, cells = self.values.shape
        columns = {
            "slice": np.repeat(np.array(self.labels), heads * cells),
            "head": np.tile(np.repeat(np.arange(heads), cells), slices),
            "cell": np.tile(np.arange(cells), slices * heads),
            "value": self.values.ravel(),
        }
        if self.words is not None:
            columns["word"] = np.repeat(self.words[:, None], heads, axis=1).ravel()
        return pd.DataFrame(columns)


def single(method: str, cells: np.ndarray, unit: str, signed: bool = True, note: str = "") -> Map:
    """A map with one slice and no heads."""
    return Map(method, ("all layers",), np.asarray(cells, np.float32)[None, None], unit, signed, note=note)


def by_cell(pixels: Tensor, cells: Tensor, count: int) -> np.ndarray:
    """The sum of values at pixels [...] over each cell, [cell]."""
    index = cells.expand_as(pixels).reshape(-1)
    return torch.zeros(count, dtype=torch.float64).index_add(0, index.cpu(), pixels.double().reshape(-1).cpu()).numpy()


def blocks(shape: tuple[int, int], most: int) -> np.ndarray:
    """Neighbouring cells put together until no more than `most` regions are left: region of each cell, int [cell]."""
    rows, columns = shape
    side = 1
    while -(-rows // side) * -(-columns // side) > most:
        side += 1
    r, c = np.arange(rows) // side, np.arange(columns) // side
    regions: np.ndarray = (r[:, None] * -(-columns // side) + c).ravel()
    return regions


def plain_fill(eyes: Eyes) -> Tensor:
    """The picture's mean colour, [1, ...] as the vision encoder gets it."""
    across = tuple(axis for axis in range(1, eyes.pixels.ndim) if eyes.cells.shape[axis] > 1)
    return eyes.pixels.mean(dim=across, keepdim=True).expand_as(eyes.pixels)


def through(trace: Trace) -> str:
    """How attention to tokens that have no place of their own was put on the picture, in words; "" where all have."""
    if trace.grid.through is None:
        return ""
    return (
        f"Drawn through the Q-Former: its {len(trace.grid.wide_positions)} queries have no place on the picture, so "
        "what goes to each is spread over the patches as that query's cross-attention is (mean over heads and layers)."
    )
