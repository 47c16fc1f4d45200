"""A fusion: the layers of one wiring, built from one kind of brick."""

from typing import cast

import torch
from torch import Tensor, nn

from vlmlens.lab.fusion.wirings import Look, Stream, Wiring
from vlmlens.lab.text import MOST_WORDS
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH, Attention
from vlmlens.trace.capture import entering, leaving

HIDDEN = 2 * WIDTH


class Entrance(nn.Module):
    """A frozen encoder's features brought to one scale, with a learned place for every position."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.places = nn.Parameter(torch.randn(positions, WIDTH) / 3)

    def forward(self, features: Tensor) -> Tensor:
        """features [batch, position, width]"""
        places: Tensor = self.norm(features) + self.places[: features.shape[1]]
        return places


class Link(nn.Module):
    """The brick: pre-norm attention of one stream to another, then feed-forward, both added to the residual stream."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.norm_queries = nn.LayerNorm(WIDTH)
        self.norm_keys = nn.LayerNorm(WIDTH)
        self.attention = Attention(WIDTH, HEADS)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH)
        )

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """queries [batch, query, width], keys [batch, key, width], mask bool [batch, key] to the new queries."""
        queries = queries + self.attention(self.norm_queries(queries), self.norm_keys(keys), mask)
        return queries + self.feed_forward(queries)


class Fusion(nn.Module):
    """Streams through the layers of a wiring."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__()
        self.wiring = wiring
        self.enter_image = Entrance(PATCHES)
        self.enter_question = Entrance(MOST_WORDS)
        self.layers = nn.ModuleList(nn.ModuleList(Link(look) for look in looks) for looks in wiring.layers)

    def links(self) -> list[list[Link]]:
        """The bricks, layer by layer."""
        return [[link for link in cast(nn.ModuleList, layer) if isinstance(link, Link)] for layer in self.layers]

    def forward(self, image: Tensor, question: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """image [batch, patch, width], question [batch, word, width], mask bool [batch, word].

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
        leaving(len(self.layers), both)
        reads = self.wiring.reads
        return both[:, part[reads]], masks[reads]
