"""How a position is told to attention: one file an encoding, found by name in `POSITIONS`."""

POSITIONS: tuple[str, ...] = ("learned",)
