"""The noise floor: how much an answer changes by what must not matter."""

from typing import TYPE_CHECKING

import numpy as np

from vlmlens.diagnostics.statistics import jensen_shannon
from vlmlens.models.unseen import barely_changed

if TYPE_CHECKING:
    from vlmlens.diagnostics.bench import Bench

LEAST = 1e-6  # bits; sums of float32 in another order differ by less
ITEMS = 4


def noise_floor(bench: "Bench") -> float:
    """The largest Jensen-Shannon divergence, bits, between the answer and the answers to copies that look the same.

    Copies of the picture with noise of at most one grey level, and batches of another size, for a few items.
    """
    found = [LEAST]
    step = max(1, len(bench.items) // ITEMS)
    for index in range(0, len(bench.items), step)[:ITEMS]:
        picture, question = bench.items[index]
        copies = barely_changed(bench.images[picture])
        changed = bench.ask(copies, [bench.probe.questions[question]] * len(copies), [question] * len(copies))
        found.append(float(jensen_shannon(np.exp(changed), np.exp(bench.clean[index])).max()))
    return max(found)
