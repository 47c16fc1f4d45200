"""Train every lab model from nothing: seeded, on the CPU, the same weights for the same seed and thread count.

train_encoders()                 # once: the eyes and the words that all five models share
train_wiring("concat", seed=0)
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.draw import render_batch
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS, KINDS, all_questions
from vlmlens.lab.sample import Item, take
from vlmlens.lab.scenes import BOARD, CELLS, COLORS, SHAPES, SIZES, Scene
from vlmlens.lab.text import PAD, TextEncoder, encode
from vlmlens.lab.training.watch import gates
from vlmlens.lab.vision import SIDE, WIDTH, VisionEncoder

Report = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How one network is trained: `pool` items drawn once, `steps` batches from them, one-cycle learning rate."""

    pool: int
    steps: int
    batch: int = 256
    rate: float = 2e-3
    decay: float = 0.01
    emphasis: bool = False  # draw the kinds of question that are learnt last more often


VISION = Recipe(pool=20_000, steps=600, rate=3e-3)
TEXT = Recipe(pool=0, steps=400, batch=64)
WIRING = Recipe(pool=60_000, steps=1400, rate=3e-3, emphasis=True)


def wiring_recipe(name: str) -> Recipe:
    """The recipe of one wiring: alike for all but the number of steps."""
    return replace(WIRING, steps=WIRINGS[name].steps)


# How often each kind is drawn from the pool under `emphasis`; the pool itself holds all evenly. First evenly, because
# everything else stands on finding the thing that is asked about.
EMPHASIS = {"color": 0.5, "shape": 0.5, "size": 0.5, "exist": 1.0, "where": 1.5, "count": 2.0, "relation": 3.0}
EVENLY = 0.3  # of the steps
GATED = ("attention", "feed-forward")  # what the two gates of a gated look multiply


