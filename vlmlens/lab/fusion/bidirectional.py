"""Both ways at once: co-attention of two streams."""

from vlmlens.lab.fusion.wiring import IMAGE, IMAGE_ASKS, QUESTION, QUESTION_ASKS, Wiring

_OWN, _OTHER = (IMAGE, QUESTION), (IMAGE_ASKS, QUESTION_ASKS)

WIRING = Wiring(
    name="bidirectional",
    family="mid",
    sentence="Picture and words look at each other at once, and the answer is read from both.",
    layers=(_OWN, _OTHER, _OWN, _OTHER),
    reads="both",
    known_as="ViLBERT (Lu et al., 2019), LXMERT (Tan and Bansal, 2019)",
    best_for="Understanding tasks where both sides must change: entailment, referring, matching.",
    cannot="Be cheap or generate easily: two stacks of weights, and words that have seen what comes after them.",
)
