"""Skip connections: how much of the stream is carried past each attention and each feed-forward."""

from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls.remedy import Remedy


def change(model: LabModel, strength: float) -> None:
    """1 is what every wiring has by itself; 0 takes the skips away, which is the pitfall that this one shows."""
    for layer in model.fusion.links():
        for link in layer:
            link.residual = strength


REMEDY = Remedy(
    name="skip connections",
    sentence="The share of the stream that goes past each layer unchanged: 1 as in every wiring here, 0 for no skips.",
    against="vanishing gradients at cross-attention",
    low=0.0,
    high=1.0,
    default=1.0,
    model=change,
)
