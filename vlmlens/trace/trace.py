"""A trace: what one forward pass recorded, complete enough to draw every figure without the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vlmlens.errors import NotWatched
from vlmlens.trace.segments import Grid, Segment
from vlmlens.trace.watch import Rows

if TYPE_CHECKING:
    import pandas as pd

VERSION = "0.1.0"


@dataclass(frozen=True)
class Answer:
    """A candidate answer and the probability that the model gave it.

    `candidate` is its index among the model's logits (a token, in a decoder): text alone does not tell “red” at the
    start of a word from “red” inside one.
    """

    text: str
    probability: float
    candidate: int


@dataclass(frozen=True)
class Step:
    """One token of a generated answer: the one that was taken, and what else the model might have said there."""

    token: Answer
    ranked: tuple[Answer, ...]  # most probable first, whichever was taken


@dataclass(frozen=True)
class Place:
    """One layer's attention of one kind, as the trace keeps it.

    A layer of a wiring with two streams has one place for both: together their rows make up the row that the answer is
    read from. `competes` says whether image and text stand in one softmax here, `sinks` whether learned sinks, which
    are no position, take a part of each row; rows then sum to less than 1.
    """

    layer: int
    kind: Literal["self", "cross", "readout"]
    label: str
    competes: bool
    sinks: bool = False


@dataclass(frozen=True, eq=False)
class RowRecord:
    """What some rows did at every place."""

    positions: tuple[int, ...]  # of the rows; `length` stands for a readout
    attention: tuple[np.ndarray, ...]  # per place: float32 [head, row, position], 0 where the row may not look
    visible: tuple[np.ndarray, ...]  # per place: bool [row, position]
    parts: tuple[np.ndarray, ...] = ()  # per place: float32 [row, segment, width]
    update: tuple[np.ndarray, ...] = ()  # per place: float32 [row, width], their sum, computed the other way


@dataclass(frozen=True, eq=False)
class Trace:
    """One picture, one question, one answer.

    Where a model generates, the answer's tokens follow the prompt's; `rows["answer"]` and `steps` have one row and one
    step for each.
    """

    model: str
    revision: str
    question: str
    picture: bytes  # PNG or JPEG, as shown to people
    picture_hash: str  # sha256 of the picture's pixels as uploaded
    tokens: tuple[str, ...]
    segments: np.ndarray  # int8 [position], of Segment
    grid: Grid
    places: tuple[Place, ...]
    answers: tuple[Answer, ...]  # most probable first
    text: str  # the whole answer, where the model generates
    rows: Mapping[str, RowRecord]
    peaks: np.ndarray  # float32 [layer, position]: largest activation entering a layer, in units of the state's RMS
    version: str = field(default=VERSION)
    steps: tuple[Step, ...] = ()  # of the answer, where a model generates

    @property
    def answer(self) -> str:
        """The most probable answer."""
        return self.answers[0].text

    @property
    def probabilities(self) -> dict[str, float]:
        """Ranked answers with their probabilities."""
        return {answer.text: answer.probability for answer in self.answers}

    @property
    def length(self) -> int:
        """Token positions."""
        return len(self.tokens)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers whose attention `attention` returns: those of the answering stream."""
        return tuple(place.layer for place in self.places if place.kind != "cross")

    def record(self, rows: Rows) -> RowRecord:
        """Everything kept of some rows. Raises NotWatched where nothing was."""
        try:
            return self.rows[rows]
        except KeyError:
            kept = ", ".join(self.rows) or "none"
            raise NotWatched(
                f"This trace has no {rows!r} rows (it has: {kept}). Inspect again with Watch(rows=({rows!r},)); "
                "where that changes nothing, no such token asks anything in this model."
            ) from None

    def attention(self, rows: Rows = "last") -> np.ndarray:
        """Attention of self-attention and readout, float32 [layer, head, row, position]."""
        return self._stack(rows, cross=False)

    def cross(self, rows: Rows = "last") -> np.ndarray:
        """Attention of the cross-attention sites, float32 [layer, head, row, position]; may have no layers."""
        return self._stack(rows, cross=True)

    def visible(self, rows: Rows = "last") -> np.ndarray:
        """What each row may look at in self-attention, bool [row, position]."""
        record = self.record(rows)
        chosen = [v for place, v in zip(self.places, record.visible, strict=True) if place.kind != "cross"]
        return np.any(chosen, axis=0)

    def _stack(self, rows: Rows, cross: bool) -> np.ndarray:
        record = self.record(rows)
        chosen = [a for place, a in zip(self.places, record.attention, strict=True) if (place.kind == "cross") == cross]
        return np.stack(chosen) if chosen else np.zeros((0, 1, len(record.positions), self.length), np.float32)

    def at_step(self, step: int) -> "Trace":
        """The trace as the step that produced this token of the answer saw it: "last" is that step's row.

        Whatever is computed from the row that the answer is read from can so be asked of every token of the answer.
        Raises NotWatched where those rows were not kept.
        """
        if step == 0:
            return self
        record = self.record("answer")
        last = RowRecord(
            record.positions[step : step + 1],
            tuple(attention[:, step : step + 1] for attention in record.attention),
            *(
                tuple(array[step : step + 1] for array in kept)
                for kept in (record.visible, record.parts, record.update)
            ),
        )
        return replace(self, answers=self.steps[step].ranked, rows={**self.rows, "last": last})

    def segments_of(self, rows: Rows) -> tuple[Segment, ...]:
        """The segments that there are; the answer's only where one of these rows may look at it."""
        seen = np.any([visible.any(axis=0) for visible in self.record(rows).visible], axis=0)  # [position]
        said = self.segments == Segment.ANSWER
        return tuple(s for s in Segment if (said & seen if s == Segment.ANSWER else self.segments == s).any())

    def segment_positions(self, segment: Segment) -> np.ndarray:
        """int [position]"""
        return np.flatnonzero(self.segments == segment)

    def to_frame(self) -> "pd.DataFrame":
        """One row a token: position, text, segment, and the last row's head-mean attention at every layer."""
        import pandas as pd

        table: dict[str, Any] = {
            "position": range(self.length),
            "token": self.tokens,
            "segment": [Segment(s).word for s in self.segments],
        }
        record = self.record("last")
        for place, attention in zip(self.places, record.attention, strict=True):
            table[place.label] = attention.mean(axis=(0, 1))
        return pd.DataFrame(table)

    def to_dict(self) -> dict[str, Any]:
        """What the trace says in numbers that fit a JSON: no tensors."""
        return {
            "model": self.model,
            "revision": self.revision,
            "version": self.version,
            "question": self.question,
            "picture_sha256": self.picture_hash,
            "answer": self.answer,
            "text": self.text,
            "probabilities": self.probabilities,
            "tokens": list(self.tokens),
            "segments": [Segment(s).word for s in self.segments],
            "layers": [place.label for place in self.places],
            "steps": [{"token": step.token.text, "probability": step.token.probability} for step in self.steps],
        }

    def save(self, path: Any) -> None:
        """Write a trace file (safetensors) that `open_trace` reads without the model."""
        from vlmlens.trace.file import save_trace

        save_trace(self, path)
