"""Attention dropout: each step leaves out some of the weights, so that no single key can be relied on."""

from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls.remedy import Remedy


def change(model: LabModel, strength: float) -> None:
    """`strength` is the share of weights left out in training; a model that answers leaves out none."""
    for layer in model.fusion.links():
        for link in layer:
            link.attention.dropout = strength


REMEDY = Remedy(
    name="attention dropout",
    sentence="In training, this share of the attention weights is left out at random, so that no key is indispensable.",
    against="attention collapse, sinks",
    low=0.0,
    high=0.9,
    default=0.1,
    model=change,
)
