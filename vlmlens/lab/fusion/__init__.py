"""How picture and words are joined: everything else in a lab model is the same for every wiring."""

from vlmlens.lab.fusion.fusion import Fusion, Link
from vlmlens.lab.fusion.wirings import WIRINGS, Look, Wiring

__all__ = ["WIRINGS", "Fusion", "Link", "Look", "Wiring"]
