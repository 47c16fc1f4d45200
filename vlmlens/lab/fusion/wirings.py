"""The wirings, one row each: which stream looks at which, layer by layer, and which one the answer is read from.

All have four layers of one attention each; within a layer all looks happen at once.
"""

from dataclasses import dataclass
from typing import Literal

Stream = Literal["image", "question", "both"]


@dataclass(frozen=True)
class Look:
    """One attention: `queries` is updated with what it finds in `keys`."""

    queries: Stream
    keys: Stream

    @property
    def kind(self) -> Literal["self", "cross"]:
        return "self" if self.queries == self.keys else "cross"


@dataclass(frozen=True)
class Wiring:
    name: str
    sentence: str  # for people
    layers: tuple[tuple[Look, ...], ...]
    reads: Stream  # what the readout pools


_IMAGE, _QUESTION, _BOTH = Look("image", "image"), Look("question", "question"), Look("both", "both")
_IMAGE_ASKS, _QUESTION_ASKS = Look("image", "question"), Look("question", "image")

WIRINGS = {
    wiring.name: wiring
    for wiring in (
        Wiring(
            "img2txt",
            "The picture looks at the words: only the image stream is reshaped, and the answer is read from it.",
            ((_IMAGE,), (_IMAGE_ASKS,), (_IMAGE,), (_IMAGE_ASKS,)),
            "image",
        ),
        Wiring(
            "txt2img",
            "The words look at the picture: only the question stream is reshaped, and the answer is read from it.",
            ((_QUESTION,), (_QUESTION_ASKS,), (_QUESTION,), (_QUESTION_ASKS,)),
            "question",
        ),
        Wiring(
            "concat",
            "Picture and words stand in one sequence and compete for the same attention.",
            ((_BOTH,), (_BOTH,), (_BOTH,), (_BOTH,)),
            "both",
        ),
        Wiring(
            "bidirectional",
            "Picture and words look at each other at once, and the answer is read from both.",
            ((_IMAGE, _QUESTION), (_IMAGE_ASKS, _QUESTION_ASKS), (_IMAGE, _QUESTION), (_IMAGE_ASKS, _QUESTION_ASKS)),
            "both",
        ),
    )
}
