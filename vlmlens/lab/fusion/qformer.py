"""Q-Former: learned queries that read the words and, in every other layer, the picture."""

from vlmlens.lab.fusion.wiring import Look, Wiring

_SELF, _ASK = Look("latents and words", "latents and words"), Look("latents", "image")

WIRING = Wiring(
    name="qformer",
    family="mid",
    sentence="Eight learned queries stand beside the words and look at the picture; the answer is read from them.",
    layers=((_SELF,), (_ASK,), (_SELF,), (_ASK,)),
    reads="latents",
    known_as="BLIP-2 (Li et al., 2023); with the words, as here, InstructBLIP (Dai et al., 2023)",
    best_for="Joining a frozen vision encoder to a frozen language model with few tokens and few trained weights.",
    cannot="Keep where things are: what no query asked for is gone, so counting and fine places suffer.",
    latents=8,
    steps=3000,
)
