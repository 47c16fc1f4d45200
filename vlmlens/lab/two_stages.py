"""The two stages of a Q-Former in small: align it with words, then connect it to a frozen language model.

    for found in run(seed=0):        # a few minutes of one core; `found` grows
        ...

Stage 1: the frozen eyes' features, ITC + ITM + ITG with sentences. Stage 2: a projection puts the Q-Former's outputs in
the place of a sentence before a frozen reader (BLIP-2, Li et al., ICML 2023, sections 3.1 and 3.2).
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.captions import BEGIN, END, KINDS, MOST_CAPTION, NUMBER, TELL, Told, numbers, pairs
from vlmlens.lab.draw import render_batch
from vlmlens.lab.qformer import QFormer, losses
from vlmlens.lab.reader import Reader, reader_loss
from vlmlens.lab.vision import VisionEncoder
from vlmlens.lab.weights import load_encoders
from vlmlens.progress import Progress

GALLERY = 64  # pictures and sentences that retrieval picks from
CHANCE = 1 / GALLERY


@dataclass(frozen=True)
class Schedule:
    """How long each part is trained, and on what."""

    read: int = 30_000  # sentences with a question that the reader learns from; no picture is drawn for them
    pool: int = 12_000  # pictures of two things, each with a sentence and a question
    tested: int = 1024  # held-out ones
    batch: int = 128
    reader: int = 1600  # steps
    align: int = 500
    connect: int = 700  # of every variant
    rate: float = 3e-3
    every: int = 50  # steps between two points of a curve


@dataclass(frozen=True)
class Variant:
    """One way to bring a picture to the reader."""

    name: str
    sentence: str  # for people
    aligned: bool = False  # begins with the Q-Former of stage 1
    trained: tuple[str, ...] = ()  # of "projection", "Q-Former", "reader"
    reads: str = "queries"  # what stands before the question: "queries", "sentence", "nothing"


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("true description", "The reader is given the true sentence.", reads="sentence"),
        Variant(
            "stage 1, then projection and Q-Former",
            "The aligned Q-Former goes on learning with the projection; the reader is frozen.",
            aligned=True,
            trained=("projection", "Q-Former"),
        ),
        Variant(
            "stage 1, then projection only",
            "Only a projection learns; Q-Former and reader are frozen.",
            aligned=True,
            trained=("projection",),
        ),
        Variant(
            "no stage 1, projection and Q-Former",
            "The Q-Former begins from nothing and learns with the projection; the reader is frozen.",
            trained=("projection", "Q-Former"),
        ),
        Variant(
            "no stage 1, all end to end",
            "Q-Former and projection begin from nothing, and the reader learns with them.",
            trained=("projection", "Q-Former", "reader"),
        ),
        Variant(
            "no stage 1, projection only",
            "Only a projection learns, over a Q-Former that has learnt nothing.",
            trained=("projection",),
        ),
        Variant("no description", "The reader is given the question alone.", reads="nothing"),
    )
}


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures as the frozen eyes see them, with sentences, questions and answers as word numbers.

    Without eyes, no picture is drawn and `image` is empty.
    """

    told: tuple[Told, ...]
    image: Tensor  # float16 [item, patch, WIDTH]
    caption: Tensor  # int [item, MOST_CAPTION]
    to_compare: Tensor  # the same after BEGIN
    to_tell: Tensor  # the same between TELL and END
    question: Tensor  # int [item, word]
    answer: Tensor  # int [item]

    @classmethod
    def of(cls, told: Sequence[Told], vision: VisionEncoder | None = None, progress: Progress | None = None) -> "Data":
        features = [torch.zeros(0)]
        with torch.no_grad():
            for start in range(0, len(told) if vision else 0, 500):
                assert vision is not None
                (progress or Progress()).step(start / len(told), "Drawing pictures")
                pixels = render_batch([item.scene for item in told[start : start + 500]])
                features.append(vision(torch.from_numpy(pixels)).half())
        captions = [item.caption for item in told]
        return cls(
            tuple(told),
            torch.cat(features[1:] or features),
            numbers(captions, MOST_CAPTION),
            numbers(captions, MOST_CAPTION + 1, begin=BEGIN),
            numbers(captions, MOST_CAPTION + 2, begin=TELL, end=END),
            numbers([item.question for item in told]),
            torch.tensor([NUMBER[item.answer] for item in told]),
        )

    def same(self, index: np.ndarray | Tensor) -> Tensor:
        """bool [item, item]: whose sentences say the same."""
        caption = self.caption[index]
        return (caption[:, None] == caption).all(-1)


@dataclass(frozen=True)
class Curve:
    """What was seen every so many steps: each value [point]."""

    steps: tuple[int, ...] = ()
    values: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def then(self, step: int, **values: float) -> "Curve":
        return Curve(
            (*self.steps, step),
            {name: (*self.values.get(name, ()), round(value, 5)) for name, value in values.items()},
        )


