"""The smallest change that flips the answer, by greedy search over patches, with patches in random order beside it.

1. Fill the patch that lowers the answer the most; again, until the answer is another.
2. Put back whatever can be put back without losing the flip. What is left is minimal: no patch of it can be spared.
   A smaller set that shares nothing with it may exist; greedy search does not promise the smallest of all.
3. Control: fill the patches in random order, one at a time, and count until the answer is another for the first time.
   Every step is asked, so that nothing is assumed of answers that flip back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from vlmlens.attention.masking import noise_floor
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress

SHAPE = (6, 6)  # rows and columns of the patches
ORDERS = 20
TINY = 1e-300  # a probability's logarithm stays finite

Fill = Callable[[Image.Image, np.ndarray], Image.Image]  # a picture and bool [height, width]: what is filled there
Stage = Literal["filling", "putting back", "random orders", "done"]


@dataclass(frozen=True, eq=False)
class Smallest:
    """What is known so far."""

    stage: Stage
    answer: str  # of the picture itself
    shape: tuple[int, int]  # rows and columns of the patches
    patches: tuple[int, ...]  # filled, row by row from 0, in the order of the search
    new_answer: str | None  # with these filled; None while the answer is still the old one
    probability: float  # of `answer` with these filled
    before: float  # and with none
    noise: float  # relative change of the probability by what must not matter
    margin: float  # nats: by how much the new answer is ahead of the old one; below 0 where there is no flip
    picture: Image.Image = field(repr=False)  # with these filled
    random: tuple[int | None, ...] = ()  # patches until the first flip, one a random order; None: never

    @property
    def count(self) -> int:
        """How many patches there are."""
        return self.shape[0] * self.shape[1]

    @property
    def flipped(self) -> bool:
        return self.new_answer is not None

    @property
    def within_noise(self) -> bool:
        """Whether the new answer leads by no more than noise that nobody sees could bring about."""
        return self.flipped and self.margin <= np.log1p(self.noise)

    @property
    def random_median(self) -> float:
        """Patches in random order until the first flip; infinite where most never flip, NaN for no orders."""
        return float(np.median([np.inf if n is None else n for n in self.random])) if self.random else float("nan")

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """The filled pixels of a picture of this width and height, bool [height, width]."""
        return patch_mask(self.patches, self.shape, size)

    def sentence(self) -> str:
        """What was found, in words with its numbers."""
        flips = [steps for steps in self.random if steps is not None]
        if not self.flipped:
            told = f"“{self.answer}” stays however many patches the search fills, up to all {self.count}"
            return f"{told}; {len(flips)} of {len(self.random)} random orders did change it." if flips else f"{told}."
        told = f"Filling {len(self.patches)} of {self.count} patches turns “{self.answer}” into “{self.new_answer}”"
        if self.within_noise:
            told += ", by no more than noise that nobody sees could"
        if not self.random:
            return f"{told}."
        orders, never = len(self.random), len(self.random) - len(flips)
        if 2 * never >= orders:
            return f"{told}; {never} of {orders} random orders never change it."
        told += f"; in random order it takes {self.random_median:g} (median of {orders} orders, {min(flips)} to "
        return f"{told}{max(flips)})." if not never else f"{told}{max(flips)}, {never} of them never)."

    def to_dict(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "new_answer": self.new_answer,
            "shape": list(self.shape),
            "patches": list(self.patches),
            "probability_before": self.before,
            "probability_after": self.probability,
            "margin": self.margin,
            "noise": self.noise,
            "within_noise": self.within_noise,
            "random": list(self.random),
            "sentence": self.sentence(),
        }


def mean_colour(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """The masked pixels in the picture's mean colour."""
    mean = np.asarray(image.convert("RGB"), float).mean(axis=(0, 1)).round().astype(np.uint8)
    return _put(image, Image.new("RGB", image.size, tuple(int(v) for v in mean)), mask)


