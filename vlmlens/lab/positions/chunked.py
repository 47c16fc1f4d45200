"""Chunked multi-axis rotary positions: one run of neighboring frequencies an axis."""

from vlmlens.lab.positions.encoding import Positions, allotted
from vlmlens.lab.positions.interleaved import TURNS
from vlmlens.lab.positions.turn import AXES, Pair, falling


def pairs(count: int) -> tuple[Pair, ...]:
    """Time has the fastest, then rows, then columns; each as many as in the interleaved layout (of 8: 2, 3 and 3)."""
    axes = sorted((TURNS[index % len(TURNS)] for index in range(count)), key=AXES.index)
    return allotted(axes, falling(count))


POSITIONS = Positions(
    name="chunked",
    sentence="The ladder of frequencies is cut in three: time has the fast ones, rows those between, columns the slow.",
    known_as="M-RoPE of Qwen2-VL and Qwen2.5-VL (Wang et al., 2024; Bai et al., 2025)",
    best_for="Picture, video and text in one sequence, with a language model's own rotary positions kept for text.",
    cannot="See near and far on every axis: columns turn slowly, time fast and nothing else (Huang et al., 2025).",
    pairs=pairs,
    least_pairs=3,
)
