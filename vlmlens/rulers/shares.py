"""From numbers to a share with its interval: means over items, resampled by picture."""

from collections.abc import Sequence

import numpy as np

from vlmlens.diagnostics.statistics import interval, mean_draws, resampled
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, cannot_tell

LEAST = 1e-12  # a whole of less is nothing


def share_of(image: float, text: float) -> float:
    """The picture's part of both; NaN where both are nothing."""
    whole = image + text
    return image / whole if whole > LEAST else float("nan")


def over_items(bench: Bench, shares: Sequence[float], why: str) -> Reading:
    """The mean of items' shares (NaN: not told), its interval a 95 % bootstrap over the pictures.

    `why` is said where no item has a share.
    """
    by_item = np.full(len(bench), np.nan)
    by_item[: len(shares)] = shares
    told = np.flatnonzero(np.isfinite(by_item))
    if not len(told):
        return cannot_tell(why)
    values = by_item[told]
    pictures = len(bench.ensemble.pictures)
    low, high = interval(mean_draws(values, bench.picture_of[told], resampled(pictures, 0)))
    return Reading(float(values.mean()), low, high, len(told), by_item=by_item)
