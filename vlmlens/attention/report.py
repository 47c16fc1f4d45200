"""The causal check over many lab questions: whether a model's maps point at what it uses, place by place."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.attention.causal import CausalCheck, causal_check, hottest_window
from vlmlens.attention.maps import default_place, image_maps
from vlmlens.lab.sample import Item, take
from vlmlens.lab.scenes import BOARD
from vlmlens.models import VLM
from vlmlens.progress import Progress


@dataclass(frozen=True)
class PlaceReport:
    """Means over questions, at one place's map ("shown first": at the place that the app shows first)."""

    place: str
    n: int
    before: float
    after: float  # with the hottest window hidden
    elsewhere: float  # with the same window hidden elsewhere
    difference: tuple[float, float]  # 95 % interval of elsewhere - after: bootstrap over questions
    mattered: float  # share of questions with the verdict "more than elsewhere"
    inconclusive: float
    on_target: float  # share whose window touches a thing the question speaks of, of those that speak of one

    def to_dict(self) -> dict[str, Any]:
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in vars(self).items()}
        return rounded | {"difference": [round(x, 4) for x in self.difference]}


def causal_report(vlm: VLM, seed: int = 1, n: int = 300, progress: Progress | None = None) -> list[PlaceReport]:
    """Run the causal check on `n` held-out lab questions, for the hottest window of every place."""
    found: dict[str, list[tuple[CausalCheck, bool | None]]] = {}
    for item in (progress or Progress()).over(take("test", seed, n), n, "question"):
        trace = vlm.inspect(item.scene, item.question.text)
        places, values = image_maps(trace)
        first = default_place(trace)
        done: dict[tuple[int, ...], CausalCheck] = {}
        for index, place in enumerate(places):
            region = hottest_window(values[index, :, 0].mean(axis=0), trace.grid.shape)
            if region not in done:
                done[region] = causal_check(vlm, item.scene, item.question.text, trace, region)
            row = done[region], on_target(item, region, trace.grid.shape)
            found.setdefault(place.label, []).append(row)
            if index == first:
                found.setdefault("shown first", []).append(row)
    return [_summary(place, rows) for place, rows in found.items()]


def on_target(item: Item, region: tuple[int, ...], shape: tuple[int, int]) -> bool | None:
    """Whether the region touches a board cell that the question speaks of; None where it speaks of none."""
    relevant = item.question.relevant(item.scene)
    if not relevant:
        return None
    touched = {(cell // shape[1] * BOARD // shape[0]) * BOARD + cell % shape[1] * BOARD // shape[1] for cell in region}
    return bool(touched & set(relevant))


def _summary(place: str, rows: list[tuple[CausalCheck, bool | None]]) -> PlaceReport:
    checks = [check for check, _ in rows]
    gaps = np.array([check.elsewhere_mean - check.after for check in checks])
    draws = np.random.default_rng(0).integers(len(gaps), size=(2000, len(gaps)))
    low, high = np.quantile(gaps[draws].mean(axis=1), (0.025, 0.975))
    targets = [hit for _, hit in rows if hit is not None]
    return PlaceReport(
        place=place,
        n=len(checks),
        before=float(np.mean([c.before for c in checks])),
        after=float(np.mean([c.after for c in checks])),
        elsewhere=float(np.mean([c.elsewhere_mean for c in checks])),
        difference=(float(low), float(high)),
        mattered=float(np.mean([c.verdict == "more than elsewhere" for c in checks])),
        inconclusive=float(np.mean([c.verdict == "inconclusive" for c in checks])),
        on_target=float(np.mean(targets)) if targets else float("nan"),
    )
