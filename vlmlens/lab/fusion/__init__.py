"""How picture and words are joined: everything else in a lab model is the same for every wiring.

One file a wiring, each with a `WIRING`; `WIRINGS` has them by name, in the order of the gallery.
"""

from vlmlens.lab.fusion import bidirectional, concat, contrastive, gated, img2txt, late, perceiver, qformer, txt2img
from vlmlens.lab.fusion.fusion import Fusion, places, positions_of, where
from vlmlens.lab.fusion.link import Gate, Link
from vlmlens.lab.fusion.readout import ContrastiveReadout, MergedReadout, Readout, TwoPools
from vlmlens.lab.fusion.wiring import STREAMS, Look, Part, Stream, Wiring

WIRINGS: dict[str, Wiring] = {
    file.WIRING.name: file.WIRING
    for file in (img2txt, txt2img, concat, bidirectional, gated, qformer, perceiver, late, contrastive)
}

__all__ = [
    "STREAMS",
    "WIRINGS",
    "ContrastiveReadout",
    "Fusion",
    "Gate",
    "Link",
    "Look",
    "MergedReadout",
    "Part",
    "Readout",
    "Stream",
    "TwoPools",
    "Wiring",
    "places",
    "positions_of",
    "where",
]
