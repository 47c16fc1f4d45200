"""Two-dimensional rotary positions: half of a head turns with the row, half with the column."""

from vlmlens.lab.positions.encoding import Positions, allotted
from vlmlens.lab.positions.turn import Axis, Pair, falling


def pairs(count: int) -> tuple[Pair, ...]:
    """The first half for rows, the rest for columns; both from frequency 1 downwards."""
    rows = count // 2
    half: tuple[Axis, Axis] = ("row", "column")
    axes = [half[index >= rows] for index in range(count)]
    return allotted(axes, falling(rows) + falling(count - rows))


POSITIONS = Positions(
    name="rotary2d",
    sentence="Half of every head turns with the row and half with the column: scores see distances, never places.",
    known_as="the vision encoders of Qwen2-VL (Wang et al., 2024) and Pixtral; RoPE-ViT (Heo et al., 2024)",
    best_for="Pictures of any size: what was learned of a distance holds wherever on the board it occurs.",
    cannot="Tell places apart without something to measure from; here the words, which stand after the grid.",
    pairs=pairs,
    least_pairs=2,
)
