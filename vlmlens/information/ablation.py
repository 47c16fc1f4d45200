"""The fusion ablation: image shares of the lab's wirings by every ruler, over training seeds, beside a published table.

for row in ablate(load, ["lab:concat", "lab:concat@1", ...]): ...
order = order_probability(shares)        # shares: wiring -> one number a seed
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from vlmlens.information.clusters import K
from vlmlens.information.estimate import Estimate
from vlmlens.information.interventional import Interventional, interventional
from vlmlens.information.representational import Running
from vlmlens.lab.cards import half_width
from vlmlens.lab.sample import crossed, take
from vlmlens.models import VLM
from vlmlens.progress import Progress

# Amit et al. (arXiv 2511.19470), RoBERTa + ViT on VQAv2: image share, the text share is the rest.
PUBLISHED = {"img2txt": 0.553, "bidirectional": 0.547, "concat": 0.456, "txt2img": 0.385}
# Text shares of real models on GQA, same source.
PUBLISHED_TEXT = {
    "BLIP": 0.5458,
    "Qwen3-VL-2B": 0.6250,
    "Qwen3-VL-8B": 0.6473,
    "LLaVA-1.5": 0.7173,
    "SmolVLM-256M": 0.8139,
}

ITEMS = 4000  # of the representational estimate; every other one is counted
SCENES = 32


@dataclass(frozen=True)
class Reading:
    """One model by one ruler. Bits; an image share is NaN where it cannot be told."""

    model: str
    wiring: str
    seed: int
    kind: str  # of question, or "any"
    ruler: str  # "interventional", "behaviour", or "representational"
    point: str  # where X1 and X2 are read; "input" for what acts on the input
    share: float
    low: float
    high: float
    unique_image: float
    unique_text: float
    redundant: float
    synergistic: float
    accuracy: float

    def to_dict(self) -> dict[str, Any]:
        return {name: None if value != value else value for name, value in asdict(self).items()}


def ablate(
    load: Callable[[str], VLM],
    models: Sequence[str],
    kind: str = "color",
    items: int = ITEMS,
    k: int = K,
    progress: Progress | None = None,
) -> Iterator[Reading]:
    """Every ruler on every model, a reading at a time.

    The interventional ensemble: SCENES crossed scenes with all their questions of the kind, or of any kind.
    """
    progress = progress or Progress()
    scenes, questions, _ = crossed(0, SCENES)
    probe = take("test", 0, items, kinds=(kind,))
    for number, name in enumerate(models):
        vlm = load(name)
        progress.step(number / len(models), f"{name}: every question of every scene")
        right = vlm.answer_many([i.scene for i in probe[:1000]], [i.question.text for i in probe[:1000]])
        accuracy = float(np.mean([a == item.answer for a, item in zip(right, probe, strict=False)]))
        for asked, which in ((kind, (kind,)), ("any", tuple({q.kind for q in questions}))):
            texts = [q.text for q in questions if q.kind in which]
            if asked == "any":
                texts = texts[:: max(1, len(texts) // 16)][:16]
            found = interventional(vlm, scenes, texts, ensemble=f"{SCENES} scenes, {asked} questions", tol=1e-4)
            yield _acting(name, asked, found, found.image_share, "interventional", accuracy)
            yield _acting(name, asked, found, found.behavioural_share, "behaviour", accuracy)
        progress.step((number + 0.2) / len(models), f"{name}: {items} items")
        running = Running(k)
        for part in vlm.read([item.scene for item in probe], [item.question.text for item in probe]):
            running.add(part)
            progress.step(
                (number + 0.2 + 0.6 * running.n / items) / len(models), f"{name}: item {running.n} of {items}"
            )
        for point, estimate in zip(running.points, running.estimates(final=True), strict=True):
            yield _reading(name, kind, point, estimate, accuracy)


def _acting(name: str, kind: str, found: Interventional, share: float, ruler: str, accuracy: float) -> Reading:
    pid, (wiring, seed) = found.pid, _who(name)
    u1, u2, r, s = (float(atom) for atom in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic))
    return Reading(name, wiring, seed, kind, ruler, "input", share, np.nan, np.nan, u1, u2, r, s, accuracy)


def _reading(name: str, kind: str, point: str, found: Estimate, accuracy: float) -> Reading:
    share, (wiring, seed) = found.share, _who(name)
    u1, u2, r, s = (term.value for term in found.terms)
    interval = share.value, share.low, share.high
    return Reading(name, wiring, seed, kind, "representational", point, *interval, u1, u2, r, s, accuracy)


def _who(name: str) -> tuple[str, int]:
    wiring, _, seed = name.removeprefix("lab:").partition("@")
    return wiring, int(seed or 0)


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean over training seeds and its 95 % interval (Student's t); NaN for what fewer than two seeds cannot tell."""
    known = np.array([value for value in values if value == value])
    if len(known) < 2:
        return (float(known.mean()) if len(known) else np.nan), np.nan, np.nan
    mean, half = float(known.mean()), half_width(known)
    return mean, max(0.0, mean - half), min(1.0, mean + half)


@dataclass(frozen=True)
class Order:
    """How an ordering of wirings fares under the spread of training seeds."""

    probability: float  # that one seed of each wiring, drawn at random, shows the published order exactly
    correlation: float  # Spearman's, of the means over seeds with the published shares
    draws: int  # combinations of seeds
    why: str = ""

    @property
    def words(self) -> str:
        """The probability, or n/a."""
        return "n/a" if self.why else f"{100 * self.probability:.0f} %"

    def sentence(self) -> str:
        if self.why:
            return f"n/a: {self.why}"
        ranked = "n/a (all alike)" if self.correlation != self.correlation else f"{self.correlation:+.2f}"
        return (
            f"Of the {self.draws} ways to take one seed of each wiring, **{100 * self.probability:.0f} %** show the "
            f"published order (4 % by chance); rank correlation of the means with the published shares {ranked}."
        )


def order_probability(shares: Mapping[str, Sequence[float]], published: Mapping[str, float] = PUBLISHED) -> Order:
    """From one image share a seed for each wiring: how often their order is the published one.

    Every combination of seeds is counted; by chance alone 1 of 24 orders of four wirings would be right.
    """
    known = {name: [x for x in shares.get(name, ()) if x == x] for name in published}
    if missing := [name for name, values in known.items() if not values]:
        return Order(np.nan, np.nan, 0, f"no share can be told for {', '.join(missing)}")
    names = sorted(published, key=lambda name: -published[name])
    draws = list(itertools.product(*(known[name] for name in names)))
    held = np.mean([all(a > b for a, b in itertools.pairwise(draw)) for draw in draws])
    means = [np.mean(known[name]) for name in names]
    alike = np.ptp(means) == 0
    correlation = np.nan if alike else spearmanr(means, [published[name] for name in names]).statistic
    return Order(float(held), float(correlation), len(draws))
