"""No positions: a set of patches."""

from vlmlens.lab.positions.encoding import Positions

POSITIONS = Positions(
    name="none",
    sentence="Patches are a set: whatever the order in which they come, the answer is the same.",
    known_as="the set transformer (Lee et al., 2019); decoders without positional encoding (Kazemnejad et al., 2023)",
    best_for="Questions in which place means nothing, and as the control of every claim about positions.",
    cannot="Tell left from right: of the patches it knows what they show and not where they are.",
)
