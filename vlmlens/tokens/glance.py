"""What does a lab model know of each patch at a glance, before tokens are shared out?

The glance is the picture with every patch at the minimum: that much all of them get anyway, whatever is decided. The
three scores are taken from it, so nothing that was not paid for decides where the detail goes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vlmlens.lab.compress.scores import even, information, salience
from vlmlens.lab.model import LabModel
from vlmlens.lab.vision import PATCHES, SIDE
from vlmlens.tokens.coupling import look
from vlmlens.tokens.detail import glance
from vlmlens.tokens.relevance import Scores


@dataclass(frozen=True, eq=False)
class Glimpse:
    """The scores of many pictures, each with its question."""

    raw: Tensor  # [item, score, patch]: information in bits, salience in spreads, coupling in shares
    looks: str  # whose look the coupling is
    question: Tensor  # [item, width]: the mean of the word features

    @property
    def leveled(self) -> Tensor:
        """Each score brought to [0, 1] in its picture, [item, score, patch]."""
        return even(self.raw)

    def of(self, item: int) -> Scores:
        """The scores of one item."""
        information_, salience_, coupling_ = self.raw[item].double().numpy()
        return Scores(information_, salience_, coupling_, self.looks)


def glimpse(model: LabModel, pixels: Tensor, words: Tensor, mask: Tensor, low: int) -> Glimpse:
    """Look at pixels [item, 48, 48, rgb] at `low` tokens a patch, with words [item, word, width] and their mask."""
    with torch.no_grad():
        features = model.vision(glance(pixels, low))
        coupled, looks = look(model, features, words, mask)
        raw = torch.stack([information(features), salience(features, SIDE), coupled], 1)
        weight = mask.to(words.dtype)[..., None]
        question = (words * weight).sum(1) / weight.sum(1).clamp(min=1)
    assert raw.shape[2] == PATCHES
    return Glimpse(raw, looks, question)