def batches(size: int, recipe: Recipe, seed: int, odds: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Index batches: the pool in a new order each time through; where `odds` [item] are given, later drawn by them."""
    rng = np.random.default_rng([4, seed])
    order, start = rng.permutation(size), 0
    for step in range(recipe.steps):
        if odds is not None and step >= EVENLY * recipe.steps:
            yield rng.choice(size, recipe.batch, p=odds)
            continue
        if start + recipe.batch > size:
            order, start = rng.permutation(size), 0
        yield order[start : start + recipe.batch]
        start += recipe.batch


def optimise(
    parameters: Sequence[nn.Parameter],
    recipe: Recipe,
    size: int,
    seed: int,
    loss_of: Callable[[np.ndarray], Tensor],
    report: Report,
    name: str,
    odds: np.ndarray | None = None,
    seen: Callable[[int, float], None] | None = None,
) -> None:
    """AdamW under a one-cycle schedule; `loss_of` takes the indices of a batch, `seen` step and loss now and then."""
    optimiser = torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.1)
    began = time.monotonic()
    for step, index in enumerate(batches(size, recipe, seed, odds), start=1):
        loss = loss_of(index)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == recipe.steps:
            report(f"{name}: step {step} of {recipe.steps}, loss {loss.item():.3f}, {time.monotonic() - began:.0f} s")
            if seen is not None:
                seen(step, loss.item())


def attributes(scenes: Sequence[Scene]) -> Tensor:
    """What every patch shows: int [scene, patch, (color, shape, size, cell)], 0 in the first three for nothing."""
    cells = np.zeros((len(scenes), CELLS, 4), np.int64)
    cells[:, :, 3] = np.arange(CELLS)
    for row, scene in zip(cells, scenes, strict=True):
        for thing in scene.things:
            look = COLORS.index(thing.color), SHAPES.index(thing.shape), SIZES.index(thing.size)
            row[thing.cell, :3] = np.add(look, 1)
    patch = np.arange(SIDE) * BOARD // SIDE
    cell_of_patch = (patch[:, None] * BOARD + patch).ravel()
    return torch.from_numpy(cells[:, cell_of_patch])


def train_vision(seed: int = 0, recipe: Recipe = VISION, report: Report = print) -> tuple[VisionEncoder, float]:
    """The eyes, and the accuracy with which they name colour, shape, size and cell of unseen patches (the least)."""
    torch.manual_seed(seed)
    encoder = VisionEncoder()
    sizes = (len(COLORS) + 1, len(SHAPES) + 1, len(SIZES) + 1, CELLS)
    probe = nn.Linear(WIDTH, sum(sizes))

    def losses(pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = probe(encoder(pixels)).split(sizes, dim=-1)
        parts = [F.cross_entropy(guess.flatten(0, 1), targets[..., i].flatten()) for i, guess in enumerate(logits)]
        right = torch.stack([(g.argmax(-1) == targets[..., i]).float().mean() for i, g in enumerate(logits)])
        return torch.stack(parts).sum(), right

    scenes = [item.scene for item in take("train", 1000 + seed, recipe.pool)]
    pixels, targets = torch.from_numpy(render_batch(scenes)), attributes(scenes)
    optimise(
        [*encoder.parameters(), *probe.parameters()],
        recipe,
        len(scenes),
        seed,
        lambda index: losses(pixels[index], targets[index])[0],
        report,
        "vision encoder",
    )
    unseen = [item.scene for item in take("validation", 1000 + seed, 1000)]
    with torch.no_grad():
        right = losses(torch.from_numpy(render_batch(unseen)), attributes(unseen))[1]
    report(f"vision encoder: accuracy by patch {right.tolist()} (color, shape, size, cell)")
    return encoder.requires_grad_(False).eval(), right.min().item()


def train_text(seed: int = 0, recipe: Recipe = TEXT, report: Report = print) -> TextEncoder:
    """The words: every word position must tell the question's kind, axis, and the colours and shapes it speaks of."""
    torch.manual_seed(seed)
    encoder = TextEncoder()
    questions = all_questions()
    kinds, axes = list(KINDS), ["", "row", "column"]

    def facts(index: int) -> list[int]:
        question = questions[index]
        row = [kinds.index(question.kind), axes.index(question.axis)]
        for pattern in (question.about[0], question.about[-1]):
            row.append(0 if pattern.color is None else COLORS.index(pattern.color) + 1)
            row.append(0 if pattern.shape is None else SHAPES.index(pattern.shape) + 1)
        return row

    sizes = (len(kinds), len(axes), *(len(COLORS) + 1, len(SHAPES) + 1) * 2)
    probe = nn.Linear(WIDTH, sum(sizes))
    ids = encode([question.text for question in questions])
    targets = torch.tensor([facts(i) for i in range(len(questions))])

    def loss_of(index: np.ndarray) -> Tensor:
        mask = ids[index] != PAD
        logits = probe(encoder(ids[index]))[mask].split(sizes, dim=-1)
        wanted = targets[index][:, None].expand(-1, ids.shape[1], -1)[mask]
        return torch.stack([F.cross_entropy(guess, wanted[:, i]) for i, guess in enumerate(logits)]).sum()

    optimise([*encoder.parameters(), *probe.parameters()], recipe, len(ids), seed, loss_of, report, "text encoder")
    return encoder.requires_grad_(False).eval()


@dataclass(frozen=True)
class Pool:
    """Items with their features computed once: the encoders are frozen."""

    image: Tensor  # float16 [item, patch, width]
    question: Tensor  # int [item], index into `all_questions`
    answer: Tensor  # int [item], index into `ANSWERS`


def make_pool(items: Sequence[Item], vision: VisionEncoder | LocalEyes) -> Pool:
    index = {question: i for i, question in enumerate(all_questions())}
    features = []
    with torch.no_grad():
        for start in range(0, len(items), 500):
            pixels = render_batch([item.scene for item in items[start : start + 500]])
            features.append(vision(torch.from_numpy(pixels)).half())
    return Pool(
        torch.cat(features),
        torch.tensor([index[item.question] for item in items]),
        torch.tensor([ANSWERS.index(item.answer) for item in items]),
    )


def train_wiring(
    name: str,
    seed: int,
    pool: Pool,
    vision: VisionEncoder,
    text: TextEncoder,
    recipe: Recipe | None = None,
    report: Report = print,
    width: int = WIDTH,
    curve: list[dict[str, float]] | None = None,
) -> LabModel:
    """Fusion and readout of one wiring over frozen encoders, by its own recipe unless another is given.

    `curve` is filled with the batch's loss every 100 steps and, where there are any, the gates: the tanh of each.
    """
    recipe = recipe or wiring_recipe(name)
    torch.manual_seed(seed)
    model = LabModel(name, width)
    model.vision, model.text = vision, text
    ids = encode([question.text for question in all_questions()])
    with torch.no_grad():
        words = text(ids)
    trained = [p for part in (model.fusion, model.readout) for p in part.parameters() if p.requires_grad]

    def loss_of(index: np.ndarray) -> Tensor:
        which = pool.question[index]
        logits = model.fuse(pool.image[index].float(), words[which], ids[which] != PAD)
        return F.cross_entropy(logits, pool.answer[index])

    def seen(step: int, loss: float) -> None:
        if curve is None:
            return
        point: dict[str, float] = {"step": step, "loss": round(loss, 4)}
        for number, pair in enumerate(gates(model), start=1):
            for of, gate in zip(GATED, pair or (), strict=False):
                point[f"{of}, layer {number}"] = round(gate, 4)
        curve.append(point)

    odds = None
    if recipe.emphasis:
        odds = np.array([EMPHASIS[question.kind] for question in all_questions()])[pool.question.numpy()]
        odds /= odds.sum()
    optimise(trained, recipe, len(pool.answer), seed, loss_of, report, f"lab:{name}@{seed}", odds, seen)
    return model.eval()
