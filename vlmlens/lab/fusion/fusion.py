"""A fusion: the layers of one wiring, built from one kind of brick."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from vlmlens.errors import UserError
from vlmlens.lab.fusion.link import Entrance, Link
from vlmlens.lab.fusion.wiring import STREAMS, Part, Stream, Wiring
from vlmlens.lab.positions import POSITIONS, Turn, coordinates, turn
from vlmlens.lab.text import MOST_WORDS
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH
from vlmlens.trace.capture import entering, leaving

Where = slice | list[int]


def places(patches: int, words: int, latents: int) -> dict[Part, range]:
    """The positions of each part: patches, then words, then latents."""
    first, second = patches + words, patches + words + latents
    return {"image": range(patches), "question": range(patches, first), "latents": range(first, second)}


def positions_of(stream: Stream, parts: Mapping[Part, range]) -> tuple[int, ...]:
    """The positions of a stream, in ascending order."""
    return tuple(position for part in STREAMS[stream] for position in parts[part])


def where(stream: Stream, parts: Mapping[Part, range]) -> Where:
    """The same as an index: a slice where they stand side by side."""
    found = positions_of(stream, parts)
    together = not found or found[-1] - found[0] + 1 == len(found)
    return slice(found[0] if found else 0, found[-1] + 1 if found else 0) if together else list(found)


class Fusion(nn.Module):
    """Streams through the layers of a wiring, `width` wide (a multiple of the heads).

    `latents` is how many learned queries there are, where the wiring has any; by default as many as it says.
    `positions` names one of POSITIONS; `patches` is for how many there are learned places, where places are learned.
    Raises UserError where heads of this width cannot carry the positions.
    """

    spacing = 1.0  # of neighboring patches, for rotary positions; below 1 a larger board fits the trained range

    def __init__(
        self,
        wiring: Wiring,
        width: int = WIDTH,
        latents: int | None = None,
        positions: str = "learned",
        patches: int = PATCHES,
    ) -> None:
        super().__init__()
        self.wiring, self.positions = wiring, POSITIONS[positions]
        if problem := self.positions.problem(width // HEADS):
            raise UserError(problem)
        self.pairs = self.positions.pairs(width // HEADS // 2)
        self.enter_image = Entrance(patches, width, self.positions.learned)
        self.enter_question = Entrance(MOST_WORDS, width, self.positions.learned)
        if wiring.latents:
            self.latents = nn.Parameter(torch.randn(latents or wiring.latents, width))
        self.layers = nn.ModuleList(nn.ModuleList(Link(look, width) for look in looks) for looks in wiring.layers)

    @property
    def queries(self) -> int:
        """How many latents there are."""
        return len(self.latents) if self.wiring.latents else 0

    def links(self) -> list[list[Link]]:
        """The bricks, layer by layer."""
        return [[link for link in cast(nn.ModuleList, layer) if isinstance(link, Link)] for layer in self.layers]

    def turn(self, patches: int, words: int, device: torch.device) -> Turn | None:
        """How queries and keys turn at each position of the sequence; None where nothing does."""
        if not self.pairs:
            return None
        return turn(self.pairs, coordinates(patches, words, self.queries, self.spacing, device))

    def forward(self, image: Tensor, question: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, int]:
        """image [batch, patch, WIDTH], question [batch, word, WIDTH], mask bool [batch, word].

        Returns the stream that the answer is read from, its mask, and how many patches there are.
        """
        return self.join(self.enter_image(image), self.enter_question(question), mask)

    def join(self, image: Tensor, question: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, int]:
        """The same of what has entered already, image [batch, token, width] and question [batch, word, width].

        However many image tokens there are, and whatever they stand for: their places are in them.
        """
        entered = [image, question]
        parts = places(image.shape[1], question.shape[1], self.queries)
        real = [mask.new_ones(image.shape[:2]), mask]
        if self.queries:
            entered.append(self.latents.expand(len(image), -1, -1))
            real.append(mask.new_ones(len(image), self.queries))
        states, seen = torch.cat(entered, dim=1), torch.cat(real, dim=1)  # the image always comes first
        index = {stream: where(stream, parts) for stream in STREAMS}
        positions = range(states.shape[1])
        turned = self.turn(image.shape[1], question.shape[1], states.device)
        for number, layer in enumerate(self.links()):
            states = entering(number, states, positions)
            updated = states.clone()
            for link in layer:
                queries, keys = index[link.look.queries], index[link.look.keys]
                turns = None if turned is None else (turned.at(queries), turned.at(keys))
                updated[:, queries] = link(states[:, queries], states[:, keys], seen[:, keys], turns)
            states = updated
        states = leaving(len(self.layers), states, positions)
        reads = index[self.wiring.reads]
        return states[:, reads], seen[:, reads], image.shape[1]
