"""A fusion: the layers of one wiring, built from one kind of brick."""

from typing import cast

import torch
from torch import Tensor, nn

from vlmlens.lab.fusion.wirings import Look, Stream, Wiring
from vlmlens.lab.text import MOST_WORDS
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH, Attention
from vlmlens.trace.capture import entering, leaving


class Entrance(nn.Module):
    """A frozen encoder's features brought to one scale, with a learned place for every position."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.project = nn.Identity() if width == WIDTH else nn.Linear(WIDTH, width)
        self.places = nn.Parameter(torch.randn(positions, width) / 3)

    def forward(self, features: Tensor) -> Tensor:
        """features [batch, position, the encoder's width] to [batch, position, width]; fewer positions are no harm."""
        places: Tensor = self.project(self.norm(features)) + self.places[: features.shape[1]]
        return places


class Link(nn.Module):
    """The brick: pre-norm attention of one stream to another, then feed-forward, both added to the residual stream."""

    def __init__(self, look: Look, width: int) -> None:
        super().__init__()
        self.look = look
        self.norm_queries = nn.LayerNorm(width)
        self.norm_keys = nn.LayerNorm(width)
        self.attention = Attention(width, HEADS)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """queries [batch, query, width], keys [batch, key, width], mask bool [batch, key] to the new queries."""
        queries = queries + self.attention(self.norm_queries(queries), self.norm_keys(keys), mask)
        return queries + self.feed_forward(queries)


class Fusion(nn.Module):
    """Streams through the layers of a wiring, `width` wide (a multiple of the heads)."""

    def __init__(self, wiring: Wiring, width: int = WIDTH) -> None:
        super().__init__()
        self.wiring = wiring
        self.enter_image = Entrance(PATCHES, width)
        self.enter_question = Entrance(MOST_WORDS, width)
        self.layers = nn.ModuleList(nn.ModuleList(Link(look, width) for look in looks) for looks in wiring.layers)

    def links(self) -> list[list[Link]]:
        """The bricks, layer by layer."""
        return [[link for link in cast(nn.ModuleList, layer) if isinstance(link, Link)] for layer in self.layers]

    def forward(self, image: Tensor, question: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """image [batch, patch, WIDTH], question [batch, word, WIDTH], mask bool [batch, word].

        Returns the stream that the answer is read from and its mask.
        """
        image, question = self.enter_image(image), self.enter_question(question)
        patches = image.shape[1]
        masks: dict[Stream, Tensor] = {"image": mask.new_ones(image.shape[:2]), "question": mask}
        masks["both"] = torch.cat([masks["image"], mask], dim=1)
        both = torch.cat([image, question], dim=1)  # the image always comes first
        part: dict[Stream, slice] = {
            "image": slice(0, patches),
            "question": slice(patches, None),
            "both": slice(None),
        }
        positions = range(both.shape[1])
        for number, layer in enumerate(self.links()):
            both = entering(number, both, positions)
            updated = both.clone()
            for link in layer:
                queries, keys = link.look.queries, link.look.keys
                updated[:, part[queries]] = link(both[:, part[queries]], both[:, part[keys]], masks[keys])
            both = updated
        both = leaving(len(self.layers), both, positions)
        reads = self.wiring.reads
        return both[:, part[reads]], masks[reads]