@dataclass(frozen=True)
class Found:
    """What is known so far of one run."""

    seed: int
    curves: dict[str, Curve]  # "reader", "stage 1", and a variant's name
    recall: dict[str, float]  # "picture to sentence", "sentence to picture": recall at 1 among GALLERY
    accuracy: dict[str, float]  # by variant, on held-out pictures
    by_kind: dict[str, dict[str, float]]
    trained: dict[str, int]  # parameters that learnt, by "reader", "stage 1" and variant
    doing: str = ""

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self)
        del found["doing"]
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Found":
        curves = {
            name: Curve(tuple(curve["steps"]), {key: tuple(value) for key, value in curve["values"].items()})
            for name, curve in data["curves"].items()
        }
        known = {each.name: data[each.name] for each in fields(cls) if each.name in data}  # a table has more
        return cls(**(known | {"curves": curves}))


class Connected(nn.Module):
    """A Q-Former, a projection and a reader."""

    def __init__(self, qformer: QFormer, reader: Reader) -> None:
        super().__init__()
        self.qformer, self.reader = qformer, reader
        self.projection = nn.Linear(qformer.norm.normalized_shape[0], reader.words.embedding_dim)

    def forward(self, queries: Tensor, question: Tensor) -> Tensor:
        """Logits of the answer [batch, word] from the Q-Former's outputs [batch, query, width]."""
        description = self.projection(queries)
        logits: Tensor = self.reader.answer(description, description.new_ones(description.shape[:2]).bool(), question)
        return logits

    def look(self, image: Tensor) -> Tensor:
        """The Q-Former's outputs [batch, query, width] for the eyes' features; no words are given to it."""
        queries: Tensor = self.qformer(image, None, "itc")[0]
        return queries


def seeded(seed: int, make: Callable[[], nn.Module]) -> Any:
    """What `make` makes from this seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return make()


def training(
    parameters: Sequence[nn.Parameter],
    steps: int,
    schedule: Schedule,
    items: int,
    seed: int,
    loss_of: Callable[[np.ndarray], tuple[Tensor, dict[str, float]]],
    progress: Progress,
    doing: str,
) -> Iterator[tuple[int, dict[str, float]]]:
    """AdamW under a one-cycle rate; yields what `loss_of` tells, averaged, every so many steps."""
    optimiser = torch.optim.AdamW(parameters, lr=schedule.rate, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=max(2, steps), pct_start=0.1)
    rng = np.random.default_rng([6, seed])
    seen: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        progress.step((step - 1) / steps, f"{doing}: step {step} of {steps}")
        loss, told = loss_of(rng.choice(items, min(schedule.batch, items), replace=False))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        rate.step()
        seen.append(told)
        if step % schedule.every == 0 or step == steps:
            yield step, {name: float(np.mean([each[name] for each in seen])) for name in told}
            seen = []


def blanked(caption: Tensor, index: np.ndarray) -> Tensor:
    """Sentences of which one in eight, told by the item's number, is left out: so the reader knows silence too."""
    silent = torch.from_numpy(index % 8 == 0)
    return caption.masked_fill(silent[:, None], 0)


