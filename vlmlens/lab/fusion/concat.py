"""Concatenation: one sequence of patches and words, self-attention over all of it."""

from vlmlens.lab.fusion.wiring import BOTH, Wiring

WIRING = Wiring(
    name="concat",
    family="early",
    sentence="Picture and words stand in one sequence and compete for the same attention.",
    layers=((BOTH,), (BOTH,), (BOTH,), (BOTH,)),
    reads="both",
    known_as="LLaVA (Liu et al., 2023), PaliGemma, Qwen-VL, ViLT, VisualBERT",
    best_for="Anything, with enough data: every layer may bind any patch to any word, and a trained decoder is reused.",
    cannot="Stay cheap: attention costs the square of patches and words together, and pictures bring many patches.",
)
