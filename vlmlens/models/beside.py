"""A picture that passes no layer, shown to the recorder beside the words that do."""

from collections.abc import Callable

import torch
from torch import Tensor

How = Callable[[int, Tensor, range], Tensor]  # `entering` or `leaving` of `trace.capture`


class Beside:
    """The picture's states [item, position, width], as edits have left them during one pass."""

    image: Tensor

    def show(self, how: How, layer: int, words: Tensor) -> Tensor:
        """Picture and words as one sequence to the recorder; returns the words [item, position, width] after edits."""
        both = torch.cat([self.image, words], dim=1)
        self.image, words = how(layer, both, range(both.shape[1])).split((self.image.shape[1], words.shape[1]), dim=1)
        return words
