"""Hard negatives: the same question on a scene that differs in one thing, and so has another answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vlmlens.lab.draw import render_batch
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.model import averaged
from vlmlens.lab.pitfalls.contrast import fits, own_first
from vlmlens.lab.pitfalls.remedy import Remedy, Step
from vlmlens.lab.questions import ANSWERS, all_questions
from vlmlens.lab.sample import Item, take
from vlmlens.lab.scenes import CELLS, COLORS, HELD_OUT_PAIRS, SHAPES, SIZES, Scene, split_of
from vlmlens.lab.text import encode
from vlmlens.lab.training.plan import Plan, PlanError
from vlmlens.lab.weights import load_encoders, load_eyes
from vlmlens.progress import Progress

PAIRS = 1500  # drawn once
BLOCK = 125  # of them drawn or encoded together, between two looks whether the person has stopped the run
AT_ONCE = 64  # of them in a step


@dataclass(frozen=True, eq=False)
class Pairs:
    """Questions, each with two scenes that differ in one thing and in the answer."""

    image: Tensor  # float16 [pair, (own, changed), patch, width]
    ids: Tensor  # int [pair, word]
    answer: Tensor  # int [pair, (own, changed)]


def one_thing_changed(scene: Scene, rng: np.random.Generator) -> Iterator[Scene]:
    """Every scene that differs in the color, shape, size or cell of one thing, in random order."""
    edits: list[tuple[int, str, object]] = []
    for thing in scene.things:
        edits += [(thing.cell, "color", color) for color in COLORS if color != thing.color]
        edits += [(thing.cell, "shape", shape) for shape in SHAPES if shape != thing.shape]
        edits += [(thing.cell, "size", size) for size in SIZES if size != thing.size]
        edits += [(thing.cell, "cell", cell) for cell in range(CELLS) if scene.at(cell) is None]
    for index in rng.permutation(len(edits)):
        cell, what, value = edits[index]
        yield scene.edit(cell, **{what: value})


def changed(item: Item, rng: np.random.Generator) -> Item | None:
    """The same question on a scene that differs in one thing, with the answer that it has there; None if none has."""
    for scene in one_thing_changed(item.scene, rng):
        answer = item.question.answer(scene)
        if answer in (None, item.answer) or split_of(scene) != "train":
            continue
        if not any(thing.pair in HELD_OUT_PAIRS for thing in scene.things):
            return replace(item, scene=scene, answer=str(answer))
    return None


def drawn(count: int, seed: int = 0, progress: Progress | None = None) -> list[tuple[Item, Item]]:
    """So many pairs of training items, or fewer where an item has no partner; the same for the same seed."""
    rng = np.random.default_rng([29, seed])
    found = []
    for number, item in enumerate(take("train", 2000 + seed, count)):
        if progress is not None and number % BLOCK == 0:
            progress.check()
        if (other := changed(item, rng)) is not None:
            found.append((item, other))
    return found


_ready: dict[tuple[int, int, bool], Pairs] = {}


def pairs(count: int = PAIRS, seed: int = 0, local: bool = False, progress: Progress | None = None) -> Pairs:
    """The same with features, by the shipped eyes, or by local ones; made at the first call. Raises Cancelled."""
    key = count, seed, local
    if key not in _ready:
        _ready[key] = _encoded(drawn(count, seed, progress), local, progress)
    return _ready[key]


def _encoded(items: list[tuple[Item, Item]], local: bool, progress: Progress | None) -> Pairs:
    vision = load_eyes() if local else load_encoders()[0]
    index = {question: i for i, question in enumerate(all_questions())}
    ids = encode([question.text for question in all_questions()])
    blocks = []
    for start in range(0, len(items), BLOCK):
        if progress is not None:
            progress.check()
        both = [[pair[side].scene for pair in items[start : start + BLOCK]] for side in (0, 1)]
        with torch.no_grad():
            blocks.append(torch.stack([vision(torch.from_numpy(render_batch(scenes))) for scenes in both], 1).half())
    return Pairs(
        torch.cat(blocks),
        ids[[index[item.question] for item, _ in items]],
        torch.tensor([[ANSWERS.index(item.answer) for item in pair] for pair in items]),
    )


def chosen(step: Step, total: int) -> Tensor:
    """Which pairs a step takes, int [pair]: by the answers of its batch alone, so that a resumed run takes the same."""
    seed = 0
    for answer in step.answer.tolist():
        seed = (31 * seed + answer + 1) % (2**31 - 1)
    return torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:AT_ONCE]


def frozen(asked: Plan, strength: float) -> Plan:
    """The plan itself. Raises PlanError where the encoders learn: the pairs are encoded once."""
    if strength > 0 and asked.rate_pretrained > 0:
        raise PlanError(
            "hard negatives are encoded once, by frozen encoders; set rate_pretrained to 0, or leave them out."
        )
    return asked


def loss(step: Step, strength: float) -> Tensor:
    """strength x InfoNCE, each answer's own scene against the other of its pair; both ways."""
    data = pairs(local=isinstance(step.model.vision, LocalEyes), progress=step.progress)
    index = chosen(step, len(data.ids))
    words, mask = step.model.words(data.ids[index])
    logits = [
        step.model.fuse(averaged(data.image[index, side].to(step.image.dtype), step.model.side), words, mask)
        for side in (0, 1)
    ]
    parts = []
    for side in (0, 1):
        answer = data.answer[index, side]
        parts.append(own_first(torch.stack([fits(logits[side], answer), fits(logits[1 - side], answer)], dim=1)))
    return strength * (parts[0] + parts[1]) / 2


REMEDY = Remedy(
    name="hard negatives",
    sentence="The same question on a scene that differs in one thing must get another answer (InfoNCE over both).",
    against="vision ignored, collapsed vision encoder",
    low=0.0,
    high=5.0,
    default=0.5,
    plan=frozen,
    loss=loss,
)
