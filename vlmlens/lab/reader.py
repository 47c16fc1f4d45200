"""The small language model of the two stages: reads a description and a question, and writes the answer.

It is trained on words alone, then frozen. A description is so many vectors in the space of its words: the embeddings of
a sentence's words, or what a projection makes of a Q-Former's outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.captions import MOST_CAPTION, VOCABULARY
from vlmlens.lab.fusion import Link, Look
from vlmlens.lab.masks import MASKS, Layout
from vlmlens.lab.text import MOST_WORDS, PAD
from vlmlens.lab.vision import WIDTH

DEPTH = 2


class Reader(nn.Module):
    """A causal decoder over `VOCABULARY`; the first `MOST_CAPTION` places are the description's."""

    def __init__(self, width: int = WIDTH, depth: int = DEPTH) -> None:
        super().__init__()
        self.words = nn.Embedding(len(VOCABULARY), width)
        self.places = nn.Parameter(torch.randn(MOST_CAPTION + MOST_WORDS, width) / 3)
        self.layers = nn.ModuleList(Link(Look("question", "question"), width) for _ in range(depth))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(VOCABULARY)))

    def forward(self, description: Tensor, told: Tensor, question: Tensor) -> Tensor:
        """Logits of the next word at every place, [batch, place, word of VOCABULARY].

        description [batch, MOST_CAPTION, width]; `told` bool [batch, MOST_CAPTION], where it says something; question
        int [batch, word], padded with PAD.
        """
        states = torch.cat([description, self.words(question)], dim=1)
        states = states + self.places[: states.shape[1]]
        order = torch.from_numpy(MASKS["causal"].see(Layout(description.shape[1], question.shape[1])))
        own = torch.eye(len(order), dtype=torch.bool)
        seen = order & torch.cat([told, question != PAD], dim=1)[:, None] | own  # [batch, who asks, who is looked at]
        for layer in self.layers:
            states = layer(states, states, seen)
        logits: Tensor = self.head(states)
        return logits

    def answer(self, description: Tensor, told: Tensor, question: Tensor) -> Tensor:
        """Logits of the word after the question's last, [batch, word of VOCABULARY]."""
        last = description.shape[1] + (question != PAD).sum(1) - 1
        return self(description, told, question)[torch.arange(len(question)), last]

    def spelled(self, caption: Tensor) -> tuple[Tensor, Tensor]:
        """A sentence as a description: int [batch, MOST_CAPTION] to embeddings, and where they say something."""
        return self.words(caption), caption != PAD


def reader_loss(reader: Reader, caption: Tensor, question: Tensor, answer: Tensor, other: float = 0.1) -> Tensor:
    """Cross-entropy of the answer, and `other` times that of every next word of sentence and question, nats."""
    description, told = reader.spelled(caption)
    logits = reader(description, told, question)
    last = caption.shape[1] + (question != PAD).sum(1) - 1
    at = torch.arange(len(question))
    text = torch.cat([caption, question], dim=1)
    following = F.cross_entropy(logits[:, :-1].flatten(0, 1), text[:, 1:].flatten(), ignore_index=PAD)
    return F.cross_entropy(logits[at, last], answer) + other * following
