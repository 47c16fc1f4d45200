"""What is known of a model before its weights are read, or even here: family, size, what it will need and where."""

from dataclasses import dataclass
from typing import Any

import torch

from vlmlens.errors import ModelError, first_line
from vlmlens.models import cache, fit
from vlmlens.models.detail import Detail
from vlmlens.models.device import pick_precision
from vlmlens.models.download import download_size
from vlmlens.models.families import Row
from vlmlens.models.fit import Count, Fit, Size
from vlmlens.models.loading import read_family
from vlmlens.models.processor import load_processor
from vlmlens.models.source import check_weights, find
from vlmlens.progress import Progress


@dataclass(frozen=True, eq=False)
class Facts:
    """A model as its config and its processor tell."""

    name: str
    family: Row
    config: Any
    count: Count
    size: Size  # of the picture in question
    small: Size | None  # of the same at low detail, where the family has a say in that
    download: int | None  # bytes of weights still to come; None where the hub does not say

    def shown(self, detail: Detail = "full") -> Size:
        """What the picture becomes."""
        return self.small if detail == "low" and self.small is not None else self.size

    def fit(self, device: torch.device, dtype: str = "auto", detail: Detail = "full") -> Fit:
        """Against what is free on a device now. Raises ModelError for a precision that is not to be had there."""
        return fit.choose(self.config, self.count, self.shown(detail), device, pick_precision(dtype, device))

    def ways_out(self, tried: Fit, detail: Detail = "full") -> list[str]:
        """What would fit where `tried` does not, in words."""
        return list(fit.ways_out(self.config, self.count, self.shown(detail), tried, self.small))


def look_up(name: str, picture: tuple[int, int] = fit.PICTURE, progress: Progress | None = None) -> Facts:
    """The facts of a folder or hub name, for a picture of this width and height.

    Of a model that is not here its small files are fetched, its weights are not. Raises ModelError, or Cancelled.
    """
    files = find(name, progress=progress, weights=False)
    family, config = read_family(files)
    if not files.repo:
        check_weights(files)
    try:
        processor = load_processor(str(files.folder), family.processor)
        if family.detail is not None:
            family.detail(processor, config, "full")
        size = fit.picture_size(processor, family, picture, config)
        small = fit.small_size(processor, family, config, picture)
        counted = fit.count(config, family)
    except Exception as error:  # on a broken file these libraries raise whatever they stumble over
        raise ModelError(f"The processor of “{name}” could not be read: {first_line(error)}") from error
    whole = not files.repo or not cache.missing(files.folder)
    return Facts(name, family, config, counted, size, small, 0 if whole else download_size(files.repo, files.folder))
