"""A wiring as data: which stream looks at which, layer by layer, and which one the answer is read from."""

from dataclasses import dataclass
from typing import Literal

from vlmlens.lab.fusion.readout import ContrastiveReadout, MergedReadout, Readout

Part = Literal["image", "question", "latents"]
Stream = Literal["image", "question", "both", "latents", "latents and words", "latents and picture"]
Family = Literal["early", "mid", "late"]

# The parts of a stream, in the order in which they stand in the sequence: patches, words, latents.
STREAMS: dict[Stream, tuple[Part, ...]] = {
    "image": ("image",),
    "question": ("question",),
    "both": ("image", "question"),
    "latents": ("latents",),
    "latents and words": ("question", "latents"),
    "latents and picture": ("image", "latents"),
}


@dataclass(frozen=True)
class Look:
    """One attention: `queries` is updated with what it finds in `keys`.

    With `gated`, the tanh of a learned number that begins at zero multiplies what is written (Flamingo, Alayrac et al.,
    2022, section 2.2): until it is trained the layer does nothing.
    """

    queries: Stream
    keys: Stream
    gated: bool = False

    @property
    def kind(self) -> Literal["self", "cross"]:
        """Latents that also look at themselves beside the picture still query another stream."""
        return "self" if self.queries == self.keys else "cross"


@dataclass(frozen=True)
class Wiring:
    """One way to join picture and words. Within a layer all looks happen at once."""

    name: str
    family: Family
    sentence: str  # for people
    layers: tuple[tuple[Look, ...], ...]
    reads: Stream  # what the readout pools
    known_as: str  # who uses it, with the paper
    best_for: str  # what the literature says of it
    cannot: str
    latents: int = 0  # learned queries that join the sequence after the words
    readout: type[Readout | MergedReadout | ContrastiveReadout] = Readout  # made for a width
    ceiling: str = ""  # why no training brings it to 97 %, and in which questions
    steps: int = 1400  # of training, with everything else alike

    @property
    def gated(self) -> bool:
        return any(look.gated for layer in self.layers for look in layer)


IMAGE, QUESTION, BOTH = Look("image", "image"), Look("question", "question"), Look("both", "both")
IMAGE_ASKS, QUESTION_ASKS = Look("image", "question"), Look("question", "image")
