"""What is a compressor? Patches in, fewer tokens out, and for each token of which patches it tells."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from vlmlens.errors import UserError

BUDGETS = (36, 25, 16, 9, 4, 1)  # tokens that are trained and measured


def in_words(tokens: int) -> str:
    """ "1 token", "4 tokens"."""
    return f"{tokens} token{'s' * (tokens != 1)}"


@dataclass(frozen=True, eq=False)
class Told:
    """A picture in `keep` tokens."""

    tokens: Tensor  # [picture, token, width], in the space of the encoder's features
    shares: Tensor  # [picture, token, patch], sums to one over patches: of which patches each token tells
    chance: Tensor | None = None  # [picture], log-probability of the choice, where one was drawn to learn from it


class Compressor(nn.Module):
    """One way to tell a picture's patches in fewer tokens; whoever writes one writes `tell`.

    `dice` is what is drawn from in training: other threads draw from torch's own generator, too.
    """

    dice: Generator | None = None

    def forward(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        """image [picture, patch, width], words [picture, word, width], mask bool [picture, word], True: a word.

        Raises UserError where `keep` is no number from 1 to the patches.
        """
        patches = image.shape[1]
        if not 1 <= keep <= patches:
            raise UserError(f"A picture of {patches} patches can be told in 1 to {patches} tokens, not in {keep}.")
        return self.tell(image, words, mask, keep)

    def tell(self, image: Tensor, words: Tensor, mask: Tensor, keep: int) -> Told:
        raise NotImplementedError


@dataclass(frozen=True)
class Compression:
    """A row of `COMPRESSORS`."""

    name: str
    make: Callable[[], Compressor]
    sentence: str  # for people
    known_as: str  # who uses it, with the paper
    loses: str  # what it throws away
    query_aware: bool  # whether the words of the question decide
    selects: bool = False  # whether tokens are patches as they were
    chooses: bool = False  # whether it learns which patches stay, by drawing
    budgets: tuple[int, ...] = BUDGETS
    steps: int = 1200  # of training, with everything else alike
    control: bool = False  # no method, but what a method must beat

    @property
    def slug(self) -> str:
        """The name as a part of a file's."""
        return self.name.replace(" ", "-")
