"""A Q-Former with its three losses: contrast (ITC), match (ITM) and tell (ITG) (BLIP-2, Li et al., ICML 2023).

One transformer for queries and words; which of the two sees which is a mask, and each loss has its own
(`vlmlens.lab.masks`). In every other layer the queries look at the picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.captions import MOST_CAPTION, VOCABULARY
from vlmlens.lab.fusion import Link, Look
from vlmlens.lab.fusion.link import Entrance
from vlmlens.lab.masks import MASKS, Layout
from vlmlens.lab.text import PAD
from vlmlens.lab.vision import PATCHES, WIDTH

QUERIES = MOST_CAPTION  # as many as a sentence has words, whose place they take
PAIRS_OF_LAYERS = 2


class QFormer(nn.Module):
    """Learned queries that look at a picture beside words. Everything here is trained; the eyes are not part of it."""

    def __init__(self, width: int = WIDTH, queries: int = QUERIES) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.enter_image = Entrance(PATCHES, width)
        self.words = nn.Embedding(len(VOCABULARY), width)
        self.places = nn.Parameter(torch.randn(MOST_CAPTION + 2, width) / 3)
        self.mixes = nn.ModuleList(
            Link(Look("latents and words", "latents and words"), width) for _ in range(PAIRS_OF_LAYERS)
        )
        self.looks = nn.ModuleList(Link(Look("latents", "image"), width) for _ in range(PAIRS_OF_LAYERS))
        self.norm = nn.LayerNorm(width)
        self.image_vector, self.text_vector = nn.Linear(width, width), nn.Linear(width, width)
        self.matches = nn.Linear(width, 2)
        self.tells = nn.Linear(width, len(VOCABULARY))
        self.scale = nn.Parameter(torch.tensor(10.0).log())  # log of the inverse temperature

    def forward(self, image: Tensor | None, words: Tensor | None, mask: str) -> tuple[Tensor, Tensor]:
        """States of queries [batch, query, width] and of words [batch, word, width]; either side may be absent.

        image [batch, patch, WIDTH], the frozen eyes' features; words int [batch, word], padded with PAD; `mask` is
        "itc", "itm" or "itg".
        """
        batch = len(image) if image is not None else len(words) if words is not None else 0
        count = len(self.queries) if image is not None else 0
        states = self.queries[:count].expand(batch, -1, -1)
        seen = torch.ones(batch, count, dtype=torch.bool)
        if words is not None:
            states = torch.cat([states, self.words(words) + self.places[: words.shape[1]]], dim=1)
            seen = torch.cat([seen, words != PAD], dim=1)
        may = torch.from_numpy(MASKS[mask].see(Layout(count, states.shape[1] - count, answers=0)))
        may = may & seen[:, None]  # [batch, who asks, who is looked at]
        patches = None if image is None else self.enter_image(image)
        for mix, look in zip(self.mixes, self.looks, strict=True):
            states = mix(states, states, may)
            if patches is not None:
                every = torch.ones(patches.shape[:2], dtype=torch.bool)
                states = torch.cat([look(states[:, :count], patches, every), states[:, count:]], dim=1)
        states = self.norm(states)
        return states[:, :count], states[:, count:]

    def similarity(self, queries: Tensor, text: Tensor) -> Tensor:
        """Cosines [picture, text]: of each text with the query that fits it best (BLIP-2, section 3.1).

        queries [picture, query, width]; text [text, width], the state of each text's first word.
        """
        seen = F.normalize(self.image_vector(queries), dim=-1)
        said = F.normalize(self.text_vector(text), dim=-1)
        return torch.einsum("pqw,tw->ptq", seen, said).amax(-1)

    @property
    def sharpness(self) -> Tensor:
        """The inverse temperature of the contrast, at most 100 as CLIP's."""
        return self.scale.clamp(max=4.6052).exp()


@dataclass(frozen=True)
class Losses:
    """The three losses of one batch, nats, each a tensor of no axes."""

    itc: Tensor
    itm: Tensor
    itg: Tensor

    @property
    def total(self) -> Tensor:
        return self.itc + self.itm + self.itg


def itc_loss(similarity: Tensor, sharpness: Tensor | float) -> Tensor:
    """Symmetric cross-entropy of picking the own text, and the own picture, out of the batch.

    similarity [picture, text], the own ones on the diagonal.
    """
    own = torch.arange(len(similarity))
    logits = similarity * sharpness
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def mine(
    similarity: Tensor, same: Tensor, sharpness: Tensor | float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A wrong text for every picture, and a wrong picture for every text: the more alike, the more often drawn.

    `same` bool [picture, text]: the own text, and any that says the same. Drawn from the softmax of the similarity
    (ALBEF, Li et al., NeurIPS 2021, section 3.2). Where every text of the batch says the same, raises ValueError.
    """
    if bool(same.all(0).any()) or bool(same.all(1).any()):
        raise ValueError("every text of the batch says the same; there is no wrong one to draw")
    logits = (similarity.detach() * sharpness).masked_fill(same, -torch.inf)
    text, image = logits.softmax(1), logits.T.softmax(1)
    return tuple(torch.multinomial(odds, 1, generator=generator)[:, 0] for odds in (text, image))  # type: ignore[return-value]


def itm_loss(model: QFormer, image: Tensor, words: Tensor, wrong_text: Tensor, wrong_image: Tensor) -> Tensor:
    """Cross-entropy of telling the own pairs from as many with a wrong text, and with a wrong picture.

    The two logits are the mean over queries, which under this mask have read the words.
    """
    pictures = torch.cat([image, image, image[wrong_image]])
    texts = torch.cat([words, words[wrong_text], words])
    queries, _ = model(pictures, texts, "itm")
    fits = torch.arange(3 * len(image)) < len(image)
    return F.cross_entropy(model.matches(queries).mean(1), fits.long())


def itg_loss(model: QFormer, states: Tensor, words: Tensor) -> Tensor:
    """Cross-entropy of every next word, from the states of the words under the mask "itg"; pads do not count."""
    logits = model.tells(states[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten(), ignore_index=PAD)


def losses(
    model: QFormer, image: Tensor, to_compare: Tensor, to_tell: Tensor, same: Tensor, generator: torch.Generator
) -> Losses:
    """All three for one batch. `to_compare` begins with BEGIN, `to_tell` with TELL and ends with END.

    Under "itg" queries see no words, so their states are those of "itc" as well and need no pass of their own.
    """
    queries, telling = model(image, to_tell, "itg")
    _, said = model(None, to_compare, "itc")
    similarity = model.similarity(queries, said[:, 0])
    wrong_text, wrong_image = mine(similarity, same, model.sharpness.detach(), generator)
    return Losses(
        itc_loss(similarity, model.sharpness),
        itm_loss(model, image, to_compare, wrong_text, wrong_image),
        itg_loss(model, telling, to_tell),
    )
