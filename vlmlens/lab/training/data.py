"""What a plan is trained on: items in blocks, and which of them each step takes, all a pure function of the plan.

Any block can be drawn without the ones before it, so a run that is taken up again goes on at once, with the same
batches, and nothing about chance has to be saved.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from vlmlens.lab.draw import render_batch
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.questions import ANSWERS, KINDS, all_questions
from vlmlens.lab.sample import Item, items
from vlmlens.lab.training.build import see_places
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.vision import VisionEncoder
from vlmlens.lab.weights import load_encoders, load_eyes
from vlmlens.progress import Progress

BLOCK = 256  # items that are drawn and encoded together; always these, so that rounding is always the same
TOGETHER = 8  # blocks whose items are shuffled among each other
MOST_FEATURES = 320 * 2**20  # bytes in memory, over all runs
MOST_BLOCKS = 300  # of scenes in memory, for runs that train the encoders

T = TypeVar("T")
Mix = tuple[tuple[str, float], ...]  # kind of question and odds, which sum to 1


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's items, or one block."""

    image: Tensor  # features, float16 [item, SIDE * SIDE, WIDTH]; or pixels, uint8 [item, y, x, rgb]
    question: Tensor  # int [item], index into `all_questions`
    answer: Tensor  # int [item], index into `ANSWERS`


def batch(plan: Plan, step: int, pixels: bool, progress: Progress | None = None) -> Batch:
    """What the update after `step` others learns from; `pixels` where the encoders learn, too."""
    index = chosen(plan, step)
    number = index // BLOCK
    found: list[Batch] = []
    for each in np.unique(number):
        if progress is not None:
            progress.check()  # a step after a pause may have several blocks to draw
        own = index[number == each] % BLOCK
        found.append(_pixels(plan, int(each), own) if pixels else _part(_features(plan, int(each)), own))
    back = torch.from_numpy(np.argsort(np.argsort(number, kind="stable"), kind="stable"))
    image, question, answer = (torch.cat(parts)[back] for parts in zip(*map(_tensors, found), strict=True))
    return Batch(image, question, answer)


def chosen(plan: Plan, step: int) -> np.ndarray:
    """Indices of the items of the pool: every item once before any comes again."""
    position = step * plan.batch + np.arange(plan.batch)
    passes, place = np.divmod(position, plan.pool)
    found = np.empty(plan.batch, np.int64)
    for each in np.unique(passes):
        mine = passes == each
        found[mine] = order(plan.pool, plan.seed, int(each))[place[mine]]
    return found


@lru_cache(maxsize=8)
def order(pool: int, seed: int, number: int) -> np.ndarray:
    """The order of one pass through the pool: the first as it is drawn, later ones shuffled.

    Blocks come in random order, and the items of `TOGETHER` blocks in a row are shuffled among each other: what is
    drawn is independent already, and few blocks have to be there for one step.
    """
    if number == 0:
        return np.arange(pool)
    rng = np.random.default_rng([5, seed, number])
    blocks = np.array_split(np.arange(pool), range(BLOCK, pool, BLOCK))
    found = np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])
    for start in range(0, pool, TOGETHER * BLOCK):
        rng.shuffle(found[start : start + TOGETHER * BLOCK])
    return found


def drawn(plan: Plan, number: int) -> tuple[Item, ...]:
    """A block of items, at the plan's prior and mix; of the last one the pool may use a part."""
    mix = odds(plan.mix)
    own = (1 + plan.seed) * 1_000_000 + number  # other than the seeds of the shipped models' pool
    if not mix:
        stream = items("train", own, plan.prior)
        return tuple(next(stream) for _ in range(BLOCK))
    streams = [items("train", own, plan.prior, (kind,)) for kind, _ in mix]
    kinds = np.random.default_rng([6, own]).choice(len(mix), BLOCK, p=[part for _, part in mix])
    return tuple(next(streams[i]) for i in kinds)


def odds(mix: Mapping[str, float]) -> Mix:
    """How likely each kind of question is; empty where the plan leaves them even."""
    total = sum(mix.values())
    return tuple((kind, mix[kind] / total) for kind in KINDS if mix.get(kind, 0) > 0)


@cache
def question_index() -> dict[str, int]:
    """The text of a question to its index in `all_questions`."""
    return {question.text: i for i, question in enumerate(all_questions())}


def ids_of(own: Sequence[Item]) -> tuple[Tensor, Tensor]:
    """Items as indices of their questions and answers, int [item] both."""
    index = question_index()
    return (
        torch.tensor([index[item.question.text] for item in own]),
        torch.tensor([ANSWERS.index(item.answer) for item in own]),
    )


class Kept(Generic[T]):
    """What was made last, up to so many units in all; shared by all threads."""

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self.most, self.size, self.used = most, size, 0
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        value = make()  # two threads may make the same: better than to wait for each other
        with self._lock:
            if key not in self._found:
                self._found[key] = value
                self.used += self.size(value)
            while self.used > self.most and len(self._found) > 1:
                self.used -= self.size(self._found.popitem(last=False)[1])
        return value


_kept_features: Kept[Batch] = Kept(MOST_FEATURES, lambda block: block.image.nbytes)
_kept_items: Kept[tuple[Item, ...]] = Kept(MOST_BLOCKS, lambda _: 1)


@cache
def _eyes(places: bool) -> VisionEncoder | LocalEyes:
    return load_encoders()[0] if places else load_eyes()


def _features(plan: Plan, number: int) -> Batch:
    """A block as the shared frozen encoder sees it."""
    places = see_places(plan)

    def make() -> Batch:
        own = drawn(plan, number)
        with torch.no_grad():
            image = _eyes(places)(torch.from_numpy(render_batch([item.scene for item in own]))).half()
        return Batch(image, *ids_of(own))

    return _kept_features.get((places, plan.prior, plan.seed, odds(plan.mix), number), make)


def _pixels(plan: Plan, number: int, own: np.ndarray) -> Batch:
    """Some items of a block as pixels."""
    every = _kept_items.get((plan.prior, plan.seed, odds(plan.mix), number), lambda: drawn(plan, number))
    found = [every[i] for i in own]
    return Batch(torch.from_numpy(render_batch([item.scene for item in found])), *ids_of(found))


def _part(block: Batch, own: np.ndarray) -> Batch:
    return Batch(block.image[own], block.question[own], block.answer[own])


def _tensors(found: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return found.image, found.question, found.answer
