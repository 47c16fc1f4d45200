"""Perceiver resampler: any number of patches into a fixed number of latents, before the words come in."""

from vlmlens.lab.fusion.wiring import Look, Wiring

_RESAMPLE, _SELF = Look("latents", "latents and picture"), Look("latents and words", "latents and words")

WIRING = Wiring(
    name="perceiver",
    family="mid",
    sentence="Sixteen latents resample the picture before the question is known, then share a sequence with the words.",
    layers=((_RESAMPLE,), (_RESAMPLE,), (_SELF,), (_SELF,)),
    reads="latents",
    known_as="Perceiver (Jaegle et al., 2021), the resampler of Flamingo (Alayrac et al., 2022), IDEFICS2",
    best_for="Many or large pictures, or video: whatever comes in, the same few latents come out.",
    cannot="Look again: it must guess before the question what will be asked.",
    latents=16,
    steps=2600,
)
