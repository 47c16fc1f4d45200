"""Flamingo's look at pictures between words, in small: which words' states change when one picture does?

    layer = Interleaved(gate=0.5)
    layer(features, "a red circle <image> what color is it")

A gated cross-attention over the tokens of all pictures under an interleaved mask (Flamingo, Alayrac et al., NeurIPS
2022, section 2.3), and after it, if wanted, the words' own causal self-attention, through which older pictures still
come. Nothing here is trained but the eyes and the words' vectors: what may be looked at is told by the mask alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vlmlens.errors import QuestionError
from vlmlens.lab.fusion import Gate, Link, Look
from vlmlens.lab.masks import MASKS, Layout
from vlmlens.lab.text import IDS, known_words
from vlmlens.lab.vision import WIDTH
from vlmlens.lab.weights import load_encoders

MARKER = "<image>"
MOST_WORDS = 24  # markers included
MOST_PICTURES = 4


def words_of(text: str, pictures: int) -> tuple[str, ...]:
    """The words of a text, markers among them, as the lab spells them.

    Raises QuestionError where a word is unknown, the text is too long or has not one marker for each picture.
    """
    found: list[str] = []
    for index, part in enumerate(text.lower().split(MARKER)):
        found += [MARKER] * (index > 0)
        if any(ch.isalnum() for ch in part):
            found += known_words(part)
    markers = found.count(MARKER)
    if markers != pictures:
        raise QuestionError(f"The text has {markers} of {MARKER}; write it {pictures} times, once for each picture.")
    if len(found) > MOST_WORDS:
        raise QuestionError(f"The text has {len(found)} words and markers; write at most {MOST_WORDS}.")
    return tuple(found)


def markers_of(words: Sequence[str]) -> tuple[int, ...]:
    return tuple(place for place, word in enumerate(words) if word == MARKER)


class Interleaved(nn.Module):
    """One layer of a decoder as Flamingo changes it, made from a seed and not trained."""

    def __init__(self, gate: float, mask: str = "last picture", itself: bool = False, seed: int = 0) -> None:
        """`gate`: the number whose tanh multiplies what the cross-attention writes. `itself`: words then see words."""
        super().__init__()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.look = Link(Look("question", "image", gated=True), WIDTH)
            self.mix = Link(Look("question", "question"), WIDTH) if itself else None
            self.places = nn.Parameter(torch.randn(MOST_WORDS, WIDTH) / 3)
            self.marker = nn.Parameter(torch.randn(WIDTH))
        self.mask = mask
        for module in self.look.modules():
            if isinstance(module, Gate):
                nn.init.constant_(module.alpha, gate)
        self.requires_grad_(False)

    def forward(self, features: Sequence[Tensor], words: Sequence[str]) -> Tensor:
        """States of the words [word, width] after the layer. `features`: of each picture, [token, WIDTH].

        Raises ValueError where there is not one marker for each picture, or pictures have unequal numbers of tokens.
        """
        layout = Layout(len(features[0]) if features else 0, len(words), markers_of(words))
        if len(layout.markers) != len(features) or len({len(each) for each in features}) > 1:
            raise ValueError(f"{len(layout.markers)} markers for pictures of {[len(each) for each in features]} tokens")
        table = load_encoders()[1].words.weight
        states = torch.stack([self.marker if word == MARKER else table[IDS[word]] for word in words])
        states = (states + self.places[: len(words)])[None]
        may = torch.from_numpy(MASKS[self.mask].see(layout))[None]
        states = self.look(states, torch.cat(list(features))[None], may)
        if self.mix is not None:
            order = torch.from_numpy(MASKS["causal"].see(Layout(0, len(words))))[None]
            states = self.mix(states, states, order)
        return states[0]


@torch.inference_mode()
def change(layer: Interleaved, features: Sequence[Tensor], words: Sequence[str], which: int, other: Tensor) -> Tensor:
    """How far each word's state moves when picture `which` (from 0) becomes `other`: Euclidean, relative, [word].

    Exactly 0 where nothing of that picture reaches a word.
    """
    swapped = [*features[:which], other, *features[which + 1 :]]
    before, after = layer(features, words), layer(swapped, words)
    return (after - before).norm(dim=-1) / before.norm(dim=-1)
