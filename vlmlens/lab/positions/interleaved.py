"""Interleaved multi-axis rotary positions: the axes take the frequencies in turn."""

from vlmlens.lab.positions.encoding import Positions, allotted
from vlmlens.lab.positions.turn import Axis, Pair, falling

# Qwen3-VL begins with time; a picture has none to speak of, so that here the pairs left over go to rows and columns.
TURNS: tuple[Axis, ...] = ("row", "column", "time")


def pairs(count: int) -> tuple[Pair, ...]:
    """Row, column, time, and again, down one ladder of frequencies."""
    return allotted([TURNS[index % len(TURNS)] for index in range(count)], falling(count))


POSITIONS = Positions(
    name="interleaved",
    sentence="Row, column and time take the frequencies of a head in turn, so that each has fast and slow ones.",
    known_as="Qwen3-VL (Bai et al., 2025); MRoPE-I of “Revisiting Multimodal Positional Encoding” (Huang et al., 2025)",
    best_for="Picture, video and text in one sequence: every axis sees near and far, and text turns as it always did.",
    cannot="Give an axis the whole ladder: with three axes each has a third of the frequencies.",
    pairs=pairs,
    least_pairs=3,
)
