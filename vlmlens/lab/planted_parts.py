"""The parts of planted models: the trained concatenation with what may look at what changed, and two ways to read it.

Every position has a role: PAD is nothing, PLAIN a patch or a word of the question, AROUND a word of the context, and
HINT + a an answer word of the context. Context words enter with a state of their own, carry it through unchanged, and
no layer looks at them; only a readout that listens to hints does.
"""

import math

import torch
from torch import Tensor, nn

from vlmlens.lab.fusion import WIRINGS, Fusion
from vlmlens.lab.fusion.readout import Readout
from vlmlens.lab.planted_text import CONTEXT
from vlmlens.lab.text import MOST_WORDS
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH
from vlmlens.trace.capture import attend, entering, leaving

PAD, PLAIN, AROUND, HINT = range(4)
NEVER = torch.finfo(torch.float32).min
ALWAYS = 30.0  # added to a score, leaves nothing to the others


def roles_of(ids: Tensor) -> Tensor:
    """Word ids [batch, word] to the roles of the words [batch, word]."""
    return torch.where(ids < CONTEXT, (ids != PAD).long(), ids - CONTEXT + AROUND)


class PlantedFusion(Fusion):
    """The trained concatenation, over words that may have a context.

    Args:
        apart: patches look at patches and words at words, so that picture and question never meet.
        fade: taken off every score of a patch for every word of context.
        hints: [answer, width], the states that hints enter with.
    """

    hints: Tensor

    def __init__(self, trained: Fusion, hints: Tensor, apart: bool = False, fade: float = 0.0) -> None:
        super().__init__(WIRINGS["concat"])
        self.load_state_dict(trained.state_dict())
        self.apart, self.fade = apart, fade
        self.register_buffer("hints", hints, persistent=False)

    def forward(self, image: Tensor, question: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, int]:
        """As a fusion does, `mask` being the words' roles.

        Returns the whole stream, the roles of all [batch, position] (see `plain`), and how many patches there are.
        """
        both = torch.cat([self.enter_image(image), self.enter(question, mask)], dim=1)
        roles = torch.cat([mask.new_full(image.shape[:2], PLAIN), mask], dim=1)
        may = _same_stream(roles) if self.apart else plain(roles, self.fade)
        still = (roles >= AROUND)[..., None]
        positions = range(both.shape[1])
        for number, (link,) in enumerate(self.links()):
            both = entering(number, both, positions)
            both = torch.where(still, both, link(both, both, may))
        return leaving(len(self.layers), both, positions), roles, image.shape[1]

    def enter(self, words: Tensor, roles: Tensor) -> Tensor:
        """Features [batch, word, width] as they enter: the question's as if nothing stood around them."""
        asked = roles == PLAIN
        place = (asked.cumsum(1) - 1).clamp(0, MOST_WORDS - 1)
        entrance = self.enter_question
        entered = entrance.project(entrance.norm(words)) + entrance.places[place]
        hinted = self.hints[(roles - HINT).clamp_min(0)]
        around = torch.where((roles >= HINT)[..., None], hinted, torch.zeros_like(hinted))
        return torch.where(asked[..., None], entered, around)


def plain(roles: Tensor, fade: float = 0.0) -> Tensor:
    """What is added to the scores of every key [batch, position] where only patches and the question are looked at."""
    added = torch.where(roles == PLAIN, 0.0, NEVER)
    added[:, :PATCHES] -= fade * (roles >= AROUND).sum(1, keepdim=True)
    return added


def _same_stream(roles: Tensor) -> Tensor:
    """Who may look at whom, bool [batch, query, key]: patches at patches, words at the question's words."""
    image = torch.arange(roles.shape[1]) < PATCHES
    return (image[:, None] == image) & (roles == PLAIN)[:, None]


class HintedReadout(Readout):
    """The trained readout, which also looks at hints: never at dial 0, at nothing else at dial 1."""

    def __init__(self, trained: Readout, dial: float, fade: float) -> None:
        super().__init__()
        self.load_state_dict(trained.state_dict())
        self.dial, self.fade = dial, fade

    def forward(self, stream: Tensor, mask: Tensor, patches: int = 0) -> Tensor:
        """stream [batch, position, width] and roles [batch, position] to logits [batch, answer]."""
        added = plain(mask, self.fade)
        hints = mask >= HINT
        if self.dial > 0:
            # As much as all others together where the dial stands in the middle, if all scores are alike.
            others, many = (mask == PLAIN).sum(1, keepdim=True), hints.sum(1, keepdim=True).clamp_min(1)
            dialled = ALWAYS if self.dial >= 1 else math.log(self.dial / (1 - self.dial))
            added = torch.where(hints, dialled + (others / many).log(), added)
        return super().forward(stream, added, patches)


class TwoPools(nn.Module):
    """An attention whose first half of heads reads the mean of the question's words, the other that of the patches."""

    is_causal = False

    def __init__(self) -> None:
        super().__init__()
        self.out_proj = nn.Linear(2 * WIDTH, 2 * WIDTH, bias=False)
        nn.init.eye_(self.out_proj.weight)

    def forward(self, stream: Tensor, roles: Tensor) -> tuple[Tensor, Tensor]:
        """stream [batch, position, width] and roles to what was read of words and of patches, [batch, width] each.

        Zeros where all of them are hidden.
        """
        image = torch.arange(stream.shape[1]) < PATCHES
        half = HEADS // 2  # each reads the whole width of its stream, a part by every head
        may = torch.stack([~image, image]).repeat_interleave(half, 0) & (roles == PLAIN)[:, None]  # [batch, head, key]
        value = stream.unflatten(-1, (half, -1)).transpose(1, 2).repeat(1, 2, 1, 1)
        query, key = torch.zeros_like(value[:, :, :1]), torch.zeros_like(value)  # all keys alike
        read, _ = attend(self, query, key, value, may[:, :, None])
        words, patches = self.out_proj(read.flatten(2))[:, 0].chunk(2, dim=-1)
        return words, patches
