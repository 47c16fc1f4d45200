"""Late fusion: each stream is pooled on its own; two vectors meet at the decision."""

from vlmlens.lab.fusion.readout import MergedReadout
from vlmlens.lab.fusion.wiring import IMAGE, QUESTION, Wiring

_OWN = (IMAGE, QUESTION)

WIRING = Wiring(
    name="late",
    family="late",
    sentence="Each looks at itself alone; one vector of the picture and one of the words meet at the decision.",
    layers=(_OWN, _OWN, _OWN, _OWN),
    reads="both",
    readout=MergedReadout,
    known_as="the VQA baselines before attention (Antol et al., 2015); many medical and multimodal classifiers",
    best_for="Sides that are informative alone, that arrive apart, or of which one may be missing.",
    cannot="Bind: one vector must hold every thing with all its properties before the question is known.",
    ceiling=(
        "Picture and words meet as one vector each. What is asked of one thing among several (color, shape, size, "
        "where it is, how two lie) must be bound before anything is pooled, and one vector of the whole board is too "
        "little to count or to find any pair of color and shape that may be asked for."
    ),
    steps=1000,
)
