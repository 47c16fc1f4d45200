"""Dead gates: is there a gate that lets nothing of the picture through, whatever is asked?"""

import numpy as np

from vlmlens.pitfalls.evidence import Evidence
from vlmlens.pitfalls.finding import Detector, Finding, not_applicable, over_rows

SHUT = 0.01  # |tanh|
LITTLE = 0.01  # of the norm of the stream that it is added to


def find(evidence: Evidence) -> Finding:
    if evidence.lab is None:
        return not_applicable("The gates of the lab's own wirings are read; this is none of them.")
    gates = {
        f"fusion.layers.{number}.{index}": (number + 1, abs(float(found[0])), abs(float(found[1])))
        for number, layer in enumerate(evidence.lab.fusion.links())
        for index, link in enumerate(layer)
        if (found := link.gates()) is not None
    }
    if not gates:
        return not_applicable(f"{evidence.vlm.name} has no gates.")
    let_in = {name: np.array([_through(item[name]) for item in evidence.looked]) for name in gates}  # [item]
    dead = [name for name in gates if gates[name][1] < SHUT and let_in[name].max() < LITTLE]
    alive = [name for name in gates if gates[name][1] >= SHUT and let_in[name].max() >= LITTLE]
    worst = min(gates, key=lambda name: (gates[name][1], let_in[name].max()))
    layer, gate, _ = gates[worst]
    low, high = over_rows(let_in[worst], evidence.seed)
    number = float(let_in[worst].mean())
    return Finding(
        "found" if dead else "not found" if len(alive) == len(gates) else "cannot tell",
        f"The most shut gate, at layer {layer}, is {gate:.3g}; what comes through it is {number:.2g} of the stream "
        f"(95 % interval {low:.2g} to {high:.2g}, at most {let_in[worst].max():.2g}).",
        number,
        (low, high),
        len(evidence.looked),
        {
            "layers": [gates[name][0] for name in gates],
            "attention": [gates[name][1] for name in gates],
            "feed_forward": [gates[name][2] for name in gates],
            "through": [float(let_in[name].mean()) for name in gates],
            "dead": [gates[name][0] for name in dead],
        },
    )


def _through(looked: object) -> float:
    """The most that attention adds to a row, as a share of the norm of the row."""
    written, stream = getattr(looked, "written", None), getattr(looked, "stream", None)
    if written is None or stream is None or not len(written):
        return 0.0
    return float((written / np.maximum(stream, 1e-12)).max())


DETECTOR = Detector(
    "dead gates",
    "Does a gate keep the picture out?",
    "of the stream's norm",
    f"found where a gate's tanh is below {SHUT:g} and what comes through it below {LITTLE:g} of the stream for every "
    "input; not found where both are above at every gate",
    "Let gates learn faster than what was pretrained, and train for longer.",
    ("higher rate",),
    find,
)
