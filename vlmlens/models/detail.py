"""How much of a picture's detail a model gets: as published, or in as few tokens as its family allows.

One function a way of cutting pictures up: it sets the processor, and the config where the model computes with it, too.
"""

from typing import Any, Literal

Detail = Literal["full", "low"]

MOST_TOKENS = 1280  # of a picture, where a family's own bound would let a photograph become 16,000
FEW_TOKENS = 256


def merged(processor: Any, config: Any, detail: Detail) -> None:
    """Qwen: the picture is scaled down to so many tokens. Its makers advise a bound like MOST_TOKENS (model card)."""
    _bound(processor.image_processor, detail, 1)


def framed(processor: Any, config: Any, detail: Detail) -> None:
    """GLM: likewise, but its bounds count a picture's pixels once for every frame that it is made to be."""
    images = processor.image_processor
    _bound(images, detail, images.temporal_patch_size)


def _bound(images: Any, detail: Detail, frames: int) -> None:
    token = frames * (images.patch_size * images.merge_size) ** 2  # pixels
    most = (FEW_TOKENS if detail == "low" else MOST_TOKENS) * token
    size = dict(images.size)
    images.size = size | {
        "longest_edge": min(size["longest_edge"], most),
        "shortest_edge": min(size["shortest_edge"], most),
    }


def split(processor: Any, config: Any, detail: Detail) -> None:
    """Idefics 3: no tiles, the whole picture squeezed to a square."""
    if detail == "low":
        processor.image_processor.do_image_splitting = False


def canvas(processor: Any, config: Any, detail: Detail) -> None:
    """InternVL: one tile, the whole picture squeezed to a square."""
    if detail == "low":
        processor.image_processor.max_patches = 1


def anyres(processor: Any, config: Any, detail: Detail) -> None:
    """LLaVA-NeXT: one tile beside the whole picture."""
    if detail == "low":
        images = processor.image_processor
        size = dict(images.size)
        tile = size.get("shortest_edge") or size["height"]
        images.image_grid_pinpoints = config.image_grid_pinpoints = [[tile, tile]]
