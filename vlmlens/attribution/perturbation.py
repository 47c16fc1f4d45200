"""What the perturbation methods share: regions of the picture as features, and how many pictures go in one batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vlmlens.attribution.case import Case, Map, blocks, plain_fill, single

MOST_REGIONS = 36  # of the picture, for methods whose cost grows faster than their number


def over_regions(
    case: Case, method: str, attribute: Callable[..., Any], most: int, samples: Callable[[int], int] | None, note: str
) -> Map:
    """One value a region by one of Captum's perturbation methods, written to every cell of the region.

    Args:
        attribute: Captum's, of `case.of_pixels`.
        most: regions at the most.
        samples: regions to `n_samples`, where the method draws samples.
        note: may speak of {regions} and {samples}.
    """
    eyes, grid = case.eyes, case.trace.grid
    region = torch.from_numpy(blocks(grid.shape, most)).to(eyes.pixels.device)
    count = int(region.max()) + 1
    drawn = {} if samples is None else {"n_samples": samples(count)}
    mask = region[eyes.cells]
    with case.computing(), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(case.seed)
        found: Tensor = attribute(
            eyes.pixels,
            baselines=plain_fill(eyes),
            feature_mask=mask,
            perturbations_per_eval=case.vlm.variants_at_once,
            **drawn,
        )
    # Every pixel of a region carries the region's value.
    value = torch.zeros(count, dtype=torch.float64)
    value[mask.expand_as(found).reshape(-1).cpu()] = found.double().reshape(-1).cpu()
    told = note.format(regions=count, samples=drawn.get("n_samples", 0))
    return single(method, value[region.cpu()].numpy(), f"nats of {case.explained()}", note=told)
