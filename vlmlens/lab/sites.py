"""Which attention modules of a lab model look from which positions at which."""

from collections.abc import Mapping, Sequence

from torch import nn

from vlmlens.lab.fusion import STREAMS, Look, places, positions_of
from vlmlens.lab.model import LabModel
from vlmlens.trace import Site

_PEOPLE_SAY = {
    "image": "picture",
    "question": "words",
    "both": "all",
    "latents": "latents",
    "latents and words": "latents and words",
    "latents and picture": "latents and picture",
}


def sites_of(model: LabModel, patches: int, words: int) -> Mapping[nn.Module, Site]:
    """The sites of a sequence of `patches`, `words` and then the model's latents, in the order of the forward pass."""
    latents = model.fusion.queries
    parts = places(patches, words, latents)
    span = {stream: positions_of(stream, parts) for stream in STREAMS}
    found: dict[nn.Module, Site] = {}
    for number, layer in enumerate(model.fusion.links()):
        label = f"layer {number + 1}: {describe([link.look for link in layer])}"
        for index, link in enumerate(layer):
            look = link.look
            name = f"fusion.layers.{number}.{index}"
            found[link.attention] = Site(name, number, look.kind, span[look.queries], span[look.keys], label)
    reads = model.fusion.wiring.reads
    length = patches + words + latents
    found[model.readout.attention] = Site(
        "readout",
        len(model.fusion.layers),
        "readout",
        (length,),
        span[reads],
        f"readout: pools {_PEOPLE_SAY[reads]}",
    )
    return found


def describe(looks: Sequence[Look]) -> str:
    """A layer in words: "words → picture"."""
    if len(looks) == 1:
        return f"{_PEOPLE_SAY[looks[0].queries]} → {_PEOPLE_SAY[looks[0].keys]}"
    return "each → itself" if looks[0].kind == "self" else "each → the other"
