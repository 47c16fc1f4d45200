"""Interventional PID: what the picture and the question do to the answer, exact for a chosen ensemble of both.

    found = interventional(vlm, pictures, questions, ensemble="32 scenes, color questions")
    found.pid.unique_1, found.image_share, found.sentence()

X1 is which of M pictures, X2 which of K questions, P(x1, x2, y) = weight(x1, x2) p_model(y | picture, question); all
pairs are asked. No clusters, no samples, no bias; and nothing said about any other ensemble.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from vlmlens.information.solver import PID, InformationError, decompose
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress

OPEN_VOCABULARY = 64  # with more candidates, those that never matter are counted as one
NEVER_MATTERS = 0.01  # probability, for every pair
NEGLIGIBLE = 1e-3  # bits; a share of less than this means nothing
WHILE_GROWING = 1e-4  # bits; the certified gap of what is drawn as it fills


@dataclass(frozen=True, eq=False)
class Interventional:
    """The decomposition and the table that it is of. Unique 1 is the picture's, unique 2 the question's."""

    pid: PID
    table: np.ndarray  # p(y | picture, question) [picture, question, answer]
    weights: np.ndarray  # [picture, question], sums to 1
    answers: tuple[str, ...]
    questions: tuple[str, ...]
    ensemble: str  # in words: over what it speaks
    layers: tuple[tuple[str, PID], ...] = field(default=())  # by the logit lens, before the model's own output

    @property
    def joint(self) -> np.ndarray:
        """P(picture, question, answer)."""
        return self.weights[:, :, None] * self.table

    @property
    def image_share(self) -> float:
        """Unique to the picture, of what is unique to either; NaN where both are nothing."""
        return unique_share(self.pid)

    @property
    def effects(self) -> tuple[float, float]:
        """Mean Jensen-Shannon divergence, bits, of the answers to two pictures, and to two questions."""
        return effect(self.table), effect(self.table.swapaxes(0, 1))

    @property
    def behavioural_share(self) -> float:
        """The picture's effect, of both effects; NaN where nothing has an effect."""
        image, question = self.effects
        return image / (image + question) if image + question > NEGLIGIBLE else float("nan")

    def sentence(self) -> str:
        """What decides, in words, with its number."""
        atoms = dict(
            zip(
                ("the picture alone", "the question alone", "either of them", "both together"),
                (self.pid.unique_1, self.pid.unique_2, self.pid.redundant, self.pid.synergistic),
                strict=True,
            )
        )
        total = self.pid.total
        over = self.ensemble or f"{len(self.table)} pictures and {len(self.questions)} questions"
        if total < 0.01:
            return f"Nothing changes the answer over {over}: {total:.3f} bit in all."
        name, bits = max(atoms.items(), key=lambda atom: atom[1])
        return f"Over {over}, {name} carries most: **{bits:.2f}** of {total:.2f} bits."

    def to_frame(self) -> pd.DataFrame:
        """One row a layer, the model's own output last."""
        named = [*self.layers, ("output", self.pid)]
        return pd.DataFrame([{"point": name, **pid.to_dict()} for name, pid in named])

    def _repr_html_(self) -> str:
        said = self.sentence().replace("**", "")
        return f"<p>{said}</p>{self.to_frame().to_html(index=False, float_format='%.3f')}"

    def to_dict(self) -> dict[str, Any]:
        share, behaviour = self.image_share, self.behavioural_share
        return {
            "ensemble": self.ensemble,
            "pictures": len(self.table),
            "questions": list(self.questions),
            "answers": list(self.answers),
            **self.pid.to_dict(),
            "image_share": None if share != share else share,
            "behavioural_share": None if behaviour != behaviour else behaviour,
            "effect_image": self.effects[0],
            "effect_question": self.effects[1],
            "layers": [{"point": name, **pid.to_dict()} for name, pid in self.layers],
        }


