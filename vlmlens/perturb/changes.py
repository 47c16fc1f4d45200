"""Every change by name, and one applied to a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vlmlens.errors import PictureError
from vlmlens.perturb import cover, detail, fill, geometry, place, recolor, tone
from vlmlens.perturb.region import Region
from vlmlens.perturb.row import Given, Perturbation
from vlmlens.picture import open_picture

PERTURBATIONS = {row.name: row for kind in (fill, place, recolor, detail, tone, geometry, cover) for row in kind.ROWS}
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False)
class Changed:
    image: Image.Image  # RGB, of the size that came in
    mask: np.ndarray  # bool [height, width]: pixels that differ


def list_perturbations() -> tuple[Perturbation, ...]:
    return tuple(PERTURBATIONS.values())


def apply(
    name: str,
    image: Image.Image,
    strength: float = 0.5,
    seed: int = 0,
    *,
    region: Region | None = None,
    to: tuple[float, float] | None = None,
    donor: Image.Image | None = None,
    **options: Any,
) -> Changed:
    """The picture after one change, and the pixels that differ. At strength 0 it is the picture that came in.

    Args:
        region: where; a change of the whole picture is kept to it, a crop goes towards it.
        to: where move, copy and swap put the region's centre, in fractions of the picture.
        donor: another picture, cut to the shape of this one, for the changes that need one.
        options: what the row's `options` name.

    Raises PictureError in words for an unknown name, a value out of range, or something that is missing.
    """
    before = open_picture(image)
    after = changed(name, before, strength, seed, region, to, donor, options)
    return Changed(after, differs(before, after))


def changed(
    name: str,
    image: Image.Image,
    strength: float,
    seed: int,
    region: Region | None,
    to: tuple[float, float] | None,
    donor: Image.Image | None,
    options: Mapping[str, Any],
) -> Image.Image:
    """As `apply`, from an RGB picture to an RGB picture."""
    row = find(name)
    settings = checked(row, strength, seed, region, to, options)
    if row.needs_donor and donor is None:
        raise PictureError(f"{name} takes its pixels from another picture; give one.")
    where = None if region is None else region.mask(image.size)
    if strength == 0:
        return image
    if row.needs_donor and donor is not None:
        donor = ImageOps.fit(open_picture(donor), image.size, Image.Resampling.BICUBIC)
    rng = np.random.default_rng([seed, row.stream or 0])
    after = row.change(Given(image, strength, rng, where, to, donor, settings)).convert("RGB")
    if where is None or row.beyond:
        return after
    kept = image.copy()
    kept.paste(after, mask=Image.fromarray(where))
    return kept


def find(name: str) -> Perturbation:
    if name not in PERTURBATIONS:
        raise PictureError(f"There is no change called {name}; there are {', '.join(PERTURBATIONS)}.")
    return PERTURBATIONS[name]


def checked(
    row: Perturbation,
    strength: float,
    seed: int,
    region: Region | None,
    to: tuple[float, float] | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """All options of the row, once everything that is told without a picture has been found to be in order."""
    if not _number(strength) or not 0 <= strength <= 1:
        raise PictureError(f"strength goes from 0 to 1, got {strength}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MOST_SEED:
        raise PictureError(f"seed is a whole number from 0 to {MOST_SEED}, got {seed}.")
    if row.needs_region and region is None:
        raise PictureError(f"{row.name} changes a region; draw one.")
    if row.needs_target and to is None:
        raise PictureError(f"{row.name} needs a place to go to; give one.")
    if to is not None and not all(_number(value) and 0 <= value <= 1 for value in to):
        raise PictureError(f"The place to go to lies outside the picture; its fractions go from 0 to 1, got {to}.")
    return row.settings(options)


def differs(before: Image.Image, after: Image.Image) -> np.ndarray:
    """The pixels that are not the same, bool [height, width]."""
    one, other = np.asarray(before), np.asarray(after)
    different = one != other
    return different[..., 0] | different[..., 1] | different[..., 2]


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
