"""Gated cross-attention: a text model into which the picture is let in through gates that begin shut."""

from vlmlens.lab.fusion.wiring import QUESTION, Look, Wiring

_ASKS = Look("question", "image", gated=True)

WIRING = Wiring(
    name="gated",
    family="mid",
    sentence="The words look at the picture through gates that begin shut: untrained, it is a text model bit for bit.",
    layers=((QUESTION,), (_ASKS,), (QUESTION,), (_ASKS,)),
    reads="question",
    known_as="Flamingo (Alayrac et al., 2022), OpenFlamingo, IDEFICS; gates of one number in Llama 3.2 Vision",
    best_for="Adding sight to a trained language model without harming it: at the first step nothing has changed.",
    cannot="Learn fast: while the gates are near zero, little gradient reaches what lies behind them.",
    steps=4000,
)