def interventional(
    vlm: VLM,
    pictures: Sequence[Picture],
    questions: Sequence[str],
    *,
    weights: Any = None,
    lens: bool = False,
    ensemble: str = "",
    tol: float = 1e-6,
    progress: Progress | None = None,
) -> Interventional:
    """Ask every question about every picture and decompose the answers.

    Args:
        weights: [picture, question], how often each pair occurs; by default all alike. Pairs of weight 0 say nothing.
        lens: also decompose what could be read out after every layer (logit lens).
        ensemble: what the pictures and questions are, in words.
        tol: the certified gap, bits. Below 1e-4, tables of hundreds of pairs take seconds.

    Raises:
        InformationError: fewer than two pictures or questions, or weights of another shape.
    """
    *_, last = growing(
        vlm,
        pictures,
        questions,
        weights=weights,
        lens=lens,
        ensemble=ensemble,
        tol=tol,
        progress=progress,
        every=len(pictures),
    )
    return last


def growing(
    vlm: VLM,
    pictures: Sequence[Picture],
    questions: Sequence[str],
    *,
    weights: Any = None,
    lens: bool = False,
    ensemble: str = "",
    tol: float = WHILE_GROWING,
    progress: Progress | None = None,
    every: int = 2,
) -> Iterator[Interventional]:
    """The same as it fills: a result over the pictures so far, after `every` so many of them and at the end."""
    questions = list(questions)
    if len(pictures) < 2 or len(questions) < 2:
        raise InformationError(
            f"{len(pictures)} pictures and {len(questions)} questions: at least two of each are needed, "
            "for what never changes cannot be seen to matter."
        )
    odds = np.ones((len(pictures), len(questions))) if weights is None else np.asarray(weights, float)
    if odds.shape != (len(pictures), len(questions)) or not np.isfinite(odds).all() or (odds < 0).any():
        raise InformationError(f"weights: not negative, one for each of {len(pictures)} x {len(questions)} pairs.")
    parts: list[np.ndarray] = []
    shown = 0
    progress = progress or Progress()
    for where, logits in vlm.crossed(pictures, questions, lens):
        progress.step(where.stop / len(pictures), f"picture {where.stop} of {len(pictures)}")
        parts.append(logits.double().softmax(-1).numpy())
        if where.stop == len(pictures) or (where.stop >= max(2, shown + every) and odds[: where.stop].any()):
            shown = where.stop
            tables = np.concatenate(parts, axis=1)  # [point, picture, question, candidate]
            parts = [tables]
            yield _result(vlm, tables, odds[:shown], tuple(questions), ensemble, tol)


def _result(
    vlm: VLM, tables: np.ndarray, odds: np.ndarray, questions: tuple[str, ...], ensemble: str, tol: float
) -> Interventional:
    if odds.sum() <= 0:
        raise InformationError("weights: at least one pair must occur.")
    weights = odds / odds.sum()
    kept = np.arange(tables.shape[-1])
    if tables.shape[-1] > OPEN_VOCABULARY:
        kept = np.flatnonzero(tables[-1].max(axis=(0, 1)) >= NEVER_MATTERS)
        rest = 1 - tables[..., kept].sum(axis=-1, keepdims=True)
        tables = np.concatenate([tables[..., kept], rest.clip(0)], axis=-1)
    names = tuple(vlm.answer_text(int(i)) for i in kept) + (("any other",) if tables.shape[-1] > len(kept) else ())
    pids = [decompose(weights[:, :, None] * table, tol) for table in tables]
    layers = tuple((f"after layer {i + 1}", pid) for i, pid in enumerate(pids[:-1]))
    return Interventional(pids[-1], tables[-1], weights, names, questions, ensemble, layers)


def unique_share(pid: PID) -> float:
    """CI: unique to X1 of what is unique to either."""
    one, two = max(0.0, float(pid.unique_1)), max(0.0, float(pid.unique_2))
    return one / (one + two) if one + two > NEGLIGIBLE else float("nan")


def effect(table: np.ndarray) -> float:
    """Mean over the second axis, and over pairs of the first, of the Jensen-Shannon divergence, bits [a, b, answer]."""
    count = len(table)
    mixed = sum(_entropy((table + np.roll(table, shift, axis=0)) / 2).mean() for shift in range(1, count))
    return max(0.0, float(mixed / (count - 1) - _entropy(table).mean()))


def _entropy(p: np.ndarray) -> np.ndarray:
    """Bits, over the last axis."""
    return -(p * np.log2(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1)
