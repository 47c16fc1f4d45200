"""How a model in training stands: held-out accuracy with and without the picture, image share, gates, gradients.

All of it on the same few validation items for every run, at the prior of the cards, so that runs can be compared.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from vlmlens.lab.draw import render_batch
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import KINDS, all_questions
from vlmlens.lab.sample import PRIOR, best_blind_accuracy, take
from vlmlens.lab.scenes import Scene
from vlmlens.lab.text import encode
from vlmlens.lab.training.build import grouped
from vlmlens.lab.training.data import ids_of
from vlmlens.lab.training.plan import Plan

ITEMS = 256  # of the validation split
SHARED = 64  # of these, for the two image shares
LEAST_EFFECT = 1e-3  # bits, of picture and question together; below it a share says nothing
LEAST = 12  # measurements of a run of 120 steps or more
SHARE = 0.05  # of the time of training that watching may take, by the number of passes


@dataclass(frozen=True)
class Measured:
    """Where a run stands after a step. Accuracies are fractions of `n` validation items; gradients are before clipping.

    `image_share` is by behavior: the part of the picture in how far (Jensen-Shannon divergence, bits) the answer moves
    when the picture, or the question, is another item's. `gradient_share` is by gradient x input of the answer's logit
    at what enters the fusion: the sum over positions of |gradient . input|, of the picture's by all. None where there
    is too little to share.
    """

    n: int
    accuracy: float
    blind: float  # the picture replaced by an empty board
    by_kind: Mapping[str, float]
    image_effect: float  # bits
    question_effect: float  # bits
    image_share: float | None
    gradient_share: float | None
    gates: tuple[tuple[float, float] | None, ...]  # by layer: tanh of the gates of attention and of the feed-forward
    gradients: Mapping[str, float]  # norm by group
    layers: tuple[float, ...]  # norm by layer of the fusion
    last_cross: float | None  # norm at the attention of the last layer in which a stream looks at another

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy, Wilson's, 95 %."""
        return wilson(self.accuracy * self.n, self.n)

    @property
    def blind_interval(self) -> tuple[float, float]:
        return wilson(self.blind * self.n, self.n)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"by_kind": dict(self.by_kind), "gradients": dict(self.gradients)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Measured":
        """Raises TypeError or KeyError for what was not written by `to_dict`."""
        known = {each.name: data[each.name] for each in fields(cls)}
        gates = tuple(None if pair is None else (float(pair[0]), float(pair[1])) for pair in known["gates"])
        return cls(**{**known, "gates": gates, "layers": tuple(known["layers"])})


@dataclass(frozen=True)
class Gradients:
    """Norms of the gradient of one step's loss, before clipping."""

    groups: Mapping[str, float]
    layers: tuple[float, ...]
    last_cross: float | None

    @classmethod
    def of(cls, model: LabModel) -> "Gradients":
        """Of what `backward` has left in the parameters; what is frozen has none and counts as 0."""
        links = model.fusion.links()
        crossing = [link.attention for layer in links for link in layer if link.look.kind == "cross"]
        return cls(
            {group: norm(found.values()) for group, found in grouped(model).items()},
            tuple(norm(p for link in layer for p in link.parameters()) for layer in links),
            norm(crossing[-1].parameters()) if crossing else None,
        )


def norm(parameters: Iterable[nn.Parameter]) -> float:
    """Of the gradients of parameters, taken as one vector."""
    return math.sqrt(sum(float(p.grad.double().pow(2).sum()) for p in parameters if p.grad is not None))