def train_reader(reader: Reader, data: Data, schedule: Schedule, seed: int, progress: Progress) -> Iterator[Any]:
    def loss_of(index: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        loss = reader_loss(reader, blanked(data.caption[index], index), data.question[index], data.answer[index])
        return loss, {"loss": loss.item()}

    return training(
        list(reader.parameters()), schedule.reader, schedule, len(data.told), seed, loss_of, progress, "The reader"
    )


def align(model: QFormer, data: Data, schedule: Schedule, seed: int, progress: Progress) -> Iterator[Any]:
    """Stage 1. The eyes have no part in it: their features are data."""
    generator = torch.Generator().manual_seed(seed)

    def loss_of(index: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        parts = losses(
            model,
            data.image[index].float(),
            data.to_compare[index],
            data.to_tell[index],
            data.same(index),
            generator,
        )
        return parts.total, {"ITC": parts.itc.item(), "ITM": parts.itm.item(), "ITG": parts.itg.item()}

    return training(
        list(model.parameters()), schedule.align, schedule, len(data.told), seed, loss_of, progress, "Stage 1"
    )


def connect(
    model: Connected, trained: Sequence[str], data: Data, schedule: Schedule, seed: int, progress: Progress, doing: str
) -> Iterator[Any]:
    """Stage 2: what is in `trained` learns to have the reader answer; the rest is frozen."""
    parts = {"projection": model.projection, "Q-Former": model.qformer, "reader": model.reader}
    for name, part in parts.items():
        part.requires_grad_(name in trained)
    looked = None if "Q-Former" in trained else outputs(model, data)

    def loss_of(index: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        queries = model.look(data.image[index].float()) if looked is None else looked[index]
        loss = F.cross_entropy(model(queries, data.question[index]), data.answer[index])
        return loss, {"loss": loss.item()}

    learns = [p for name in trained for p in parts[name].parameters()]
    return training(learns, schedule.connect, schedule, len(data.told), seed, loss_of, progress, doing)


def outputs(model: Connected, data: Data) -> Tensor:
    """The Q-Former's outputs for every picture, [item, query, width]."""
    with torch.no_grad():
        return torch.cat([model.look(part.float()) for part in data.image.split(500)])


@torch.no_grad()
def recall(model: QFormer, data: Data) -> dict[str, float]:
    """Recall at 1 among GALLERY pictures and sentences, no two of which say the same; mean over all full galleries.

    By the contrast's similarity alone; the matching head, which may re-rank, is not asked.
    """
    galleries: list[list[int]] = [[]]
    names: set[str] = set()
    for item, told in enumerate(data.told):
        if told.caption in names:
            continue
        galleries[-1].append(item)
        names.add(told.caption)
        if len(galleries[-1]) == GALLERY:
            galleries.append([])
            names = set()
    hits: dict[str, list[float]] = {"picture to sentence": [], "sentence to picture": []}
    for index in galleries[:-1]:
        queries, _ = model(data.image[index].float(), None, "itc")
        _, said = model(None, data.to_compare[index], "itc")
        similarity = model.similarity(queries, said[:, 0])
        own = torch.arange(GALLERY)
        hits["picture to sentence"].append((similarity.argmax(1) == own).float().mean().item())
        hits["sentence to picture"].append((similarity.argmax(0) == own).float().mean().item())
    return {name: round(float(np.mean(values)), 5) for name, values in hits.items()}


@torch.no_grad()
def scored(model: Connected, data: Data, reads: str) -> dict[str, float]:
    """Accuracy on every kind of question, and on "all"."""
    if reads == "queries":
        guess = model(outputs(model, data), data.question).argmax(-1)
    else:
        caption = data.caption if reads == "sentence" else torch.zeros_like(data.caption)
        guess = model.reader.answer(*model.reader.spelled(caption), data.question).argmax(-1)
    right = (guess == data.answer).numpy()
    kinds = np.array([told.kind for told in data.told])
    found = {kind: float(right[kinds == kind].mean()) for kind in KINDS if (kinds == kind).any()}
    return {name: round(value, 5) for name, value in {"all": float(right.mean()), **found}.items()}


def run(
    seed: int, schedule: Schedule | None = None, progress: Progress | None = None, variants: Sequence[str] = ()
) -> Iterator[Found]:
    """Train the reader, stage 1 and every variant (or `variants`); yields what is known, more each time."""
    schedule, progress = schedule or Schedule(), progress or Progress()
    chosen = [VARIANTS[name] for name in variants or VARIANTS]
    found = Found(seed, {}, {}, {}, {}, {}, "Drawing pictures")
    yield found
    vision, _ = load_encoders()
    data, held_out = (
        Data.of(pairs(split, seed, count), vision, progress)
        for split, count in (("train", schedule.pool), ("test", schedule.tested))
    )

    def follow(name: str, points: Iterator[tuple[int, dict[str, float]]], learns: Sequence[nn.Module]) -> Any:
        nonlocal found
        count = sum(p.numel() for part in learns for p in part.parameters())
        found = replace(found, trained={**found.trained, name: count}, doing=name)
        curve = Curve()
        for step, values in points:
            curve = curve.then(step, **values)
            found = replace(found, curves={**found.curves, name: curve})
            yield found

    reader: Reader = seeded(1000 + seed, Reader)
    sentences = Data.of(pairs("train", 10_000 + seed, schedule.read))
    yield from follow("reader", train_reader(reader, sentences, schedule, seed, progress), [reader])
    qformer: QFormer = seeded(2000 + seed, QFormer)
    fresh = copy.deepcopy(qformer)
    if any(variant.aligned for variant in chosen):
        yield from follow("stage 1", align(qformer, data, schedule, seed, progress), [qformer])
        found = replace(found, recall=recall(qformer, held_out))
    for variant in chosen:
        began = qformer if variant.aligned else fresh
        model: Connected = seeded(
            3000 + seed,
            lambda began=began: Connected(copy.deepcopy(began), copy.deepcopy(reader)),  # type: ignore[misc]
        )
        if variant.trained:
            points = connect(model, variant.trained, data, schedule, seed, progress, f"Stage 2, {variant.name}")
            parts = {"projection": model.projection, "Q-Former": model.qformer, "reader": model.reader}
            yield from follow(variant.name, points, [parts[name] for name in variant.trained])
        by_kind = scored(model, held_out, variant.reads)
        found = replace(
            found,
            accuracy={**found.accuracy, variant.name: by_kind.pop("all")},
            by_kind={**found.by_kind, variant.name: by_kind},
        )
        yield found
    yield replace(found, doing="")
