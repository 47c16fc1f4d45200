"""Activation patching: states of one run put into another, to find where what tells the two apart is held.

Vig et al. (NeurIPS 2020, causal mediation), Meng et al. (NeurIPS 2022, causal tracing). As Zhang and Nanda (ICLR 2024,
arXiv 2309.16042) advise, what is followed is the log-odds of the two runs' answers, and the two directions are told
apart: clean states into the changed run show what suffices for the clean answer ("restore"), changed states into the
clean run what it needs ("break").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from vlmlens.attention.masking import unseen_changes
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture
from vlmlens.models.inside import branched
from vlmlens.models.many import log_odds, probability
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.trace import Branch, Replace, Segment
from vlmlens.trace.capture import Recorder, recording

if TYPE_CHECKING:
    import pandas as pd

By = Literal["segment", "position", "cell"]
Direction = Literal["restore", "break"]
Asked = tuple[Picture, str]  # a picture and a question
EVERYTHING = "everything"  # the control: all positions at once
LAST = "last row"
LEAST_NOISE = 1e-4  # nats: sums of float32 in another order differ by as much


@dataclass(frozen=True, eq=False)
class Patching:
    """How much of the way from one run's answer to the other's each patch goes.

    0 where a patch changes nothing, 1 where it does what replacing the whole input does; it may go beyond, or the other
    way. All NaN where the two runs differ by no more than `noise`.
    """

    direction: Direction
    by: By
    labels: tuple[str, ...]  # of the layers that the states enter
    layers: tuple[int, ...]
    groups: tuple[str, ...]  # of positions; they may overlap, the last row is a part of its segment
    shape: tuple[int, int] | None  # rows and columns of the groups, where they are cells of the picture
    odds: np.ndarray  # [layer, group], nats: log-odds of the clean answer after the patch
    clean_odds: float
    changed_odds: float
    answers: tuple[str, str]  # of the clean and of the changed run
    clean_probabilities: tuple[float, float]  # of these two answers in the clean run
    changed_probabilities: tuple[float, float]
    noise: float  # nats: the largest change of the log-odds by what must not matter

    @property
    def alike(self) -> bool:
        """Whether both runs give the same answer; the log-odds are then its own against all others."""
        return self.answers[0] == self.answers[1]

    @property
    def conclusive(self) -> bool:
        return abs(self.clean_odds - self.changed_odds) > self.noise

    @property
    def restored(self) -> np.ndarray:
        """[layer, group]: the fraction of the difference that is restored, or broken; NaN where there is none."""
        if not self.conclusive:
            return np.full_like(self.odds, np.nan)
        start, end = self.changed_odds, self.clean_odds
        if self.direction == "break":
            start, end = end, start
        return (self.odds - start) / (end - start)

    def of(self, group: str) -> np.ndarray:
        """One group, [layer]."""
        return self.restored[:, self.groups.index(group)]

    def sentence(self) -> str:
        """What was found, in words with its numbers."""
        clean = self.answers[0]
        if not self.conclusive:
            return (
                f"Inconclusive: the log-odds of “{clean}” are {self.clean_odds:.2f} in one run and "
                f"{self.changed_odds:.2f} in the other, which is within the noise floor of {self.noise:.2g}."
            )
        told = f"Both runs answer “{clean}”; followed are its log-odds against all other answers. " * self.alike
        single = [place for place, group in enumerate(self.groups) if group != EVERYTHING]
        layer, column = np.unravel_index(self.restored[:, single].argmax(), (len(self.labels), len(single)))
        name, most = self.groups[single[column]], self.restored[layer, single[column]]
        where = f"“{name}” entering {self.labels[layer].split(':')[0]}"
        if self.direction == "restore":
            return f"{told}States of the clean run restore “{clean}” the most in {where}: {most:.0%} of the difference."
        return f"{told}States of the changed run break “{clean}” the most in {where}: {most:.0%} of the difference."

    def to_frame(self) -> "pd.DataFrame":
        """One row a layer and group."""
        import pandas as pd

        count = len(self.groups)
        return pd.DataFrame(
            {
                "layer": np.repeat(self.layers, count),
                "label": np.repeat(self.labels, count),
                "group": self.groups * len(self.labels),
                "restored": self.restored.ravel(),
                "log_odds": self.odds.ravel(),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "direction": self.direction,
            "by": self.by,
            "layers": list(self.labels),
            "groups": list(self.groups),
            "restored": self.restored.tolist() if self.conclusive else None,  # JSON has no NaN
            "log_odds": self.odds.tolist(),
            "answers": list(self.answers),
            "log_odds_of_runs": [self.clean_odds, self.changed_odds],
            "probabilities": {
                "clean": list(self.clean_probabilities),
                "changed": list(self.changed_probabilities),
            },
            "noise": self.noise,
            "sentence": self.sentence(),
        }


@dataclass(frozen=True, eq=False)
class Group:
    """Positions that are patched together; `own` in the run that is patched, `other` where the states come from."""

    name: str
    own: tuple[int, ...]
    other: tuple[int, ...]


def patch(
    vlm: VLM,
    clean: Asked,
    changed: Asked,
    by: By = "segment",
    direction: Direction = "restore",
    progress: Progress | None = None,
) -> Patching:
    """Put states of one run into the other, one layer and one group of positions at a time.

    Args:
        clean, changed: a picture and a question each; the picture differs, or the question, or both.
        by: groups are segments, the last row and everything; or single positions; or the image token of each cell.
        direction: see above.

    Where the questions differ in length, only the picture's tokens stand for the same in both runs, and only they are
    patched.

    Raises:
        NotApplicable: the two runs have no tokens that stand for the same, or nothing of the kind of `by`.
    """
    ready = [vlm.prepare(vlm.image(picture), question) for picture, question in (clean, changed)]
    own, other = (1, 0) if direction == "restore" else (0, 1)
    states, there = entering_states(vlm, ready[other])
    here = range(there.start, there.stop + ready[own].length - ready[other].length)
    groups = _groups(vlm, ready[own], ready[other], here, there, by)
    labels = {site.layer: site.label for site in vlm.sites(ready[own]).values()}
    layers = tuple(layer for layer in sorted(labels) if layer in states and layer >= vlm.whole_from)
    branches = [
        Branch(layer, (Replace(layer, group.own, states[layer][np.array(group.other) - there.start]),))
        for layer in layers
        for group in groups
    ]
    alone, patched = branched(vlm, ready[own], branches, progress)
    base, source = alone[None], _logits(vlm, ready[other])
    both = (source, base) if direction == "restore" else (base, source)
    candidates = int(both[0].argmax()), int(both[1].argmax())
    against = candidates[1] if candidates[0] != candidates[1] else None

    def follow(logits: Tensor) -> np.ndarray:
        return log_odds(logits, candidates[0], against)

    odds = float(follow(both[0])[0]), float(follow(both[1])[0])

    def of_answers(logits: Tensor) -> tuple[float, float]:
        one, another = (float(probability(logits, candidate)[0]) for candidate in candidates)
        return one, another

    return Patching(
        direction=direction,
        by=by,
        labels=tuple(labels[layer] for layer in layers),
        layers=layers,
        groups=tuple(group.name for group in groups),
        shape=ready[own].grid.shape if by == "cell" else None,
        odds=follow(patched).reshape(len(layers), len(groups)),
        clean_odds=odds[0],
        changed_odds=odds[1],
        answers=(vlm.answer_text(candidates[0]), vlm.answer_text(candidates[1])),
        clean_probabilities=of_answers(both[0]),
        changed_probabilities=of_answers(both[1]),
        noise=max(_noise(vlm, asked, follow, alone) for asked, alone in zip((clean, changed), odds, strict=True)),
    )


def _logits(vlm: VLM, prepared: Prepared) -> Tensor:
    with vlm.lock:
        return vlm.run(prepared, None)[0]


def _noise(vlm: VLM, asked: Asked, follow: Callable[[Tensor], np.ndarray], alone: float) -> float:
    """Nats: the largest change of the log-odds under changes of the picture that nobody sees."""
    found = follow(torch.from_numpy(unseen_changes(vlm, *asked)).clamp_min(1e-300).log())
    return max(float(np.abs(found - alone).max()), LEAST_NOISE)


def entering_states(vlm: VLM, prepared: Prepared) -> tuple[dict[int, np.ndarray], range]:
    """States float32 [position, width] entering every layer, and the positions that enter layers at all.

    Some families have positions before those (patches that only a Q-Former reads) or after (the tokens of a decoder
    that follows an encoder).
    """
    found: dict[int, np.ndarray] = {}

    def see(layer: int, states: Tensor) -> None:
        found[layer] = states[0].float().cpu().numpy()

    sites = vlm.sites(prepared)
    with vlm.lock, torch.inference_mode(), vlm.listening(), recording(Recorder({}, prepared.segments, {}, see=see)):
        vlm.logits(prepared)
    first = min(min(site.keys) for site in sites.values())
    return found, range(first, first + len(next(iter(found.values()))))


def _groups(vlm: VLM, own: Prepared, other: Prepared, here: range, there: range, by: By) -> list[Group]:
    """What is patched together. Raises NotApplicable."""
    image, theirs = _image(own, here), _image(other, there)
    if len(image) != len(theirs) or own.grid.shape != other.grid.shape:
        one, two = (f"{len(tokens)} tokens" for tokens in (image, theirs))
        if one == two:
            one, two = (" x ".join(map(str, prepared.grid.shape)) + " cells" for prepared in (own, other))
        raise NotApplicable(
            f"{vlm.name} makes {one} of one picture and {two} of the other, so that they do not stand for the same; "
            "give both pictures one size."
        )
    match = here == there and np.array_equal(own.segments, other.segments)
    moved = dict(zip(image.tolist(), theirs.tolist(), strict=True))  # a question before the picture shifts it

    def group(name: str, positions: np.ndarray) -> Group:
        whose = positions.tolist() if match else [moved[int(position)] for position in positions]
        return Group(name, tuple(positions.tolist()), tuple(whose))

    if by == "cell":
        if own.grid.through is not None:
            raise NotApplicable(f"The patches themselves enter no layer of {vlm.name}'s decoder; patch its segments.")
        if not own.grid.cells:
            raise NotApplicable(f"It is not known where {vlm.name}'s image tokens lie; patch segments or positions.")
        rows, columns = own.grid.shape
        names = [f"row {row + 1}, column {column + 1}" for row in range(rows) for column in range(columns)]
        return [group(name, np.array([at])) for name, at in zip(names, own.grid.positions, strict=True)]
    if by == "position":
        among = np.arange(here.start, here.stop) if match else image
        return [group(f"{at} {own.tokens[at]}", np.array([at])) for at in among]
    if not match:
        return [group(Segment.IMAGE.word, image)]
    inside = own.segments[here.start : here.stop]
    found = [
        group(segment.word, np.flatnonzero(inside == segment) + here.start)
        for segment in Segment
        if (inside == segment).any()
    ]
    if own.row in here:
        found.append(group(LAST, np.array([own.row])))
    return [*found, group(EVERYTHING, np.array(here))]


def _image(prepared: Prepared, entering: range) -> np.ndarray:
    """Positions of the image tokens that enter layers, int [token]."""
    return np.flatnonzero(prepared.segments[entering.start : entering.stop] == Segment.IMAGE) + entering.start