def interval_of(plan: Plan) -> int:
    """Every how many steps a run is measured: so rarely that it takes about SHARE of the time of training.

    A step passes `batch` items forward and backward, which costs as much as three passes forward; a measurement passes
    ITEMS forward twice, SHARED twice, and SHARED forward and backward. A short run is measured `LEAST` times at least,
    because its curves are what it is made for.
    """
    passes = 2 * ITEMS + (2 + 3) * SHARED
    return min(max(25, math.ceil(passes / (3 * plan.batch * SHARE))), max(10, plan.steps // LEAST))


@dataclass(frozen=True, eq=False)
class Held:
    """The validation items, ready to be asked."""

    pixels: Tensor  # uint8 [item, y, x, rgb]
    blank: Tensor  # the same of an empty board with the same noise
    question: Tensor  # int [item]
    answer: Tensor  # int [item]
    kind: tuple[str, ...]


@cache
def held() -> Held:
    own = take("validation", 11, ITEMS)
    blank = [Scene(noise_seed=item.scene.noise_seed) for item in own]
    pixels = torch.from_numpy(render_batch([item.scene for item in own]))
    kinds = tuple(item.question.kind for item in own)
    return Held(pixels, torch.from_numpy(render_batch(blank)), *ids_of(own), kinds)


@cache
def blind_ceiling() -> float:
    """The accuracy on the validation items that the prior allows to a model that never looks."""
    questions = all_questions()
    return best_blind_accuracy(PRIOR, [questions[i] for i in held().question.tolist()])


class Watcher:
    """Measures one model again and again; what its frozen encoders make of the items is computed once."""

    def __init__(self, model: LabModel, frozen: bool) -> None:
        self.model, self.frozen = model, frozen
        self._features: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def features(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image tokens of the items and of empty boards, words, word mask."""
        if self._features is not None:
            return self._features
        found = held()
        with torch.no_grad():
            image, blank = (self.model.see(pixels) for pixels in (found.pixels, found.blank))
            words, mask = self.model.words(encode([question.text for question in all_questions()]))
            features = image, blank, words[found.question], mask[found.question]
        if self.frozen:
            self._features = features
        return features

    def measure(self, gradients: Gradients) -> Measured:
        """Leaves the model as it is; `gradients` are those of the step before."""
        found, model = held(), self.model
        training = model.training
        model.eval()
        image, blank, words, mask = self.features()
        few = slice(SHARED)
        others = torch.arange(1, SHARED + 1) % SHARED  # every item's donor is the next one
        try:
            with torch.no_grad():
                seeing = model.fuse(image, words, mask)
                right = seeing.argmax(-1) == found.answer
                blind = model.fuse(blank, words, mask).argmax(-1) == found.answer
                own = seeing[few].double().softmax(-1)
                by_image = divergence(own, model.fuse(image[others], words[few], mask[few]).double().softmax(-1))
                by_words = divergence(own, model.fuse(image[few], words[others], mask[others]).double().softmax(-1))
            gradient = gradient_share(model, image[few], words[few], mask[few])
        finally:
            model.train(training)
        kinds = {kind: [i for i, own in enumerate(found.kind) if own == kind] for kind in KINDS}
        both = by_image + by_words
        return Measured(
            n=ITEMS,
            accuracy=float(right.double().mean()),
            blind=float(blind.double().mean()),
            by_kind={kind: round(float(right[index].double().mean()), 5) for kind, index in kinds.items() if index},
            image_effect=by_image,
            question_effect=by_words,
            image_share=by_image / both if both > LEAST_EFFECT else None,
            gradient_share=gradient,
            gates=gates(model),
            gradients=gradients.groups,
            layers=gradients.layers,
            last_cross=gradients.last_cross,
        )


def gates(model: LabModel) -> tuple[tuple[float, float] | None, ...]:
    """By layer, the tanh of the gates of attention and of the feed-forward; None where a layer has none."""
    found: list[tuple[float, float] | None] = []
    for layer in model.fusion.links():
        pairs = [pair for link in layer if (pair := link.gates()) is not None]
        found.append((float(pairs[0][0].detach()), float(pairs[0][1].detach())) if pairs else None)
    return tuple(found)


def divergence(one: Tensor, other: Tensor) -> float:
    """Mean Jensen-Shannon divergence of answers [item, answer], bits."""

    def entropy(p: Tensor) -> Tensor:
        return -torch.xlogy(p, p).sum(-1) / math.log(2)

    return float((entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2).mean().clamp_min(0))


def gradient_share(model: LabModel, image: Tensor, words: Tensor, mask: Tensor) -> float | None:
    """The picture's part of gradient x input (Shrikumar et al., 2016) of the answer's logit, at the entrances."""
    entered: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        entered.append(output.detach().requires_grad_())
        return entered[-1]

    entrances = (model.fusion.enter_image, model.fusion.enter_question)
    hooks = [entrance.register_forward_hook(keep) for entrance in entrances]
    try:
        with torch.enable_grad():
            score = model.fuse(image, words, mask).amax(-1).sum()
            slopes = torch.autograd.grad(score, entered, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    sums = [
        0.0 if slope is None else float((slope * states.detach()).sum(-1).abs().double().sum())
        for slope, states in zip(slopes, entered, strict=True)
    ]
    total = sum(sums)
    return sums[0] / total if total > 0 and math.isfinite(total) else None