def blurred(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """The masked pixels as a blur of a tenth of the shorter side leaves them."""
    return _put(image, image.convert("RGB").filter(ImageFilter.GaussianBlur(min(image.size) / 10)), mask)


def smallest(
    vlm: VLM,
    picture: Picture,
    question: str,
    fill: Fill = mean_colour,
    shape: tuple[int, int] = SHAPE,
    orders: int = ORDERS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Smallest]:
    """Search, yielding what is known after every round; the last one is "done".

    Args:
        fill: what a patch is filled with.
        shape: rows and columns of the patches, which are as equal as the pixels allow.
        orders: random orders of the control; 0 for none.

    Raises:
        NotApplicable: there are more patches than pixels.
    """
    image = vlm.image(picture)
    if not (0 < shape[0] <= image.height and 0 < shape[1] <= image.width):
        raise NotApplicable(
            f"A picture of {image.width} x {image.height} pixels has no {shape[1]} x {shape[0]} patches; ask for fewer."
        )
    search = _Search(vlm, image, question, fill, shape, progress or Progress())
    count = shape[0] * shape[1]
    yield (state := search.state("filling", ()))
    while not state.flipped and len(state.patches) < count:
        search.progress.step(0.5 * len(state.patches) / count, f"patch {len(state.patches) + 1}")
        left = [patch for patch in range(count) if patch not in state.patches]
        yield (state := search.state("filling", search.strongest([(*state.patches, patch) for patch in left])))
    while state.flipped and len(state.patches) > 1:
        search.progress.step(0.5, "putting patches back")
        fewer = [tuple(patch for patch in state.patches if patch != spared) for spared in state.patches]
        without = search.state("putting back", search.strongest(fewer))
        if not without.flipped:
            break
        yield (state := without)
    yield replace(state, stage="random orders")
    yield replace(state, stage="done", random=search.random_orders(orders, seed))


class _Tried(NamedTuple):
    """What the model says with some patches filled."""

    best: int
    probability: float  # of the picture's own answer
    margin: float  # nats: by how much the best other answer is ahead of it


class _Search:
    """One picture, one question: how far sets of filled patches push the answer."""

    def __init__(
        self, vlm: VLM, image: Image.Image, question: str, fill: Fill, shape: tuple[int, int], progress: Progress
    ) -> None:
        self.vlm, self.image, self.question = vlm, image, question
        self.fill, self.shape, self.progress = fill, shape, progress
        alone = vlm.probabilities([image], [question])[0]
        self.candidate = int(alone.argmax())
        self.before = float(alone[self.candidate])
        self.noise = noise_floor(vlm, image, question, self.candidate, self.before)
        self.known = {frozenset[int](): self._judged(alone)}

    def filled(self, patches: Sequence[int]) -> Image.Image:
        return self.fill(self.image, patch_mask(patches, self.shape, self.image.size)) if patches else self.image

    def tried(self, sets: Sequence[Sequence[int]]) -> list[_Tried]:
        """Every set filled alone; none is asked twice."""
        keys = [frozenset(patches) for patches in sets]
        new = [key for key in dict.fromkeys(keys) if key not in self.known]
        for start in range(0, len(new), self.vlm.items_at_once):
            part = new[start : start + self.vlm.items_at_once]
            shown = [self.filled(sorted(key)) for key in part]
            found = self.vlm.probabilities(shown, [self.question] * len(part))
            self.known |= dict(zip(part, map(self._judged, found), strict=True))
        return [self.known[key] for key in keys]

    def strongest(self, sets: Sequence[Sequence[int]]) -> Sequence[int]:
        """The set that pushes the answer the farthest; the first of equals."""
        margins = [tried.margin for tried in self.tried(sets)]
        return sets[int(np.argmax(margins))]

    def state(self, stage: Stage, patches: Sequence[int]) -> Smallest:
        (tried,) = self.tried([patches])
        return Smallest(
            stage,
            self.vlm.answer_text(self.candidate),
            self.shape,
            tuple(patches),
            None if tried.best == self.candidate else self.vlm.answer_text(tried.best),
            tried.probability,
            self.before,
            self.noise,
            tried.margin,
            self.filled(patches),
        )

    def random_orders(self, orders: int, seed: int) -> tuple[int | None, ...]:
        """Patches until the first flip, one an order; None where none comes."""
        count = self.shape[0] * self.shape[1]
        rng = np.random.default_rng(seed)
        every = [rng.permutation(count).tolist() for _ in range(orders)]
        found: list[int | None] = [None] * orders
        for steps in range(1, count + 1):
            going = [i for i in range(orders) if found[i] is None]
            if not going:
                break
            self.progress.step(0.5 + 0.5 * steps / count, f"random orders, {steps} of {count} patches")
            for i, tried in zip(going, self.tried([every[i][:steps] for i in going]), strict=True):
                found[i] = None if tried.best == self.candidate else steps
        return tuple(found)

    def _judged(self, probabilities: np.ndarray) -> _Tried:
        logs = np.log(probabilities.clip(TINY))
        others = np.delete(logs, self.candidate)
        own = float(probabilities[self.candidate])
        return _Tried(int(probabilities.argmax()), own, float(others.max() - logs[self.candidate]))


def patch_mask(patches: Sequence[int], shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The pixels of these patches, bool [height, width]."""
    width, height = size
    chosen = np.zeros(shape, bool)
    chosen.flat[list(patches)] = True
    down, across = np.arange(height) * shape[0] // height, np.arange(width) * shape[1] // width
    mask: np.ndarray = chosen[down[:, None], across]
    return mask


def _put(image: Image.Image, filling: Image.Image, mask: np.ndarray) -> Image.Image:
    return Image.composite(filling, image.convert("RGB"), Image.fromarray(mask))
