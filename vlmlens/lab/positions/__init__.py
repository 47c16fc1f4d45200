"""How a position is told to attention: one file an encoding, each with a `POSITIONS`; all by name in `POSITIONS`."""

from vlmlens.lab.positions import chunked, interleaved, learned, none, rotary2d
from vlmlens.lab.positions.encoding import Positions
from vlmlens.lab.positions.learned import stretched
from vlmlens.lab.positions.measured import Accuracy, Measured
from vlmlens.lab.positions.reach import Band, Reach, bands, reach, similarity
from vlmlens.lab.positions.turn import AXES, BASE, Axis, Pair, Turn, turn
from vlmlens.lab.positions.where import coordinates

POSITIONS: dict[str, Positions] = {
    file.POSITIONS.name: file.POSITIONS for file in (none, learned, rotary2d, interleaved, chunked)
}

__all__ = [
    "AXES",
    "BASE",
    "POSITIONS",
    "Accuracy",
    "Axis",
    "Band",
    "Measured",
    "Pair",
    "Positions",
    "Reach",
    "Turn",
    "bands",
    "coordinates",
    "reach",
    "similarity",
    "stretched",
    "turn",
]
