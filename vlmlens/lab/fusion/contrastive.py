"""A contrastive dual encoder: the answer is the statement that lies nearest to the picture."""

from vlmlens.lab.fusion.readout import ContrastiveReadout
from vlmlens.lab.fusion.wiring import IMAGE, QUESTION, Wiring

_OWN = (IMAGE, QUESTION)

WIRING = Wiring(
    name="contrastive",
    family="late",
    sentence="Picture and words never meet: the answer is the one whose statement lies nearest to the picture.",
    layers=(_OWN, _OWN, _OWN, _OWN),
    reads="both",
    readout=ContrastiveReadout,
    known_as="CLIP (Radford et al., 2021), ALIGN, SigLIP",
    best_for="Search: both sides are computed once and kept, and a comparison is one product.",
    cannot="Bind or count: captions with the same words in another order lie at the same place (Winoground, ARO).",
    ceiling=(
        "The answer is a cosine of two vectors that never met. What is asked of one thing among several (color, shape, "
        "size, where it is, how two lie) must be bound before anything is pooled, and one vector of the whole board is "
        "too little to count or to find any pair of color and shape that may be asked for."
    ),
    steps=1000,
)
