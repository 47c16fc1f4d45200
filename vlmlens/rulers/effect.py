"""What does knocking the picture out really do? The truth about use that rulers are held against."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vlmlens.diagnostics.statistics import interval, jensen_shannon, mean_draws, resampled
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.donors import divergences
from vlmlens.trace import Knockout, Segment


@dataclass(frozen=True, eq=False)
class Effect:
    """Means over items, intervals 95 % bootstraps over pictures."""

    knockout: float  # bits of Jensen-Shannon divergence: nobody may read the picture's tokens
    knockout_low: float
    knockout_high: float
    drop: float  # of the answer's probability, by the same
    donor: float  # bits: the picture is another one of the ensemble
    by_item: np.ndarray  # knock-out, bits [item]

    def to_dict(self) -> dict[str, Any]:
        return {name: round(value, 5) for name, value in asdict(self).items() if name != "by_item"}


WORDS = {  # fields of an Effect, for people
    "knockout": "knock-out: change of the answer, bits",
    "drop": "knock-out: drop of its probability",
    "donor": "another picture: change of the answer, bits",
}


def effect(bench: Bench) -> Effect:
    """Hide all image tokens from every row, item by item; and show every other picture."""
    moved, drop = [], []
    for index in range(len(bench)):
        bench.step(index, len(bench))
        picture, question = bench.ensemble.item(index)
        prepared = bench.vlm.prepare(bench.vlm.image(picture), question)
        hidden = np.stack([np.zeros(prepared.length, bool), prepared.segments == Segment.IMAGE])
        with bench.vlm.lock:
            logits, _ = bench.vlm.run(prepared, None, [Knockout(hidden)])
        seeing, blind = logits.double().softmax(-1).numpy()
        moved.append(float(jensen_shannon(seeing, blind)))
        drop.append(float(seeing.max() - blind[seeing.argmax()]))
    by_item = np.array(moved)
    pictures = len(bench.ensemble.pictures)
    low, high = interval(mean_draws(by_item, bench.picture_of, resampled(pictures, 0)))
    between, _ = divergences(bench.found.table)
    donor = float(between.sum() / (pictures * (pictures - 1)))
    return Effect(float(by_item.mean()), low, high, float(np.mean(drop)), donor, by_item)
