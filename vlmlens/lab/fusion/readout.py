"""Where the answer is read from: one pooled stream, or two that meet only there."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.vision import HEADS, WIDTH, Attention
from vlmlens.trace.capture import attend


class Readout(nn.Module):
    """A learned query pools the stream that the wiring reshapes; a linear layer names the answer."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, HEADS)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(ANSWERS)))

    def forward(self, stream: Tensor, mask: Tensor, patches: int = 0) -> Tensor:
        """stream [batch, position, width], mask bool [batch, position] to logits [batch, answer]."""
        pooled = self.attention(self.query.expand(len(stream), -1, -1), self.norm(stream), mask)
        logits: Tensor = self.head(pooled[:, 0])
        return logits


class TwoPools(nn.Module):
    """One attention whose first half of heads pools the patches, the other half the words; nothing is mixed.

    As many heads as elsewhere, because maps of all layers stand side by side; each is therefore twice as wide.
    """

    is_causal = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.each = HEADS // 2  # heads for each part
        self.query = nn.Parameter(torch.randn(HEADS, 1, width // self.each) * 0.02)
        self.image_keys, self.image_values = nn.Linear(width, width), nn.Linear(width, width)
        self.word_keys, self.word_values = nn.Linear(width, width), nn.Linear(width, width)
        self.out_proj = nn.Linear(2 * width, 2 * width, bias=False).requires_grad_(False)  # what it reads, unchanged
        nn.init.eye_(self.out_proj.weight)

    def forward(self, stream: Tensor, mask: Tensor, patches: int) -> tuple[Tensor, Tensor]:
        """stream [batch, position, width], the patches first, to what was pooled of each part, [batch, width] both."""

        def split(image: Tensor, words: Tensor) -> Tensor:
            heads = [part.unflatten(-1, (self.each, -1)).transpose(1, 2) for part in (image, words)]
            return torch.cat(heads, dim=1)  # [batch, head, position, width of a head]

        key = split(self.image_keys(stream), self.word_keys(stream))
        value = split(self.image_values(stream), self.word_values(stream))
        image = torch.arange(stream.shape[1], device=stream.device) < patches
        own = torch.stack([image, ~image]).repeat_interleave(self.each, 0)  # [head, position]
        may = own[None, :, None] & mask[:, None, None]
        read, _ = attend(self, self.query.expand(len(stream), -1, -1, -1), key, value, may)
        pooled: Tensor = self.out_proj(read.flatten(2))[:, 0]
        image_pool, word_pool = pooled.chunk(2, dim=-1)
        return image_pool, word_pool


class MergedReadout(nn.Module):
    """Two pooled vectors side by side, one hidden layer over both: the only place where picture and words meet."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = TwoPools(width)
        self.head = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, len(ANSWERS))
        )

    def forward(self, stream: Tensor, mask: Tensor, patches: int) -> Tensor:
        """stream [batch, position, width], patches first, mask bool [batch, position] to logits [batch, answer]."""
        logits: Tensor = self.head(torch.cat(self.attention(self.norm(stream), mask, patches), dim=-1))
        return logits


class ContrastiveReadout(nn.Module):
    """A dual encoder (CLIP, Radford et al., 2021): the cosine of the picture with each “question, answer” statement."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = TwoPools(width)
        self.answers = nn.Parameter(torch.randn(len(ANSWERS), width) * 0.5)
        self.see, self.say = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(2)
        )
        self.scale = nn.Parameter(torch.tensor(10.0).log())

    def embed(self, stream: Tensor, mask: Tensor, patches: int) -> tuple[Tensor, Tensor]:
        """Unit vectors: of the picture [batch, width], and of the question with each answer [batch, answer, width]."""
        image, words = self.attention(self.norm(stream), mask, patches)
        return F.normalize(self.see(image), dim=-1), F.normalize(self.say(words[:, None] + self.answers), dim=-1)

    def forward(self, stream: Tensor, mask: Tensor, patches: int) -> Tensor:
        """Logits [batch, answer]: the cosines, times the learned inverse temperature (at most 100, as CLIP's)."""
        image, statements = self.embed(stream, mask, patches)
        return self.scale.clamp(max=4.6052).exp() * (statements @ image[:, :, None])[..., 0]
