"""Local eyes: what a patch shows, seen patch by patch, so that nothing but a positional encoding knows where it is.

The vision encoder of the other lab models has learned places of its own, and its patches look at each other: whatever
positions the fusion is given, its features tell. These eyes have neither, and see a board of any size.
"""

from torch import Tensor, nn

from vlmlens.lab.vision import PATCH, WIDTH

HIDDEN = 256


class LocalEyes(nn.Module):
    """Pixels [batch, y, x, rgb] in uint8 to features [batch, patch, WIDTH], patches row by row, each on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Linear(3 * PATCH * PATCH, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, HIDDEN // 2),
            nn.GELU(),
            nn.Linear(HIDDEN // 2, WIDTH),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        scaled = pixels.float() / 127.5 - 1.0
        rows = scaled.unflatten(1, (-1, PATCH)).unflatten(3, (-1, PATCH))  # [batch, row, y, column, x, rgb]
        patches = rows.transpose(2, 3).flatten(3).flatten(1, 2)  # [batch, patch, pixel]
        features: Tensor = self.read(patches)
        return features
