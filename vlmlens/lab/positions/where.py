"""Where every token of a sequence stands: patches on their grid, words after it, latents nowhere."""

import math

import torch
from torch import Tensor


def coordinates(
    patches: int, words: int, latents: int, spacing: float = 1.0, device: str | torch.device = "cpu"
) -> Tensor:
    """[position, (time, row, column)] of patches, then words, then latents.

    As in Qwen2-VL (Wang et al., 2024, section 2.1): all patches of a picture share one time and differ in row and
    column; word t stands at (t, t, t), counted on from the largest coordinate of the picture. Latents stand at the
    origin, which turns nothing. Patches go row by row over the smallest square that holds them.

    `spacing` is the distance of two neighboring patches. Below 1 it fits a larger board into the range that was trained
    (position interpolation, Chen et al., 2023).
    """
    side = math.isqrt(max(0, patches - 1)) + 1
    patch = torch.arange(patches, device=device)
    grid = torch.stack([patch * 0, patch // side, patch % side], dim=1).float() * spacing
    first = spacing * (side - 1) + 1 if patches else 0.0
    word = first + torch.arange(words, device=device, dtype=torch.float32)
    return torch.cat([grid, word[:, None].expand(-1, 3), torch.zeros(latents, 3, device=device)])
