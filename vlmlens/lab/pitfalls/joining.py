"""Which attention of a wiring joins picture and words: the sites that remedies and detectors speak of."""

from collections.abc import Iterator

from torch import Tensor

from vlmlens.lab.fusion import STREAMS, Fusion, Link, Look, places, where


def joins(look: Look) -> bool:
    """Whether this attention lets one stream read another: cross-attention, or a sequence that holds picture and words.

    Latents that read the words beside themselves join, too; a stream that looks at itself alone does not.
    """
    read, write = set(STREAMS[look.keys]), set(STREAMS[look.queries])
    return bool(read - write) or ("image" in read and "question" in read)


def joining(fusion: Fusion) -> Iterator[tuple[str, int, Link]]:
    """Name of the site, layer and brick of each; cross-attention alone where there is any, in the order of the pass."""
    links = [
        (f"fusion.layers.{number}.{index}", number, link)
        for number, layer in enumerate(fusion.links())
        for index, link in enumerate(layer)
        if joins(link.look)
    ]
    cross = [found for found in links if found[2].look.kind == "cross"]
    yield from cross or links


def asking(look: Look, image: Tensor, mask: Tensor, latents: int) -> Tensor:
    """Query rows that are no padding, bool [item, query], from image [item, patch, width] and mask [item, word]."""
    parts = places(image.shape[1], mask.shape[1], latents)
    seen = mask.new_ones(len(mask), image.shape[1] + mask.shape[1] + latents)
    seen[:, image.shape[1] : image.shape[1] + mask.shape[1]] = mask
    return seen[:, where(look.queries, parts)]
