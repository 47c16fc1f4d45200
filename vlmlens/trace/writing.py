"""How an attention module writes what its rows read to the residual stream."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Writing:
    """How what some rows read becomes what they add to the residual stream: a linear map, and a number for each row.

    The number is what a norm between attention and the residual stream divides by (Gemma 2 and 3): for one row, an RMS
    norm multiplies the update by a number, and each of its dimensions by a gain. Where there is none, both are 1.
    """

    matrix: Tensor  # [width, head * width of a head]
    gain: Tensor  # float32 [width]
    scale: Tensor  # float32 [batch, row, 1]

    @classmethod
    def of(cls, module: nn.Module, norm: nn.Module | None, read: Tensor) -> "Writing":
        """For rows that read [batch, head, row, width of a head]."""
        projection = output_projection(module)
        weight = projection.weight.detach()
        gain, scale = torch.ones_like(weight[:, 0]), weight.new_ones(len(read), read.shape[2], 1)
        if norm is not None:
            with torch.no_grad():
                update = projection(read.transpose(1, 2).flatten(2).to(weight.dtype))
                gain = norm(gain)  # of a vector whose RMS is 1
                length = (gain.float() * update.float()).norm(dim=-1, keepdim=True)
                scale = norm(update).float().norm(dim=-1, keepdim=True) / length.clamp_min(1e-30)
        return cls(weight, gain.float(), scale.float())

    def project(self, read: Tensor) -> Tensor:
        """Of vectors [..., head * width of a head], float32 [..., width], not yet scaled."""
        return read.float() @ self.matrix.float().T * self.gain

    def write(self, read: Tensor) -> Tensor:
        """What each row writes of what it read: [batch, row, ..., head * width of a head] to [..., width], float32."""
        return self.project(read) * self.scale.view(*self.scale.shape[:2], *[1] * (read.ndim - 2))

    def for_all(self, others: "Sequence[Writing]") -> "Writing":
        """For this one's rows and then those of other passes through the same module."""
        return replace(self, scale=torch.cat([self.scale, *(other.scale for other in others)], dim=1))


def output_projection(module: nn.Module) -> nn.Linear:
    """The linear map from concatenated heads to the residual stream."""
    parts = dict(module.named_modules())
    for name in ("o_proj", "out_proj", "dense", "proj", "output.dense"):
        if isinstance(found := parts.get(name), nn.Linear):
            return found
    raise AttributeError(f"{type(module).__name__} has no output projection that vlmlens knows")
